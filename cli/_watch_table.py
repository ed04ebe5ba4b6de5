"""The picture of a recording under way, for a terminal. It computes nothing."""

from msgspec.structs import replace
from rich.console import Console, Group, RenderableType
from rich.text import Text

from tokentape.cassette import Follower, counted
from tokentape.cli._prose import Prose
from tokentape.cli._safe_text import safe_text
from tokentape.cli._shown_table import ShownTable
from tokentape.cli._watched import Line, Picture

_MUCH = 1_000_000  # bytes that are still to be read
_COLUMNS = ("TTFT ms", "last gap ms", "tokens", "events", "kB", "state")


def watch_table(picture: Picture, follower: Follower, *, without: int = 0) -> RenderableType:
    """Return what is in flight, what ended lately, and the totals in a line.

    `without`: so many more are in flight than `picture` has.
    """
    if follower.size is None:
        return Prose(f"waiting for {safe_text(follower.path)}: it is not there yet")
    return Group(
        *([_table("in flight", picture.in_flight)] * bool(picture.in_flight)),
        *([_table("ended", picture.ended)] * bool(picture.ended)),
        Prose(_totals(picture, follower, follower.size, without)),
    )


def at_a_glance(picture: Picture, follower: Follower, console: Console) -> RenderableType:
    """Return the same for a terminal that shows no more than its height.

    The oldest that ended make room, and then the latest that are in flight, which the totals count.
    """
    in_flight = len(picture.in_flight)
    if in_flight > console.height:  # more than there are lines
        picture = replace(picture, in_flight=picture.in_flight[: console.height], ended=[])
    table = watch_table(picture, follower, without=in_flight - len(picture.in_flight))
    while (picture.ended or picture.in_flight) and len(console.render_lines(table)) > console.height:
        if picture.ended:
            picture = replace(picture, ended=picture.ended[1:])
        else:
            picture = replace(picture, in_flight=picture.in_flight[:-1])
        table = watch_table(picture, follower, without=in_flight - len(picture.in_flight))
    return table


def _table(title: str, lines: list[Line]) -> ShownTable:
    table = ShownTable([[title, "model", "host"]], _COLUMNS, words=["state"])
    for line in lines:
        number = f"{line.section}.{line.exchange}" if line.section else f"#{line.exchange}"
        host = safe_text(f"{line.host}{line.path}" if line.model is None else line.host)
        table.add(
            [[number, safe_text(line.model or ""), host]],
            [
                _ttft(line),
                _number(line.last_gap_ms),
                f"{line.tokens:,}",
                f"{line.events:,}",
                f"{line.bytes / 1000:,.1f}",
                Text(_state(line), style="red" if line.failed else ""),
            ],
        )
    return table


def _ttft(line: Line) -> str:
    if line.ttft_ms is None and line.waiting_ms is not None:
        return f"> {line.waiting_ms:,.0f}"
    return _number(line.ttft_ms)


def _state(line: Line) -> str:
    parts: list[str] = [line.outcome or line.state]
    if line.status is not None and line.status != 200:
        parts.append(str(line.status))
    if line.ended_ms is not None:
        parts.append(f"after {line.ended_ms / 1000:,.2f} s")
    if line.silent_ms is not None and line.silent_ms >= 1000:
        parts.append(f"silent for {line.silent_ms / 1000:,.0f} s")
    return ", ".join(parts)


def _totals(picture: Picture, follower: Follower, size: int, without: int) -> str:
    parts = [
        f"{safe_text(follower.path)}: {counted(picture.exchanges, 'exchange')}",
        f"{len(picture.in_flight) + without} in flight" + (f" ({without} not shown)" if without else ""),
        counted(picture.failures, "failure"),
        f"{size / 1e6:,.2f} MB",
    ]
    if picture.sections > 1:
        parts.append(f"section {picture.sections - 1}: the recorder was started {picture.sections} times")
    if picture.closed:
        parts.append("the recording has ended")
    if follower.damage:
        parts.append(f"{counted(len(follower.damage), 'part')} of it damaged")
    if size - follower.position > _MUCH:
        parts.append(f"read {follower.position / size:.0%} of it so far")
    return ", ".join(parts)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"
