"""Other formats: what a cassette is made of from what people have, and made into for what they use.

`docs/formats.md` says what each keeps and what it loses::

    from tokentape.cassette.formats import convert

    convert("session.tape", "session.har", read_as="tape", write_as="har")

JSON lines and HTTP archives need nothing but the base install; flows need mitmproxy, and vcrpy's
cassettes PyYAML, which the extra `convert` has.
"""

from tokentape.cassette.formats._assembly import Redact
from tokentape.cassette.formats._convert import (
    ENDINGS,
    FORMATS,
    WRITTEN,
    Converted,
    Format,
    convert,
    format_of,
)
from tokentape.cassette.formats._errors import NotTheFormat, NotWritten, WrongLine

__all__ = [
    "ENDINGS",
    "FORMATS",
    "WRITTEN",
    "Converted",
    "Format",
    "NotTheFormat",
    "NotWritten",
    "Redact",
    "WrongLine",
    "convert",
    "format_of",
]
