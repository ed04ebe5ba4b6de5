"""Small cassettes for tests, with exact times."""

from pathlib import Path

from msgspec.structs import replace

from tokentape import cassette
from tokentape.cassette._framing import MAGIC, frame
from tokentape.cassette._records import encode

SECTION = cassette.Section(
    version=1,
    wall_ns=1_790_000_000_000_000_000,
    mono_ns=5_000,
    writer="tokentape 0.1.0",
    proxy="mitmproxy 11.0.2",
    host="recorder.example",
    redaction=("headers",),
    labels={"run": "a"},
)
REQUEST = cassette.Request(
    exchange=0,
    t=1_000,
    t_end=2_000,
    method="POST",
    scheme="https",
    host="api.example",
    port=443,
    path=b"/v1/chat/completions",
    http_version="HTTP/1.1",
    headers=((b"Content-Type", b"application/json"), (b"X-Twice", b"1"), (b"X-Twice", b"2")),
    body=b'{"model":"m"}',
    connection="c1",
    redactions=1,
)
RESPONSE = cassette.Response(
    exchange=0,
    t=300_000_000,
    status=200,
    reason=b"OK",
    http_version="HTTP/1.1",
    headers=((b"content-type", b"text/event-stream"),),
    connect=cassette.Connect(tcp_start=2_100, tcp_end=2_900, tls_end=9_000),
)
CHUNKS = (
    cassette.Chunk(exchange=0, t=400_000_000, data=b'data: {"a": 1}\n\n'),
    cassette.Chunk(exchange=0, t=450_000_000, data=b"data: [DONE]\n\n"),
)
END = cassette.End(exchange=0, t=451_000_000, reason="complete", chunks=2, bytes=30)
NOTE = cassette.Note(t=451_500_000, text="a remark", exchange=None)
CLOSE = cassette.Close(t=452_000_000, exchanges=1, chunks=2, bytes=30)
RECORDS: tuple[cassette.Record, ...] = (SECTION, REQUEST, RESPONSE, *CHUNKS, END, NOTE, CLOSE)


def write(path: Path, *records: cassette.Record) -> Path:
    """Write records, the section first, and leave the file as the writer does."""
    section, *others = records
    assert isinstance(section, cassette.Section)
    with cassette.Writer(path, section) as writer:
        for record in others:
            assert not isinstance(record, cassette.Unknown)
            writer.write(record)
    return path


def raw(*records: cassette.Record) -> bytes:
    """Return the bytes of a file with these records, whether or not they make sense together."""
    return MAGIC + b"".join(frame(payload_of(record)) for record in records)


def entries(*records: cassette.Record) -> list[cassette.Entry]:
    """Return records as a reader yields them."""
    found, offset = [], len(MAGIC)
    for record in records:
        payload = payload_of(record)
        found.append(cassette.Entry(offset, payload, record))
        offset += len(frame(payload))
    return found


def payload_of(record: cassette.Record) -> bytes:
    return record.payload if isinstance(record, cassette.Unknown) else encode(record)


def exchange(
    number: int, pieces: int = 2, *, host: str = "api.example", model: str = "m", status: int = 200
) -> list[cassette.Record]:
    """The records of one more exchange."""
    of = {"exchange": number}
    data = [b"data: %d.%d\n\n" % (number, piece) for piece in range(pieces)]
    return [
        replace(REQUEST, **of, host=host, body=b'{"model":"%s"}' % model.encode()),
        replace(RESPONSE, **of, status=status),
        *(replace(CHUNKS[0], **of, data=piece) for piece in data),
        replace(END, **of, chunks=pieces, bytes=sum(map(len, data))),
    ]


def closed(*records: cassette.Record) -> list[cassette.Record]:
    """The records with a close that counts them."""
    pieces = [record for record in records if isinstance(record, cassette.Chunk)]
    requests = sum(isinstance(record, cassette.Request) for record in records)
    size = sum(len(piece.data) for piece in pieces)
    return [*records, replace(CLOSE, exchanges=requests, chunks=len(pieces), bytes=size)]
