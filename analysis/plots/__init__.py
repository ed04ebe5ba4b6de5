"""Plots of recordings: functions that take a `Recording` and return the plotting library's own figure.

    from tokentape.analysis import load, plots

    plots.ttft_distribution(load("session.tape"), by="model").show()

Each number that is drawn is a number of the tables, and each figure says over how many and what it left out.
Model names, paths and text of strangers are shown as they are and never as markup.
"""

try:
    import plotly  # noqa: F401  (before all else, so that what is missing is said here)
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"tokentape.analysis.plots needs the package {error.name!r}, which is not installed; "
        "add it with: pip install 'tokentape[analysis]'",
        name=error.name,
    ) from error

from tokentape.analysis.plots._a_against_b import a_against_b
from tokentape.analysis.plots._gap_distribution import gap_distribution
from tokentape.analysis.plots._percentiles_over_time import percentiles_over_time
from tokentape.analysis.plots._stall_map import stall_map
from tokentape.analysis.plots._stream_timeline import stream_timeline
from tokentape.analysis.plots._theme import THEMES, Theme, template, themed
from tokentape.analysis.plots._ttft_distribution import ttft_distribution
from tokentape.analysis.plots._waterfall import waterfall

__all__ = [
    "THEMES",
    "Theme",
    "a_against_b",
    "gap_distribution",
    "percentiles_over_time",
    "stall_map",
    "stream_timeline",
    "template",
    "themed",
    "ttft_distribution",
    "waterfall",
]
