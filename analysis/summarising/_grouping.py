"""By what streams can be grouped: columns that are names, and what is made of columns, one or several.

The invariant: a stream is in one group, and one of which the name is not known is in a group without one.
A group by one thing has a name (None if it is not known), a group by several a tuple of such.

An answer that failed names no model. It is in the group of the model that was to answer
(`models_by_request`), since failures that are counted apart from a model are failures that nobody sees.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import pandas as pd

from tokentape.analysis import _schema as schema
from tokentape.analysis.loading._where import LABEL, label_of

By: TypeAlias = str | Sequence[str]
"""One thing to group by, or several."""

COLUMN_GROUPINGS = tuple(
    name
    for name, dtype in schema.STREAMS.items()
    if name in ("section", "exchange", "choice", "status", "connection_reused", "in_flight")
    or (dtype == schema.CATEGORY and not name.endswith("_why"))
)
PROMPT_BOUNDS = (0, 1_000, 4_000, 16_000, 64_000)
"""Where each size of prompt begins, in tokens as billed."""
OUTPUT_BOUNDS = (0, 100, 400, 1_600, 6_400)
"""Where each size of output begins, in tokens."""
CONCURRENCY_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Where each range of requests in flight begins."""


def names_of(by: By | None) -> tuple[str, ...]:
    """Return the names in `by`, none for None.

    Raises ValueError, with what there is, for something by which streams cannot be grouped, and for a name
    that is there twice.
    """
    names = (by,) if isinstance(by, str) else tuple(by or ())
    for name in names:
        if name not in GROUPINGS and not name.startswith(LABEL):
            raise ValueError(
                f"expected a column to group by ({', '.join(GROUPINGS)} or label.NAME), found {name!r}"
            )
        if names.count(name) > 1:
            raise ValueError(f"expected each column to group by once, found {name!r} twice")
    return names


def with_grouping(streams: pd.DataFrame, by: By) -> pd.DataFrame:
    """Return the streams with a column for each name; ValueError if they cannot be grouped by one."""
    names = names_of(by)
    return streams.assign(**{name: _made(streams, name) for name in names if name not in _AS_THEY_ARE})


def grouped(streams: pd.DataFrame, by: By) -> Iterator[tuple[Hashable, pd.DataFrame]]:
    """Yield each group in order, with its name and with the streams as they are."""
    streams = streams.reset_index(drop=True)
    names = list(names_of(by))
    keyed = with_grouping(streams, names)
    for name, group in keyed.groupby(names, dropna=False, observed=True, sort=True):
        values: tuple[Any, ...] = name
        known = tuple(None if pd.isna(each) else each for each in values)
        yield known if len(names) > 1 else known[0], streams.loc[group.index]


def models_by_request(streams: pd.DataFrame) -> dict[str, str]:
    """Return the model that most answers name, by the model that was requested; of equal ones the first."""
    named = streams.loc[streams["model"].notna() & streams["model_requested"].notna(), _MODELS].astype("str")
    counts = named.value_counts(sort=False).rename("answers").reset_index()
    counts = counts.sort_values(["answers", "model"], ascending=[False, True], kind="stable")
    first = counts.drop_duplicates("model_requested")
    return dict(zip(first["model_requested"], first["model"], strict=True))


def group_index(found: Sequence[Hashable], by: By) -> "pd.Index[Any]":
    """Return an index of groups' names: by several things it has a level for each."""
    names = names_of(by)
    if len(names) == 1:
        return pd.Index(list(found), name=names[0], dtype="object")
    rows: Any = found
    levels = [pd.Index([row[at] for row in rows], dtype="object") for at in range(len(names))]
    return pd.MultiIndex.from_arrays(levels, names=names)


def group_words(group: Mapping[str, Any]) -> str:
    """Return a group by its columns and values in words, such as `model gpt-4o, without prompt_size`."""
    return ", ".join(
        f"without {name}" if value is None or value != value else f"{name} {value}"  # noqa: PLR0124  (NaN)
        for name, value in group.items()
    )


def _made(streams: pd.DataFrame, name: str) -> Any:
    if make := _MADE.get(name):
        return make(streams)
    label = name.removeprefix(LABEL)
    return pd.Categorical(
        [label_of(text if isinstance(text, str) else None, label) for text in streams["labels"]]
    )


def _model(streams: pd.DataFrame) -> Any:
    """Return the model of each answer or, where it names none, the one that was to answer."""
    model = streams["model"]
    if model.notna().all():
        return model
    asked = streams["model_requested"].astype("object")
    answering = models_by_request(streams)
    meant = asked.map(lambda name: answering.get(name, name), na_action="ignore")
    return model.astype("object").where(model.notna(), meant).astype("category")


def _route(streams: pd.DataFrame) -> Any:
    made = streams["host"].astype("str") + streams["path"].astype("str")
    return made.where(streams["host"].notna() & streams["path"].notna()).astype("category")


def _sized(column: str, bounds: Sequence[int]) -> Callable[[pd.DataFrame], Any]:
    names = [f"{low}-{high - 1}" if high - low > 1 else f"{low}" for low, high in pairwise(bounds)]

    def make(streams: pd.DataFrame) -> Any:
        counts = streams[column].astype("float64")
        labels = [*names, f"{bounds[-1]}+"]
        return pd.cut(counts, [*bounds, float("inf")], right=False, labels=labels)

    return make


_MODELS = ["model_requested", "model"]
_MADE: dict[str, Callable[[pd.DataFrame], Any]] = {
    "model": _model,
    "route": _route,
    "hour": lambda streams: streams["started_at"].dt.floor("h"),
    "prompt_size": _sized("prompt_tokens", PROMPT_BOUNDS),
    "output_size": _sized("output_tokens", OUTPUT_BOUNDS),
    "concurrency": _sized("in_flight", CONCURRENCY_BOUNDS),
    "cache_hit": lambda streams: streams["cached_tokens"] > 0,
}
_AS_THEY_ARE = tuple(name for name in COLUMN_GROUPINGS if name not in _MADE)
GROUPINGS = (*dict.fromkeys((*COLUMN_GROUPINGS, *_MADE)),)
"""What streams can be grouped by, beside `label.NAME`: columns of `streams`, and what is made of these."""
