"""What is not recorded, asked of the API itself, and recorded by the way.

`_on_miss` is what one may ask for, `_asking` asks, and `_call` is one request under way. `tokentape
record` records it in a process of its own (`_recorder_process`); `_appended` reads what that has written.
"""
