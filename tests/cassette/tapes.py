"""Small cassettes for tests, with exact times."""

from pathlib import Path

from tokentape import cassette

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
