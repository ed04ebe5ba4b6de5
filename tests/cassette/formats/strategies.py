"""Any record, and any cassette that a recorder may have written."""

import gzip
import zlib
from typing import Any, get_args

import brotli
import zstandard
from hypothesis import strategies as st
from msgspec.structs import replace

from tokentape import cassette

NS = st.integers(-(2**60), 2**60)
COUNT = st.integers(0, 2**60)
WALL = st.integers(0, 2**63 - 1)
TEXT = st.text(max_size=12)
BYTES = st.one_of(st.binary(max_size=12), st.text(max_size=12).map(str.encode))
HEADERS = st.lists(st.tuples(BYTES, BYTES), max_size=3).map(tuple)
REASON = st.sampled_from(get_args(cassette.EndReason))
TIMES = st.sampled_from(get_args(cassette.Times))
STATUS = st.integers(0, 999)

CONNECT = st.builds(
    cassette.Connect, tcp_start=st.none() | NS, tcp_end=st.none() | NS, tls_end=st.none() | NS
)
SECTION = st.builds(
    cassette.Section, version=st.just(1), wall_ns=WALL, mono_ns=WALL, writer=TEXT, proxy=TEXT, host=TEXT,
    redaction=st.lists(TEXT, max_size=2).map(tuple), labels=st.dictionaries(TEXT, TEXT, max_size=2),
)  # fmt: skip
REQUEST = st.builds(
    cassette.Request, exchange=COUNT, t=NS, t_end=NS, method=TEXT, scheme=TEXT, host=TEXT, port=COUNT,
    path=BYTES, http_version=TEXT, headers=HEADERS, body=BYTES, connection=TEXT, redactions=COUNT,
    times=TIMES,
)  # fmt: skip
RESPONSE = st.builds(
    cassette.Response, exchange=COUNT, t=NS, status=STATUS, reason=BYTES, http_version=TEXT,
    headers=HEADERS, connect=st.none() | CONNECT, redactions=COUNT,
)  # fmt: skip
CHUNK = st.builds(cassette.Chunk, exchange=COUNT, t=NS, data=BYTES)
END = st.builds(
    cassette.End, exchange=COUNT, t=NS, reason=REASON, detail=TEXT, trailers=st.none() | HEADERS,
    chunks=COUNT, bytes=COUNT,
)  # fmt: skip
NOTE = st.builds(cassette.Note, t=NS, text=TEXT, exchange=st.none() | COUNT)
CLOSE = st.builds(cassette.Close, t=NS, exchanges=COUNT, chunks=COUNT, bytes=COUNT)
RECORD = st.one_of(SECTION, REQUEST, RESPONSE, CHUNK, END, NOTE, CLOSE)

# What a recorder writes: methods and the like are ASCII, times go forward, headers may be anything.
_T = st.integers(0, 2**50)
_TOKEN = st.text("abcABC-", min_size=1, max_size=6)
_HOST = st.one_of(
    st.sampled_from(["api.example", "127.0.0.1", "::1"]),
    st.sampled_from(["", "[::1", "a b/c?d", "\u2100x", "a@b", "a:b", "A.B"]),  # what makes no URL, or another
    TEXT,
)
_PATH = st.one_of(
    st.sampled_from([b"/", b"*", b"/v1/x?a=1&b=#", b"//x/y", b"", b"http://other/x"]), BYTES.map(b"/".__add__)
)
_BODY = st.one_of(
    BYTES, st.sampled_from(["data: 你好\n\n".encode(), b"\xff\xfe", b"data: {}\n\ndata: [DONE]\n\n"])
)
_TYPES = [
    b"text/event-stream",
    b"application/json; charset=utf-8",
    b"text/plain; charset=latin-1",
    b"image/png",
    b"text/plain; charset=utf-16",
    b"text/plain; charset=rot13",
]
_ENCODE = {
    b"gzip": lambda data: gzip.compress(data, mtime=0),
    b"br": brotli.compress,
    b"zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    b"deflate": zlib.compress,
}


def _cut(data: bytes, pieces: int) -> list[bytes]:
    """Cut into so many pieces of about the same size, none of them empty."""
    size = -(-len(data) // pieces) if pieces else 0
    return [data[start : start + size] for start in range(0, len(data), size)] if size else []


@st.composite
def exchange_records(draw: st.DrawFn, number: int) -> list[Any]:
    """The records of one exchange, as it may have gone."""
    times = draw(TIMES)
    clock = iter(sorted(draw(st.lists(_T, min_size=12, max_size=12))))

    def t(*, needs: tuple[str, ...] = ("all", "headers")) -> int:
        now = next(clock)
        return now if times in needs else 0

    typed = ((b"Content-Type", draw(st.sampled_from(_TYPES))),)
    found: list[Any] = [
        cassette.Request(
            exchange=number, t=t(), t_end=t(), method=draw(_TOKEN),
            scheme=draw(st.sampled_from(["http", "https"])), host=draw(_HOST),
            port=draw(st.sampled_from([80, 443, 8080])), path=draw(_PATH),
            http_version=draw(st.sampled_from(["HTTP/1.1", "HTTP/2.0", "HTTP/3"])),
            headers=typed + draw(HEADERS), body=draw(_BODY), connection=draw(st.sampled_from(["", "c-1"])),
            redactions=draw(st.integers(0, 3)), times=times,
        )
    ]  # fmt: skip
    sizes: list[int] = []
    if draw(st.integers(0, 9)):
        connect = draw(st.none() | st.just(cassette.Connect(tcp_start=t(), tcp_end=t(), tls_end=t())))
        coding = draw(st.sampled_from([b"", b"", b"gzip", b"br", b"zstd", b"deflate", b"unknown"]))
        coded = ((b"Content-Encoding", coding),) if coding else ()
        found.append(
            cassette.Response(
                exchange=number, t=t(), status=draw(st.sampled_from([200, 204, 404, 101, 599, 0])),
                reason=draw(BYTES), http_version="HTTP/1.1", headers=typed + coded + draw(HEADERS),
                connect=connect,
            )
        )  # fmt: skip
        pieces = [draw(_BODY) or b"x" for _ in range(draw(st.integers(0, 4)))]
        if draw(st.integers(0, 2)):  # else it is not what its header says
            pieces = _cut(_ENCODE.get(coding, bytes)(b"".join(pieces)), len(pieces))
        if pieces and not draw(st.integers(0, 4)):
            pieces.pop()
        sizes = [len(piece) for piece in pieces]
        found += [cassette.Chunk(exchange=number, t=t(needs=("all",)), data=data) for data in pieces]
    if draw(st.integers(0, 5)) == 0:
        found.append(cassette.Note(t=t(), text=draw(TEXT), exchange=number))
    if draw(st.integers(0, 4)):
        found.append(
            cassette.End(
                exchange=number, t=t(), reason=draw(REASON), detail=draw(TEXT),
                trailers=draw(st.none() | HEADERS), chunks=len(sizes), bytes=sum(sizes),
            )
        )  # fmt: skip
    return found


@st.composite
def cassettes(draw: st.DrawFn) -> list[Any]:
    """Sections one after another, each with its exchanges; their records stand one exchange after another."""
    found: list[Any] = []
    for _ in range(draw(st.integers(1, 2))):
        wall_ns = draw(st.integers(10**18, 2 * 10**18))
        found.append(draw(SECTION.map(lambda section, wall_ns=wall_ns: replace(section, wall_ns=wall_ns))))
        for number in range(draw(st.integers(1, 3))):
            found += draw(exchange_records(number))
        if draw(st.booleans()):
            found.append(cassette.Note(t=2**51, text=draw(TEXT)))
        if draw(st.booleans()):
            found.append(draw(CLOSE))
    return found
