"""When the parts of an answer are due, and what has them written then.

`_timing` is what one may ask for, `_schedule` makes offsets of recorded times by it, and `_pacer` has each
part written at its offset; `_lateness` counts how close it came. Only the pacer and its timer know a clock.
"""
