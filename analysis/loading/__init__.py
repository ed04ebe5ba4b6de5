"""From files to tables, whole or part by part: the only room that reads and writes anything.

`_load` reads cassettes into a `Recording`; `_where` and `_options` are what it can be told.
`_parts` divides what is too much at once, and `_parquet` writes it part by part.
"""
