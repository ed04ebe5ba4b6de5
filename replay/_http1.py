"""HTTP/1.1 as answers are written in it: header fields, chunks, and what is in chunks of our own making.

Invariant: what is written as a chunk is what `dechunked` returns of it, byte for byte.
"""

from tokentape.cassette import Headers

HOP_BY_HOP = {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
_CHUNKED = b"transfer-encoding: chunked"


def fields_of(headers: Headers, *, chunked: bool, keep_length: bool) -> tuple[list[bytes], bytes]:
    """Return the lines of the header fields, and which of them announces chunks.

    It stands where the recording had its transfer-encoding, spelled as there; else last. Other codings than
    chunks stay in it, since the body stays in them.
    """
    framed = b", ".join(filter(None, [transfer_codings(headers), b"chunked"]))
    dropped = HOP_BY_HOP | named_in_connection(headers)
    lines: list[bytes] = []
    framing = b""
    for name, value in headers:
        lower = name.lower()
        if lower == b"transfer-encoding" and chunked and not framing:
            framing = clean(name) + b": " + framed
            lines.append(framing)
        elif lower == b"content-length" and not keep_length:
            continue
        elif lower not in dropped and not lower.startswith(b"proxy-"):
            lines.append(clean(name) + b": " + clean(value))
    if chunked and not framing:
        framing = _CHUNKED
        lines.append(framing)
    return lines, framing


def named_in_connection(headers: Headers) -> set[bytes]:
    """Return the names of fields that concern only one connection because it says so, in lower case."""
    values = [value for name, value in headers if name.lower() == b"connection"]
    return {option.strip().lower() for value in values for option in value.split(b",")}


def transfer_codings(headers: Headers) -> bytes:
    """Return the transfer codings beside chunks, as "gzip", in their order; b"" if there are none."""
    values = [value for name, value in headers if name.lower() == b"transfer-encoding"]
    codings = [clean(each).strip() for value in values for each in value.split(b",")]
    return b", ".join(each for each in codings if each.lower() not in (b"chunked", b"identity", b""))


def as_content_coding(codings: bytes) -> list[bytes]:
    """Return the field, if there are codings, that says the same to who knows no transfer-encoding.

    It has to be the last of the fields: these codings were put on after those of the content.
    """
    return [b"content-encoding: " + codings] if codings else []


def content_length(headers: Headers) -> int | None:
    """Return the one length that the fields agree on (RFC 9112, 6.3), None if there is no such."""
    found = {
        part.strip()
        for name, value in headers
        if name.lower() == b"content-length"
        for part in value.split(b",")
    }
    value = found.pop() if len(found) == 1 else b""
    return int(value) if value.isdigit() and len(value) < 20 else None


def clean(text: bytes) -> bytes:
    """Replace what would end a line (RFC 9110, 5.5); no honest recorder writes it."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ").replace(b"\0", b" ")


def as_chunk(data: bytes) -> bytes:
    """Return a piece, which is not empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Headers | None) -> bytes:
    """Return the end of a chunked body."""
    lines = [clean(name) + b": " + clean(value) + b"\r\n" for name, value in trailers or ()]
    return b"0\r\n" + b"".join(lines) + b"\r\n"


def dechunked(chunks: bytes) -> bytes:
    """Return what is in a row of chunks of our own making, with or without the last."""
    return b"".join(contents(chunks)[0])


def contents(chunks: bytes) -> tuple[list[bytes], bytes]:
    """Return what is in each of a row of chunks of our own making, and the last chunk with its trailers."""
    found: list[bytes] = []
    position = 0
    while position < len(chunks):
        data = chunks.index(b"\r\n", position) + 2
        size = int(chunks[position : data - 2], 16)
        if size == 0:
            return found, chunks[position:]
        found.append(chunks[data : data + size])
        position = data + size + 2
    return found, b""
