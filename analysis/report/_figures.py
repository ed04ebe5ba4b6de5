"""The plots of a view, and the timelines of single streams, as the JSON that plotly.js draws.

All are `tokentape.analysis.plots`'; what a page adds is said in words around them.
"""

import json
from dataclasses import dataclass, replace
from html import unescape
from typing import TYPE_CHECKING, Any, Final

from tokentape.analysis import plots
from tokentape.analysis.comparing._comparison import compare
from tokentape.analysis.report._alike import alike, bars_alike, marks_alike
from tokentape.analysis.report._sparkline import STALL_MS
from tokentape.analysis.summarising._grouping import with_grouping

if TYPE_CHECKING:
    from tokentape.analysis._recording import Recording
    from tokentape.analysis.comparing._comparison import Comparison


@dataclass(frozen=True, slots=True)
class Plot:
    """The place of a plot on the page: its name there, its heading, and how it is to be read."""

    name: str
    heading: str
    caption: str
    opens: bool = False
    """Whether what is drawn in it are single streams, whose timelines a click opens."""


OF_ONE = (
    Plot("ttft", "Time to first token", "The share of streams whose first token had come by then."),
    Plot("gaps", "Gaps between tokens", "All gaps of all streams, on a logarithmic scale."),
    Plot(
        "over-time",
        "Time to first token over the recording",
        "Percentiles of the streams that began in each interval.",
    ),
    Plot("stalls", "Stalls", "Gaps above 200 ms: which stream, and where in it.", opens=True),
    Plot(
        "waterfall", "Requests under way", "A bar for each request, and how many were in flight.", opens=True
    ),
)
_SIDES = ("A", "B")
OF_TWO = (
    Plot("ttft", "Time to first token, A and B", "The share of streams whose first token had come by then."),
    Plot("itl", "Inter-token latency, A and B", "The share of streams whose mean time per token was below."),
    Plot(
        "e2e",
        "Time to last token, A and B",
        "The share of complete streams that had all their tokens by then.",
    ),
    *(
        replace(plot, name=f"{plot.name}-{side.lower()}", heading=f"{plot.heading}, {side}")
        for plot in OF_ONE
        if plot.name in ("gaps", "stalls", "over-time")
        for side in _SIDES
    ),
)
"""Where a side has a figure of its own, both are on one scale."""


_THEMES: "Final[tuple[plots.Theme, ...]]" = ("light", "dark")
_MOST_GROUPS = 5
"""Where there are more, lines can no longer be told apart, and what is chosen has plots of its own."""
_TOP = 24
_RIGHT = 28
"""Half of a label at the end of an axis."""
_COMPARED = {"ttft": "ttft_ms", "itl": "itl_ms", "e2e": "e2e_ms"}


def plots_of(recording: "Recording", by: str) -> dict[str, Any]:
    """Return the plots of a recording by the names of their places, grouped where `by` has a few values."""
    grouped = 1 < with_grouping(recording.streams, by)[by].nunique() <= _MOST_GROUPS
    made = {
        "ttft": plots.ttft_distribution(recording, by=by if grouped else None),
        "gaps": plots.gap_distribution(recording, by=by if grouped else None),
        "over-time": plots.percentiles_over_time(recording, "ttft_ms"),
        "stalls": plots.stall_map(recording, STALL_MS),
        "waterfall": plots.waterfall(recording),
    }
    return {name: plain(figure) for name, figure in made.items()}


def plots_of_two(a: "Recording", b: "Recording", comparison: "Comparison | None") -> dict[str, Any]:
    """Return the plots of two recordings by the names of their places.

    `comparison` is that of the two, where it is known. If not, it is made without gaps, which are not drawn.
    """
    comparison = comparison or compare(_without_gaps(a), _without_gaps(b))
    made = {
        name: plots.a_against_b(a, b, metric=metric, comparison=comparison)
        for name, metric in _COMPARED.items()
    }
    gaps = [plots.gap_distribution(each) for each in (a, b)]
    alike(*gaps, "xaxis")
    bars_alike(*gaps)
    over_time = [plots.percentiles_over_time(each, "ttft_ms") for each in (a, b)]
    alike(*over_time, "yaxis")
    stalls = [plots.stall_map(each, STALL_MS) for each in (a, b)]
    alike(*stalls, "xaxis")
    marks_alike(*stalls)
    for name, pair in (("gaps", gaps), ("over-time", over_time), ("stalls", stalls)):
        made |= {f"{name}-{side.lower()}": each for side, each in zip(_SIDES, pair, strict=True)}
    return {name: plain(figure) for name, figure in made.items()}


def _without_gaps(recording: "Recording") -> "Recording":
    return replace(recording, events=recording.events.iloc[:0])


def timeline(recording: "Recording", stream: tuple[str, int, int, int]) -> dict[str, Any]:
    """Return the timeline of one stream."""
    return plain(plots.stream_timeline(recording, stream, over_ms=STALL_MS))


def templates() -> dict[str, Any]:
    """Return the templates of both themes, which the figures themselves leave out."""
    return {theme: json.loads(plots.template(theme).to_json(engine="json")) for theme in _THEMES}


def plain(figure: Any) -> dict[str, Any]:
    """Return a figure without its template, and with its notes beside it instead of in it, as `note`."""
    found: dict[str, Any] = json.loads(figure.to_json(engine="json"))
    layout = found["layout"]
    layout.pop("template", None)
    title = layout.pop("title", {})
    margin = layout.setdefault("margin", {})
    top = max(_TOP, layout.pop("meta", {}).get("above", 0) + 8)
    if "t" in margin and "height" in layout:  # the room that the title had
        layout["height"] -= max(0, margin["t"] - top)
        margin["t"] = min(top, margin["t"])
    margin["r"] = max(_RIGHT, margin.get("r", 0))
    for name in layout:
        if name.startswith("xaxis"):  # where all labels are hidden, plotly.js places the title at infinity
            layout[name]["ticklabeloverflow"] = "allow"
    _match_downwards(layout)
    said = title.get("subtitle", {}).get("text", "")
    return found | {"note": unescape(said.replace("<br>", " "))}


def _match_downwards(layout: dict[str, Any]) -> None:
    """Have lower x axes follow the first one, and none that is of another type.

    plotly.js warns on the console of axes that follow one that comes later.
    """
    axes = {name: axis for name, axis in layout.items() if name.startswith("xaxis")}
    followed = {axis.pop("matches", None) for axis in axes.values()} - {None}
    if followed and len({axis.get("type") for axis in axes.values()}) == 1:
        for name in axes.keys() - {"xaxis"}:
            axes[name]["matches"] = "x"
