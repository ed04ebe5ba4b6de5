"""Whether the replays are the recording again: byte for byte, and in the numbers that the analysis finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokentape import cassette
from tokentape.cli.demo._loop import SPEEDS, Loop, exchanges

if TYPE_CHECKING:
    from tokentape.analysis import Recording

TRANSIT_MS = 25.0
"""What may come on top of the pacer's lateness to one moment: the way through sockets and a proxy to the
second recorder and, on a busy machine, its waiting for a processor."""
TYPICAL_TRANSIT_MS = 0.5
"""The same for a median, which does not see the odd moment at which the machine was busy."""
TIMES = ("ttft_ms", "gap_p50_ms", "gap_p99_ms", "itl_ms", "e2e_ms")
EQUAL = ("outcome", "finish_reason", "output_tokens", "token_events", "text_chars", "reads", "bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of the recording beside those of the replays, each as found and each as expected.

    The lists have an item for each of SPEEDS. `allowed` is how far found and expected may be apart; what
    is not a time must be equal.
    """

    name: str
    recorded: Any
    replayed: list[Any]
    expected: list[Any]
    allowed: list[float] | None = None

    @property
    def agrees(self) -> list[bool]:
        """Whether each replay agrees with the recording."""
        if self.allowed is None:
            return [found == expected for found, expected in zip(self.replayed, self.expected, strict=True)]
        return [
            abs(found - expected) <= allowed
            for found, expected, allowed in zip(self.replayed, self.expected, self.allowed, strict=True)
        ]


def compare(loop: Loop, recorded: "Recording", replayed: "Recording") -> list[Row]:
    """Return the rows of the comparison: bytes and pieces first, then what must be equal, then times."""
    (original,) = exchanges(loop.recorded)
    again = exchanges(loop.replayed)
    first = recorded.streams.iloc[0]
    streams = [replayed.streams.iloc[position] for position in range(len(SPEEDS))]

    def identical(name: str, of: Callable[[cassette.Exchange], object]) -> Row:
        found = ["identical" if of(each) == of(original) else "different" for each in again]
        return Row(name=name, recorded="", replayed=found, expected=["identical"] * len(SPEEDS))

    def equal(name: str) -> Row:
        found = [stream[name] for stream in streams]
        return Row(name=name, recorded=first[name], replayed=found, expected=[first[name]] * len(SPEEDS))

    def scaled(name: str) -> Row:
        return Row(
            name=name,
            recorded=first[name],
            replayed=[stream[name] for stream in streams],
            expected=[first[name] / speed for speed in SPEEDS],
            allowed=[_allowed(name, late, tokens=first["output_tokens"]) for late in loop.lateness_ms],
        )

    return [
        identical("every byte", lambda exchange: exchange.body),
        identical("every piece", lambda exchange: [chunk.data for chunk in exchange.chunks]),
        *map(equal, EQUAL),
        *map(scaled, TIMES),
    ]


def only_late(rows: list[Row]) -> bool:
    """Whether nothing but times differs, which a machine that was busy for a moment explains."""
    wrong = [row for row in rows if not all(row.agrees)]
    return bool(wrong) and all(row.allowed is not None for row in wrong)


def _allowed(name: str, late: dict[str, float], *, tokens: int) -> float:
    """Return how far a time of the replay may be from the recording's, by how late its pieces were."""
    moment = late["max"] + TRANSIT_MS
    match name:
        case "gap_p50_ms":
            return late["p99"] + TYPICAL_TRANSIT_MS
        case "itl_ms":
            return 2 * moment / (tokens - 1)  # the first and the last token may be off, those between not
        case _:
            return moment
