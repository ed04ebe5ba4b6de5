"""Whether the replays are the recording again: byte for byte, and in the numbers that the analysis finds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokentape.cli.demo._loop import SPEEDS, Loop, exchanges

if TYPE_CHECKING:
    from tokentape.analysis import Recording

TRANSIT_MS = 25.0
"""What may come on top of the pacer's lateness: the way through sockets and a proxy to the second
recorder and, on a busy machine, its waiting for a processor."""
TIMES = ("ttft_ms", "gap_p50_ms", "gap_p99_ms", "itl_ms", "e2e_ms")
EQUAL = ("outcome", "finish_reason", "output_tokens", "token_events", "text_chars", "bytes", "reads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of the recording beside those of the replays, each as found and each as expected.

    `allowed` is how far found and expected may be apart, for each of SPEEDS.
    """

    name: str
    recorded: Any
    replayed: list[Any]
    expected: list[Any]
    allowed: list[float]

    @property
    def agrees(self) -> list[bool]:
        """Whether each replay agrees with the recording."""
        return [
            found == expected if not allowed else abs(found - expected) <= allowed
            for found, expected, allowed in zip(self.replayed, self.expected, self.allowed, strict=True)
        ]


def compare(loop: Loop, recorded: "Recording", replayed: "Recording") -> list[Row]:
    """Return the rows of the comparison: bytes and pieces first, then what must be equal, then times."""
    (original,) = exchanges(loop.recorded)
    again = exchanges(loop.replayed)
    none = [0.0 for _ in SPEEDS]
    rows = [
        Row(
            name=name,
            recorded="" if name != "pieces" else len(original.chunks),
            replayed=["identical" if same(each) else "different" for each in again],
            expected=["identical" for _ in SPEEDS],
            allowed=none,
        )
        for name, same in (
            ("bytes", lambda each: each.body == original.body),
            ("pieces", lambda each: [c.data for c in each.chunks] == [c.data for c in original.chunks]),
        )
    ]
    first = recorded.streams.iloc[0]
    streams = [replayed.streams.iloc[position] for position in range(len(SPEEDS))]
    for name in EQUAL:
        values = [stream[name] for stream in streams]
        rows.append(
            Row(
                name=name,
                recorded=first[name],
                replayed=values,
                expected=[first[name]] * len(SPEEDS),
                allowed=none,
            )
        )
    for name in TIMES:
        rows.append(
            Row(
                name=name,
                recorded=first[name],
                replayed=[stream[name] for stream in streams],
                expected=[first[name] / speed for speed in SPEEDS],
                allowed=[late["max"] + TRANSIT_MS for late in loop.lateness_ms],
            )
        )
    return rows
