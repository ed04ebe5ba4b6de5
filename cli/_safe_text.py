"""What strangers have written (models, paths, names of files), as text that a terminal only shows.

The guarantee: nothing in it is obeyed by a terminal, and standard output can encode all of it.
"""

import sys


def safe_text(value: object) -> str:
    r"""Return the value as text with `\x1b` and the like for whatever cannot be shown."""
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(value)
    )
    encoding = sys.stdout.encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)
