"""What made the golden cassettes of version 1. It is kept to show how, and makes only what is not there.

python -m tests.golden.make_v1
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from tests.cassette.golden import FOLDER, contents
from tokentape import cassette

SECTION = cassette.Section(
    version=1,
    wall_ns=1_790_000_000_123_456_789,
    mono_ns=86_400_000_000_001,
    writer="tokentape 0.1.0",
    proxy="mitmproxy 11.0.2",
    host="recorder.example",
)
SECOND = cassette.Section(
    version=1,
    wall_ns=2**63 - 1,
    mono_ns=0,
    writer="",
    proxy="mitmproxy 12.2.0",
    host="Jürgens Rechner",
    labels={"": ""},
)
DONE = b"data: [DONE]\n\n"


def event(text: str) -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{"content":' + json.dumps(text).encode() + b"}}]}\n\n"


def request(exchange: int, t: int, **changes: Any) -> cassette.Request:
    made = cassette.Request(
        exchange=exchange,
        t=t,
        t_end=t + 250_000,
        method="POST",
        scheme="https",
        host="api.example",
        port=443,
        path=b"/v1/chat/completions",
        http_version="HTTP/1.1",
        headers=((b"Host", b"api.example"), (b"Content-Type", b"application/json")),
        body=b'{"model":"m-1","stream":true,"messages":[{"role":"user","content":"Hi"}]}',
        connection="c-1",
    )
    return msgspec.structs.replace(made, **changes)


def response(exchange: int, t: int, **changes: Any) -> cassette.Response:
    made = cassette.Response(
        exchange=exchange,
        t=t,
        status=200,
        reason=b"OK",
        http_version="HTTP/1.1",
        headers=((b"Content-Type", b"text/event-stream"), (b"Transfer-Encoding", b"chunked")),
    )
    return msgspec.structs.replace(made, **changes)


def answer(exchange: int, t: int, *pieces: bytes) -> list[cassette.Record]:
    """A request and its whole answer, a piece every 20 ms."""
    chunks = [
        cassette.Chunk(exchange=exchange, t=t + 300_000_000 + n * 20_000_017, data=piece)
        for n, piece in enumerate(pieces)
    ]
    end = cassette.End(
        exchange=exchange,
        t=chunks[-1].t + 41_000,
        reason="complete",
        chunks=len(pieces),
        bytes=sum(map(len, pieces)),
    )
    return [request(exchange, t), response(exchange, t + 290_000_000), *chunks, end]


HELLO = answer(0, 1_000_000, event("Hel"), event("lo"), DONE)
CLOSE = cassette.Close(t=9_000_000_000, exchanges=1, chunks=3, bytes=sum(len(r.data) for r in HELLO[2:5]))


def every_field() -> list[cassette.Record]:
    section = msgspec.structs.replace(
        SECTION, redaction=("credential-headers", "body-shapes"), labels={"run": "a", "Ort": "Zürich"}
    )
    first = request(
        0,
        1_000_000,
        method="PATCH",
        path=b"/v1/chat/completions?x=%20\xff",
        http_version="HTTP/2.0",
        headers=(
            (b"X-Twice", b"1"),
            (b"x-twice", b"2"),
            (b"X-Raw", bytes(range(256))),
            (b"Authorization", b"Bearer [redacted]"),
        ),
        body='{"model":"m-1","messages":"日本語 \u2028"}'.encode(),
        connection="c-日",
        redactions=1,
        times="all",
    )
    second = request(1, 1_500_000, scheme="http", host="127.0.0.1", port=65535, body=b"")
    return [
        section,
        first,
        second,
        cassette.Note(t=1_600_000, text="both are under way"),
        response(
            0,
            300_000_000,
            reason=b"",
            http_version="HTTP/2.0",
            connect=cassette.Connect(tcp_start=-5_000_000, tcp_end=-4_000_000, tls_end=-1),
            redactions=2,
        ),
        response(
            1,
            310_000_000,
            status=999,
            reason=b"R\xe9ason",
            connect=cassette.Connect(tcp_start=2_000_000, tcp_end=2_100_000),
        ),
        cassette.Chunk(exchange=1, t=320_000_000, data=b"\x00"),
        cassette.Chunk(exchange=0, t=330_000_000, data=event("Gr\u00fc")[:47]),
        cassette.Chunk(
            exchange=0, t=330_000_001, data=b"\xc9\x00\x00\x00\x0bTX\xdbE\xaa\x94\x05\x00\xa2hi\xc0" * 20
        ),
        cassette.End(
            exchange=1,
            t=340_000_000,
            reason="client-closed",
            detail="the client went away",
            chunks=1,
            bytes=1,
        ),
        cassette.Note(t=350_000_000, text="of the first", exchange=0),
        cassette.End(
            exchange=0,
            t=2**60,
            reason="complete",
            detail="",
            trailers=((b"grpc-status", b"0"), (b"X-Checksum", b"\x00\xff")),
            chunks=2,
            bytes=387,
        ),
        request(2, 360_000_000, port=0, redactions=2**60),
        cassette.End(
            exchange=2, t=361_000_000, reason="upstream-error", detail="connection refused", trailers=()
        ),
        request(3, -(2**60)),
        response(3, 380_000_000, status=0, headers=()),
        cassette.End(exchange=3, t=390_000_000, reason="recorder-stopped"),
        cassette.Close(t=400_000_000, exchanges=4, chunks=3, bytes=388),
    ]


def written(*records: cassette.Record) -> bytes:
    """What the writer makes of records."""
    path = FOLDER / ".being-made"
    section, *others = records
    assert isinstance(section, cassette.Section)
    try:
        with cassette.Writer(path, section) as tape:
            for record in others:
                assert not isinstance(record, cassette.Unknown)
                tape.write(record)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


def copied(*payloads: bytes, ending: str = ".tape") -> bytes:
    """What the rewriter makes of payloads."""
    path = FOLDER / f".being-made{ending}"
    try:
        with cassette.Rewriter(path) as tape:
            for payload in payloads:
                tape.copy(payload)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


def pack(*elements: Any) -> bytes:
    return msgspec.msgpack.encode(elements)


def more(record: cassette.Record, *fields: Any) -> bytes:
    return pack(*msgspec.msgpack.decode(msgspec.msgpack.encode(record)), *fields)


def further() -> list[bytes]:
    """Kinds and fields that version 1 does not know, and records that leave out what has a default."""
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep]
    section = msgspec.msgpack.decode(msgspec.msgpack.encode(SECTION))
    ext = msgspec.msgpack.Ext(5, b"\x00\xff")
    return [
        pack(*section[:7]),
        pack(7, "a kind of a later revision", {"k": [1, None, True, 1.5, b"\xff"]}),
        pack(128, "private", -1, 2**64 - 1, -(2**63), ext),
        pack(255),
        b"\x92\xcc\xc8\xa2\xff\xfe",  # of kind 200, with a text that is not UTF-8
        pack(2**32, deep, {1: {2: 3}}),
        more(HELLO[0], "a later field", {"more": b"\x00"}),
        pack(2, 0, 290_000_000, 200, b"", "HTTP/1.1", []),
        more(HELLO[2], ext),
        pack(4, 0, 400_000_000, "complete"),
        pack(5, 400_000_001, "of the section"),
        more(CLOSE, None),
        pack(200, "behind the close"),
    ]


def out_of_bounds() -> list[bytes]:
    """Frames that check out around what is no record, between records that are."""
    good = msgspec.msgpack.encode(cassette.Chunk(exchange=0, t=5, data=b"whole"))
    bad = [
        pack(3, 0, 2**60 + 1, b"late"),
        pack(3, 0, -(2**60) - 1, b"early"),
        pack(3, -1, 0, b"exchange"),
        pack(3, 0, 1.0, b"float"),
        pack(3, 0, 1, "text"),
        pack(3, 0, 1),
        pack(3, True, 1, b"bool"),
        pack(2, 0, 1, 1000, b"", "HTTP/1.1", []),
        pack(4, 0, 1, "no such reason"),
        b"\x93\x05\x00\xa1\xff",  # a text that is not UTF-8
        pack(-1),
        pack(),
        pack("chunk"),
        msgspec.msgpack.encode(7),
        msgspec.msgpack.encode({"kind": 3}),
        good + b"\x00",  # two msgpack values
        good[:-1],
    ]
    return [msgspec.msgpack.encode(SECTION), *(payload for each in bad for payload in (each, good))]


def damaged(whole: bytes) -> bytes:
    """A payload, then a length is hit, bytes are put in, and a record is cut out of the middle of itself."""
    starts = [entry.offset for entry in cassette.Reader(io.BytesIO(whole)).entries()]
    data = bytearray(whole)
    data[starts[2] + 20] ^= 0x10
    data[starts[4] + 1] ^= 0x80
    del data[starts[6] + 15 : starts[6] + 30]
    data[starts[5] : starts[5]] = b"\xc9 garbage \xc9\x00\x00"
    return bytes(data)


def files() -> dict[str, bytes]:
    whole = written(*every_field())
    several = written(
        SECTION,
        *HELLO,
        CLOSE,
        SECOND,
        *HELLO[:4],
        SECTION,
        *HELLO,
        CLOSE,
    )
    compress = zstandard.ZstdCompressor(write_checksum=True).compress
    compressed = copied(*(msgspec.msgpack.encode(record) for record in every_field()), ending=".tape.zst")
    return {
        "v1-every-field.tape": whole,
        "v1-every-field.tape.zst": compressed,
        "v1-zstd-frames.tape.zst": compress(whole[:5]) + compress(whole[5:700]) + compress(whole[700:]),
        "v1-zstd-torn.tape.zst": compress(whole[:700]) + compress(whole[700:])[:-60],
        "v1-sections.tape": several,
        "v1-interrupted.tape": written(SECTION, *HELLO[:-1]),
        "v1-torn.tape": written(SECTION, *HELLO)[:-7],
        "v1-torn-header.tape": written(SECTION, *HELLO) + b"\xc9\x00\x00",
        "v1-torn-magic.tape": whole[:5],
        "v1-only-magic.tape": whole[:11],
        "v1-damaged.tape": damaged(written(SECTION, *HELLO, CLOSE)),
        "v1-lost-section.tape": whole[:11] + written(SECTION, *HELLO, CLOSE)[len(written(SECTION)) :],
        "v1-imported-headers.tape": written(
            SECTION,
            request(0, 0, times="headers"),
            *[msgspec.structs.replace(r, t=0) if isinstance(r, cassette.Chunk) else r for r in HELLO[1:]],
        ),
        "v1-imported-none.tape": written(
            SECTION,
            request(0, 0, t_end=0, times="none"),
            *[
                msgspec.structs.replace(r, t=0)
                for r in HELLO[1:]
                if not isinstance(r, cassette.Unknown | cassette.Section)
            ],
        ),
        "v1-further.tape": copied(*further()),
        "v1-out-of-bounds.tape": copied(*out_of_bounds()),
    }


def main() -> None:
    for name, data in files().items():
        path = FOLDER / name
        if not path.exists():
            path.write_bytes(data)
            found = contents(cassette.Reader(io.BytesIO(data), lenient=True))
            Path(f"{path}.json").write_text(json.dumps(found, indent=1) + "\n")
    kept = sorted(path for path in FOLDER.iterdir() if path.name.startswith("v"))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in kept]
    (FOLDER / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
