"""Recorded answers as HTTP/1.1 bytes, prepared once so that nothing is left to do when a piece is due.

`_script` says what was recorded to go out when; `prepare` makes of it what goes out when under a `Timing`.
Invariant: it goes out so, but to a client of HTTP/1.0 and to one that wants its connection closed.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from tokentape.cassette import Exchange
from tokentape.replay._http1 import as_content_coding, dechunked, transfer_codings
from tokentape.replay._packed import Changed
from tokentape.replay._script import script
from tokentape.replay.timing._pacer import Part
from tokentape.replay.timing._timing import Timing

_MAX_WRITE_BYTES = 4 * 1024 * 1024  # smaller ones cost long answers time: 256 KiB a third of the throughput


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it goes out: `parts` to an HTTP/1.1 client on a connection that stays open.

    The first part is, or begins with, the head. If `closes`, the connection is closed after the last
    part. `framing` is the header field that announces a chunked body, b"" if the body is not chunked.
    `recorded_ns` is how long the recorded answer took from the complete request to its end. `sizes` are
    those of the pieces of a body that is not chunked, where these were joined and parts do not tell.
    """

    parts: Sequence[Part]
    closes: bool
    framing: bytes
    recorded_ns: int = 0
    sizes: Sequence[int] = ()

    @classmethod
    def whole(cls, response: bytes) -> Self:
        """Return the answer that is a whole response with a content-length, due at once."""
        return cls(parts=((0, response),), closes=False, framing=b"")

    def closing(self) -> Sequence[Part]:
        """Return the parts for a connection that is closed after them, with a header that says so."""
        return Changed(self.parts, _with_last_field(self.parts[0], b"connection: close"))

    def for_http10(self) -> Sequence[Part]:
        """Return the parts for HTTP/1.0, which knows no chunks: its body ends with the connection.

        Another transfer coding, which it does not know either, becomes one of the content.
        """
        if not self.framing:
            return self.closing()
        offset_ns, first = self.parts[0]
        head, blank, chunks = first.partition(b"\r\n\r\n")
        head = (head + blank).replace(b"\r\n" + self.framing + b"\r\n", b"\r\n", 1)
        name, _, value = self.framing.partition(b":")
        coded = as_content_coding(transfer_codings(((name, value),)))
        last = b"\r\n".join([*coded, b"connection: close"])
        offset_ns, head = _with_last_field((offset_ns, head), last)
        return Changed(self.parts, (offset_ns, head + dechunked(chunks)), dechunked)


def prepare(exchange: Exchange, *, timing: Timing) -> Answer:
    """Return the answer of an exchange, its parts due as recorded and changed by `timing`.

    Raises `Unservable` as `script` does.
    """
    found = script(exchange, find_token=timing.needs_first_token)
    parts = found.under(timing)
    joined = timing.speed == "instant"
    return Answer(
        parts=tuple(_in_few_writes(parts)) if joined else parts,
        closes=found.closes,
        framing=found.framing,
        recorded_ns=found.took_ns(),
        sizes=_sizes(parts) if joined and not found.framing else (),
    )


def _sizes(parts: Sequence[Part]) -> Sequence[int]:
    """Return the sizes of the pieces after a head; () where there are not several."""
    sizes = [len(data) for _, data in parts[1:] if data]
    return array("Q" if max(sizes) >> 32 else "I", sizes) if len(sizes) > 1 else ()


def _in_few_writes(parts: Iterable[Part]) -> Iterator[Part]:
    """Join parts that are due together: the chunks stay, and few answers cost more than one write.

    What waits for a client that does not read is a write at most, beside what the transport holds.
    """
    joined: list[bytes] = []
    size = 0
    for _, data in parts:
        if joined and size + len(data) > _MAX_WRITE_BYTES:
            yield 0, b"".join(joined)
            joined, size = [], 0
        joined.append(data)
        size += len(data)
    yield 0, b"".join(joined)


def _with_last_field(head: Part, field: bytes) -> Part:
    """Add a field to a head. What is no head (an answer that never began) stays as it is."""
    offset_ns, data = head
    fields, blank, body = data.partition(b"\r\n\r\n")
    return (offset_ns, b"\r\n".join([fields, field]) + blank + body) if blank else head
