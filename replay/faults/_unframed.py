"""A prepared answer without the framing of HTTP, so that it can be changed, and back again.

What a fault changes is the head, the pieces of the body, when each is due, and how the answer ends; how
that is framed follows from them. Invariant: framed again as it was, it is the same bytes at the same times.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise
from typing import Self

from tokentape.cassette import Headers
from tokentape.replay._http1 import contents
from tokentape.replay._reply import Ending
from tokentape.replay._wire import Answer
from tokentape.replay.timing._pacer import Part

_CHUNKED = b"transfer-encoding: chunked"
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unframed:
    """An answer laid open. Offsets are ns from the complete request and never decrease.

    `head` is b"" for an answer that never begins. `end` is when the answer ends, with the last chunk and its
    trailers where the body is `framing`, chunked. `ending` is "open" for an answer that comes to its end.
    `apart`: every piece is a write of its own, also where nothing is waited for.
    """

    head: Part
    pieces: tuple[Part, ...]
    end: Part
    framing: bytes
    ending: Ending = "open"
    apart: bool = False

    @property
    def body(self) -> bytes:
        """The body, as far as it comes, still content-encoded."""
        return b"".join(data for _, data in self.pieces)

    @property
    def has_body(self) -> bool:
        """Whether there is a body: not for HEAD, 204, 304, and failures before the head."""
        return bool(self.pieces or self.framing)

    @property
    def status(self) -> tuple[int, bytes] | None:
        """The status and its reason; None for an answer that never begins."""
        if not self.head[1]:
            return None
        _, status, reason = self.head[1].partition(b"\r\n")[0].split(b" ", 2)
        return int(status), reason

    @property
    def headers(self) -> Headers:
        """The fields of the head."""
        fields = (line.partition(b":") for line in self.head[1].split(b"\r\n")[1:] if line)
        return tuple((name, value.strip()) for name, _, value in fields)

    def chunked(self) -> Self:
        """Return it without a content-length, for a body that has not the recorded length any more."""
        if self.framing:
            return self
        head = _without_field(self.head[1], b"content-length")
        head = head.removesuffix(b"\r\n") + _CHUNKED + b"\r\n\r\n"
        return replace(self, head=(self.head[0], head), framing=_CHUNKED, end=(self.end[0], LAST_CHUNK))

    def decoded(self, pieces: tuple[Part, ...]) -> Self:
        """Return it with decoded pieces and without a content-encoding."""
        found = self.chunked()
        head = _without_field(found.head[1], b"content-encoding")
        return replace(found, head=(found.head[0], head), pieces=pieces)

    def framed(self, *, at_once: bool) -> Answer:
        """Return the answer to send. `at_once`: what is due together is one write, unless it is `apart`."""
        parts = tuple(self._parts())
        if at_once and not self.apart:
            parts = tuple(
                (offset_ns, b"".join(data for _, data in same))
                for offset_ns, same in groupby(parts, key=lambda part: part[0])
            )
        return Answer(parts=parts, closes=self.ending != "open", framing=self.framing)

    def _parts(self) -> Iterator[Part]:
        if not self.head[1]:
            yield self.end[0], b""
            return
        yield self.head
        for offset_ns, data in self.pieces:
            yield offset_ns, b"%x\r\n%b\r\n" % (len(data), data) if self.framing else data
        if self.ending != "open":
            yield self.end[0], b""
        elif self.framing:
            yield self.end


def unframed(answer: Answer) -> Unframed:
    """Return a prepared answer laid open."""
    offset_ns, first = answer.parts[0]
    head, blank, begun = first.partition(b"\r\n\r\n")
    rest = [(offset_ns, begun), *answer.parts[1:]] if blank else answer.parts
    end = rest[-1][0], b""
    pieces: list[Part] = []
    for due_ns, data in rest:
        if not answer.framing:
            pieces += [(due_ns, data)] if data else []
            continue
        chunks, last = contents(data)
        pieces += [(due_ns, chunk) for chunk in chunks]
        end = (due_ns, last) if last else end
    if answer.sizes:
        body = b"".join(data for _, data in pieces)
        cuts = accumulate(answer.sizes, initial=0)
        pieces = [(offset_ns, body[start:stop]) for start, stop in pairwise(cuts)]
    return Unframed(
        head=(offset_ns, head + blank),
        pieces=tuple(pieces),
        end=end,
        framing=answer.framing,
        ending="close" if answer.closes else "open",
    )


def _without_field(head: bytes, name: bytes) -> bytes:
    lines = head.split(b"\r\n")
    return b"\r\n".join(line for line in lines if line.partition(b":")[0].lower() != name)
