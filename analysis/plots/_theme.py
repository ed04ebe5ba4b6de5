"""How figures look: one palette for marks, and a template a theme for everything else.

The invariant: marks have the same colours in every theme, and whatever differs is in the template, so that
a page changes the theme of a figure by changing its template. Backgrounds are transparent.

Marks are Okabe and Ito's colours (Color Universal Design, 2008), which people of every colour vision tell
apart, with a contrast of 3:1 at least against white and against near-black (WCAG 2.2, 1.4.11): blue is
lighter than theirs, orange and purple darker, and black is grey.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import plotly.graph_objects as go

Theme: TypeAlias = Literal["any", "light", "dark"]
THEMES: Final[tuple[Theme, ...]] = get_args(Theme)
"""`any` has text that can be read on either ground, for where it is not known, as in a notebook."""

BLUE: Final = "#1A7FC4"
VERMILLION: Final = "#D55E00"
GREEN: Final = "#009E73"
PURPLE: Final = "#C46A9C"
ORANGE: Final = "#B8860B"
GREY: Final = "#808080"
FAINT: Final = "rgba(128, 128, 128, 0.35)"
"""For what is behind: the extent of something, not a value."""
SERIES: Final = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, GREY)
DASHES: Final = ("solid", "dash", "dot")
"""Series beyond the colours repeat them with another dash."""
OUTCOME_COLOURS: Final = {
    "complete": BLUE,
    "error-in-stream": VERMILLION,
    "upstream-error": VERMILLION,
    "http-error": VERMILLION,
    "truncated": ORANGE,
    "client-closed": PURPLE,
    "recorder-stopped": GREY,
    "damaged": GREY,
}
OUTCOME_PATTERNS: Final = {"upstream-error": "/", "http-error": "x", "damaged": "x"}
"""Outcomes of one colour are told apart by a pattern."""
CARRIED_COLOURS: Final = {
    "reasoning": PURPLE,
    "content": BLUE,
    "tool_call": GREEN,
    "refusal": VERMILLION,
    "audio": ORANGE,
}

_CLEAR: Final = "rgba(0, 0, 0, 0)"
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What has to differ between grounds."""

    text: str
    muted: str
    grid: str
    line: str
    hover: str
    hover_text: str


_GROUNDS: Final[dict[Theme, _Ground]] = {
    "any": _Ground(
        text="#767676", muted="#767676", grid="rgba(128, 128, 128, 0.2)", line="#808080",
        hover="#2b2f36", hover_text="#f2f4f8",
    ),
    "light": _Ground(
        text="#1f2430", muted="#596070", grid="#e4e7ec", line="#9aa1ad", hover="#1f2430", hover_text="#ffffff"
    ),
    "dark": _Ground(
        text="#e8eaf0", muted="#a9b0bd", grid="#2e343f", line="#6c7482", hover="#f2f4f8", hover_text="#1f2430"
    ),
}  # fmt: skip


def rgba(colour: str, opacity: float) -> str:
    """Return a colour of the palette, so much of it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def template(theme: Theme) -> Any:
    """Return the template of a theme, a `plotly.graph_objects.layout.Template`."""
    if theme not in _GROUNDS:
        raise ValueError(f"expected a theme ({', '.join(THEMES)}), found {theme!r}")
    ground = _GROUNDS[theme]
    axis = {
        "automargin": True,
        "gridcolor": ground.grid,
        "linecolor": ground.line,
        "showline": True,
        "tickcolor": ground.line,
        "tickfont": {"color": ground.muted, "size": 11},
        "ticks": "outside",
        "ticklen": 4,
        "ticklabeloverflow": "allow",
        "title": {"font": {"color": ground.muted, "size": 12}, "standoff": 8},
        "zeroline": False,
        "zerolinecolor": ground.line,
    }
    return go.layout.Template(
        layout={
            "font": {"family": _FONT, "size": 12, "color": ground.text},
            "paper_bgcolor": _CLEAR,
            "plot_bgcolor": _CLEAR,
            "colorway": list(SERIES),
            "title": {
                "x": 0, "xanchor": "left", "xref": "container", "yref": "container", "y": 1, "yanchor": "top",
                "pad": {"l": 12, "t": 14}, "font": {"size": 15, "weight": 600},
                "subtitle": {"font": {"size": 12, "color": ground.muted, "weight": 400}},
            },
            "hoverlabel": {
                "align": "left", "bgcolor": ground.hover, "bordercolor": ground.hover,
                "font": {"color": ground.hover_text, "size": 12}, "namelength": -1,
            },
            "legend": {
                "bgcolor": _CLEAR, "orientation": "h", "x": 0.01, "xanchor": "left", "xref": "container",
                "y": 0, "yanchor": "bottom", "yref": "container", "font": {"size": 12},
                "itemsizing": "constant",
            },
            "modebar": {
                "bgcolor": _CLEAR, "color": ground.muted, "activecolor": ground.text,
                "remove": ["lasso2d", "select2d", "autoscale"],
            },
            "hovermode": "closest",
            "xaxis": axis,
            "yaxis": axis,
            "annotationdefaults": {"showarrow": False, "font": {"size": 11}},
            "shapedefaults": {"line": {"color": ground.line, "width": 1}},
        }
    )  # fmt: skip


def themed(figure: Any, theme: Theme) -> Any:
    """Return the figure itself, in another theme."""
    return figure.update_layout(template=template(theme))
