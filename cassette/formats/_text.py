"""Bodies as text where they are text: in the charset that they name, and only if the same bytes come back."""

import codecs

# What streams and pages come in. Others that Python knows are no charsets of the web, or costly to decode.
_CHARSETS = frozenset(
    [
        "ascii",
        "big5",
        "cp1251",
        "cp1252",
        "euc_jp",
        "euc_kr",
        "gb18030",
        "gb2312",
        "gbk",
        "iso8859-1",
        "iso8859-15",
        "shift_jis",
        "utf-8",
    ]
)


def charset(content_type: str) -> str:
    """Return the charset that a content-type names, if it is one of the web's; else UTF-8."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            try:
                found = codecs.lookup(value.strip(" \"'")).name
            except (LookupError, ValueError):
                return "utf-8"
            return found if found in _CHARSETS else "utf-8"
    return "utf-8"


def text_of(body: bytes, content_type: str) -> str | None:
    """Return a body as text, None if it is not text of its charset."""
    name = charset(content_type)
    try:
        text = body.decode(name)
        return text if text.encode(name) == body else None
    except UnicodeError:
        return None


def bytes_of(text: str, content_type: str) -> bytes:
    """Return the bytes of a text in its charset; in UTF-8 where that cannot say it."""
    try:
        return text.encode(charset(content_type))
    except UnicodeError:
        return text.encode("utf-8", "surrogatepass")
