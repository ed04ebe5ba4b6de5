"""What the page says in sentences, from counts and from the summary; nothing is computed here."""

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokentape.analysis.report._text import counts, duration, shown
from tokentape.cassette import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokentape.analysis._recording import Recording

_MOST_NAMES = 3


def name_of(recording: "Recording") -> str:
    """Return the files as a name: one of them, two, or how many."""
    paths = [shown(path) for path in recording.exchanges["cassette"].cat.categories]
    files = [re.split(r"[/\\]", path)[-1] or path for path in paths]
    if len(set(files)) < len(files):
        files = paths
    if len(files) > 2:
        return f"{files[0]} and {len(files) - 1} more cassettes"
    return " and ".join(files) or "an empty recording"


def headline(recording: "Recording") -> str:
    """Return how many streams there are, when half and nine in ten of them began, and how many failed."""
    streams = recording.streams
    if not len(streams):
        return "There is no request in this recording."
    ttft: Any = recording.summary().loc["ttft_ms"]
    said = [f"{counted(len(streams), 'stream', grouped=True)}{_models(streams)}."]
    if not ttft["n"]:
        said.append(f"None has a time to first token ({ttft['why']}).")
    elif ttft["n"] == 1:
        said.append(f"The first token came after {duration(ttft['p50'])}.")
    else:
        half = "Half" if ttft["n"] == len(streams) else f"Of the {ttft['n']:,} that sent any text, half"
        nine = f", nine in ten within {duration(ttft['p90'])}" if ttft["n"] >= 10 else ""
        said.append(f"{half} had their first token within {duration(ttft['p50'])}{nine}.")
    failed = [(name, count) for name, count in counts(streams["outcome"]) if name != "complete"]
    if failed:
        names = ", ".join(f"{count:,} {name}" for name, count in failed)
        count = sum(each for _, each in failed)
        said.append(f"{count:,} {'is' if count == 1 else 'are'} not complete: {names}.")
    else:
        said.append("All are complete." if len(streams) > 1 else "It is complete.")
    return " ".join(said)


def _models(streams: pd.DataFrame) -> str:
    models = [name for name, _ in counts(streams["model"])]
    if not models:
        return ""
    if len(models) > _MOST_NAMES:
        return f" of {len(models)} models"
    names = [shown(name, 60) for name in models]
    return f" of {', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else f" of {names[0]}"


def recorded(recording: "Recording") -> str:
    """Return from when to when, in UTC."""
    began = recording.streams["started_at"].dropna()
    if not len(began):
        return "When it was recorded is not known." if len(recording.streams) else ""
    table = recording.streams.loc[began.index]
    last_ms = table["end_ms"].fillna(table["last_token_ms"]).fillna(0)
    end = (began + pd.to_timedelta(last_ms, unit="ms")).max()
    start = began.min()
    day = "" if start.date() == end.date() else f"{end:%Y-%m-%d} "
    lasted = duration((end - start).total_seconds() * 1000)
    return f"{start:%Y-%m-%d %H:%M:%S} to {day}{end:%H:%M:%S} UTC ({lasted})"


def tokens_from(recordings: "Sequence[Recording]") -> str:
    """Return how output tokens are known, with counts."""
    every = counts(pd.concat([each.streams["tokens_from"].astype("object") for each in recordings]))
    return ", ".join(f"{count:,} {name}" for name, count in every) or "none"
