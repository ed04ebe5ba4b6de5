"""From one recorded exchange to its numbers: bytes and nanoseconds in, values out, no tables.

`_answer` says what an answer carries event by event, `_token_stream` what that is of each choice, `_metrics`
makes every number, and `_exchange` puts them together. `_definitions` are other tools' numbers.
"""
