"""What a fault does to an answer: a value for each kind, spelled as on the command line.

`@event=5`, `@piece=5` and `@byte=5` count from 1: so many have gone out whole before the fault sets in, and
0 is right after the head. `@time=1.5s` is so long after the complete request. Where a kind is about an event
itself (`garble`, `dup`), the number names it. Invariant: an effect that exists makes sense by itself.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias, get_args

Unit: TypeAlias = Literal["event", "piece", "byte", "time"]

UNITS: tuple[Unit, ...] = get_args(Unit)
MAX_SPAN_NS = 3_600 * 10**9
MAX_COUNT = 10**12


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an answer: after `count` of what `unit` names, which are ns for a time."""

    unit: Unit
    count: int

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"expected a place of {', '.join(UNITS)}, found {self.unit!r}")
        _check("a place", self.count, 0, MAX_COUNT if self.unit != "time" else MAX_SPAN_NS)

    def __str__(self) -> str:
        return f"@{self.unit}={_span(self.count) if self.unit == 'time' else self.count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """An error answer instead of the recorded one, when the recorded head would come."""

    status: int
    retry_after_s: int | None = None

    def __post_init__(self) -> None:
        _check("a status", self.status, 400, 599)
        if self.retry_after_s is not None:
            _check("whole seconds of retry-after", self.retry_after_s, 0, MAX_SPAN_NS // 10**9)

    def __str__(self) -> str:
        after = "" if self.retry_after_s is None else f",retry-after={self.retry_after_s}"
        return f"status={self.status}{after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate:
    """The connection is closed at a place, and the rest never comes."""

    at: Place

    def __str__(self) -> str:
        return f"truncate{self.at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The connection is reset (TCP RST) at a place, and the rest never comes."""

    at: Place

    def __str__(self) -> str:
        return f"reset{self.at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Nothing comes for a while at a place; the rest comes so much later."""

    span_ns: int
    at: Place

    def __post_init__(self) -> None:
        _check_span(self.span_ns)

    def __str__(self) -> str:
        return f"stall={_span(self.span_ns)}{self.at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepaliveStall:
    """Nothing but comments comes for a while, after so many events."""

    span_ns: int
    event: int

    def __post_init__(self) -> None:
        _check_span(self.span_ns)
        _check("a number of events", self.event, 0, MAX_COUNT)

    def __str__(self) -> str:
        return f"keepalive-stall={_span(self.span_ns)}@event={self.event}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Garble:
    """The event of this number is no JSON any more, nor an end mark: its second half is overwritten."""

    event: int

    def __post_init__(self) -> None:
        _check("the number of an event", self.event, 1, MAX_COUNT)

    def __str__(self) -> str:
        return f"garble@event={self.event}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropDone:
    """The event that says that all has come, such as [DONE], does not come."""

    def __str__(self) -> str:
        return "drop-done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dup:
    """The event of this number comes twice."""

    event: int

    def __post_init__(self) -> None:
        _check("the number of an event", self.event, 1, MAX_COUNT)

    def __str__(self) -> str:
        return f"dup@event={self.event}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Every piece comes in pieces of at most so many bytes, each a write of its own."""

    max_bytes: int

    def __post_init__(self) -> None:
        _check("a number of bytes", self.max_bytes, 1, MAX_COUNT)

    def __str__(self) -> str:
        return f"split={self.max_bytes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Pieces wait until there are so many bytes of them, as in a buffer."""

    bytes: int

    def __post_init__(self) -> None:
        _check("a number of bytes", self.bytes, 1, MAX_COUNT)

    def __str__(self) -> str:
        return f"merge={self.bytes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowStart:
    """All of the answer, its head included, comes so much later."""

    span_ns: int

    def __post_init__(self) -> None:
        _check_span(self.span_ns)

    def __str__(self) -> str:
        return f"slow-start={_span(self.span_ns)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEvent:
    """After so many events comes one that tells of an error, and then the proper end of the answer."""

    event: int

    def __post_init__(self) -> None:
        _check("a number of events", self.event, 0, MAX_COUNT)

    def __str__(self) -> str:
        return f"error-event@event={self.event}"


Effect: TypeAlias = (
    Status
    | Truncate
    | Reset
    | Stall
    | KeepaliveStall
    | Garble
    | DropDone
    | Dup
    | Split
    | Merge
    | SlowStart
    | ErrorEvent
)


def _check(what: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"expected {what} from {least} to {most}, found {value!r}")


def _check_span(span_ns: int) -> None:
    if not isinstance(span_ns, int) or not 0 < span_ns <= MAX_SPAN_NS:
        raise ValueError(f"expected a time above 0 and up to 1h, found {_found(span_ns)}")


def _found(span_ns: object) -> str:
    return _span(span_ns) if isinstance(span_ns, int) else repr(span_ns)


def _span(ns: int) -> str:
    """Spell a span of time exactly, in the unit that suits it, as `parse_span` reads it."""
    for unit, power in (("s", 9), ("ms", 6), ("us", 3)):
        if abs(ns) >= 10**power:
            return f"{Decimal(ns).scaleb(-power).normalize():f}{unit}"
    return f"{ns}ns"
