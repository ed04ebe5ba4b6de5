"""What a replay ends with: what it served, as a table for people or as JSON."""

from collections.abc import Iterator

from tokentape.cassette import counted
from tokentape.cli._fault_options import fault_lines
from tokentape.cli._json_text import json_text
from tokentape.cli._safe_text import safe_text
from tokentape.replay import LatenessSummary, Stats


def served_json(stats: Stats) -> str:
    """Return one JSON object, as `Stats.as_json` has it."""
    return json_text(stats.as_json())


def served_table(stats: Stats) -> str:
    """Return what was served, what never was, what was missed, and how late pieces were."""
    rows = [("times", "status", "request", "recorded as")]
    rows += [
        (
            str(item.times) if item.times else "live" if item.added else "never",
            str(item.status) if item.status is not None else "failed",
            safe_text(f"{item.method} {item.path}"),
            safe_text(item.source) + ("" if item.timed else " (not timed)"),
        )
        for item in stats.served
    ]
    rows += [
        (str(item.times), str(item.status), safe_text(f"{item.method} {item.path}"), "not recorded")
        for item in stats.missed
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{times:>{widths[0]}}  {status:<{widths[1]}}  {request:<{widths[2]}}  {source}"
        for times, status, request, source in rows
    ]
    never = len(stats.never_played)
    counts = f"served {stats.hits}, missed {stats.misses}; {never} of {len(stats.served)} never played"
    if stats.live:
        live = stats.live
        counts += f"; asked live {counted(live.forwarded, 'time')}, {live.recorded} recorded"
        counts += f", {live.failed} not answered" if live.failed else ""
    if stats.models_listed:
        counts += f"; models listed {counted(stats.models_listed, 'time')}"
    if stats.cut_off:
        counts += f"; {stats.cut_off} cut off by the stop"
    if stats.unread:
        counts += f"; {stats.unread} cut off because the client did not read"
    if stats.incomplete:
        counts += f"; {counted(stats.incomplete, 'request')} never completed"
    return "\n".join([*lines, "", counts, *fault_lines(stats), _lateness(stats)])


def shortcomings(stats: Stats, *, strict_ns: int | None, fail_unplayed: bool) -> Iterator[str]:
    """Yield a line for everything for which a replay is not what was asked for."""
    if strict_ns is not None and (stats.lateness.p99_ns or 0) > strict_ns:
        yield _lateness_above(stats.lateness, strict_ns)
    if fail_unplayed and stats.never_played:
        yield _unplayed(stats)
    if stats.live and stats.live.recorder_failure is not None:
        yield f"not all that was asked live is recorded: {safe_text(stats.live.recorder_failure)}"
    if stats.lost_workers:
        yield f"{counted(stats.lost_workers, 'worker')} ended early: what they did is not all counted"


def _unplayed(stats: Stats) -> str:
    """Return a line that names the first few exchanges that nobody asked for."""
    never = [safe_text(item.source) for item in stats.never_played]
    more = f" and {len(never) - 3} more" if len(never) > 3 else ""
    return f"never played: {'; '.join(never[:3])}{more}"


def _lateness_above(lateness: LatenessSummary, limit_ns: int) -> str:
    """Return a line for lateness that is more than was asked for."""
    found = (lateness.p99_ns or 0) / 1e6
    return (
        f"expected a lateness p99 of at most {limit_ns / 1e6:g} ms, found {found:.3f} ms: "
        "the machine was busy with something else"
    )


def _lateness(stats: Stats) -> str:
    lateness = stats.lateness
    found = [f"{name} {ms:.3f} ms" for name, ms in lateness.milliseconds.items() if ms is not None]
    held = f"{counted(lateness.held, 'piece')} waited for clients that did not read"
    if not found:
        return held if lateness.held else "no pieces were sent"
    line = f"lateness of {counted(lateness.pieces, 'piece')}: {', '.join(found)}"
    if lateness.held:
        line += f"; {held}"
    return line if stats.speed is None else f"{line}; speed achieved: {stats.speed:.4g}x"
