"""A recording whose tables are Dask DataFrames: it reads nothing until something is computed.

The invariant: what is computed here is what pandas computes from the same cassettes, or it says its error.
A task has a part as its argument and keeps nothing, so one that is lost with its worker runs again elsewhere.

How many requests were in flight is not known of a part. Where the column `in_flight` is computed, and only
there, every part is read once more before, for the times of its requests: 20 bytes of each.
"""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.dataframe.utils import clear_known_categories
from dask.delayed import delayed

from tokentape.analysis._frame import empty
from tokentape.analysis._recording import Recording, with_in_flight
from tokentape.analysis.comparing import _comparison
from tokentape.analysis.comparing._comparison import Comparison
from tokentape.analysis.dask._cluster import said_where
from tokentape.analysis.dask._condensed import Condensed, condensed, recording_of, together
from tokentape.analysis.dask._progress import computed
from tokentape.analysis.loading._options import Options
from tokentape.analysis.loading._parquet import (
    IN_FLIGHT,
    TABLES,
    fill_in_flight,
    made_whole,
    table_file,
    write_tables,
)
from tokentape.analysis.loading._parts import Part, load_part
from tokentape.analysis.loading._paths import Path
from tokentape.analysis.summarising._grouping import By, names_of
from tokentape.analysis.summarising._in_flight import (
    Moments,
    Spans,
    in_flight,
    moments_of,
    spans_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_A_TIME = 16
"""How many results become one in a step on the way to one place."""
_OF_IN_FLIGHT = ("in_flight", "concurrency")
"""What streams are grouped by that is not known of a part."""
_PART = "_part"
"""Which part a row is of, while its table is made."""


@dataclass(slots=True, kw_only=True)
class DaskRecording:
    """The four tables of `Recording` as Dask DataFrames, a partition for each part.

    Partitions are in the order of files, sections and exchanges, and each counts its rows from 0; names are
    categories that are not known before they are computed. `definitions` as in `Recording`. `progress`:
    methods show a bar on a terminal after the first second.
    """

    exchanges: dd.DataFrame
    streams: dd.DataFrame
    events: dd.DataFrame
    reads: dd.DataFrame
    parts: tuple[Part, ...]
    options: Options
    exact_up_to: int
    progress: bool = True
    _lost: tuple[str, ...] | None = field(default=None, init=False, repr=False)

    @property
    def definitions(self) -> str | None:
        """The tool whose definitions were asked for, if any."""
        return self.options.definitions

    @property
    def lost(self) -> tuple[str, ...]:
        """A line for everything that could not be read, as the last computation found it, or computed."""
        if self._lost is None:
            self.collected(exact=False)
        return self._lost or ()

    def summary(self, by: By | None = None) -> pd.DataFrame:
        """Return what `Recording.summary` does, computed: exactly up to `exact_up_to` gaps.

        From then on the percentiles of `gap_ms` and `read_gap_ms` are approximate, and all else is exact.
        `attrs` of the table has in `percentiles` which it is, in words, and in `relative_error` by how much
        of the exact value a percentile may be off, 0 or `RELATIVE_ERROR`.
        """
        table = self.collected(by, exact=False).summary(by)
        return table if table.attrs else _said_exact(table)

    def outcomes(self, by: By | None = None) -> pd.DataFrame:
        """Return what `Recording.outcomes` does, computed."""
        return self.collected(by, exact=False).outcomes(by)

    def slo(self, by: By | None = None, **objectives: float) -> pd.DataFrame:
        """Return what `Recording.slo` does, computed and exact."""
        return self.collected(by, exact=False).slo(by, **objectives)

    def collected(self, by: By | None = None, *, exact: bool = True) -> Recording:
        """Return a pandas recording of all exchanges, all streams and all events with a gap, without text.

        It answers what any recording answers, except about single events and reads; it takes about a
        kilobyte for each stream, and 60 bytes for each gap. Unless it is to be `exact`, more than
        `exact_up_to` gaps are not collected: an `ApproximateRecording` has their percentiles, by `by`.
        """
        found: Condensed = self._computed(by, None if exact else self.exact_up_to)
        self._lost = tuple(found.lost)
        return recording_of(found, self.definitions, by)

    def to_parquet(self, folder: Path, *, overwrite: bool = False) -> tuple[str, ...]:
        """Write the tables from the workers, a file for each partition, and return what was lost.

        `folder` then has the folders `exchanges.parquet`, `streams.parquet` and so on, as `to_parquet` for
        pandas has files, and workers have to see it under this name. Raises FileExistsError as there.
        """
        write, fill = (delayed(task, pure=False) for task in (_written, _filled))
        files = [f"part-{number:06}.parquet" for number in range(len(self.parts))]
        with made_whole(folder, overwrite=overwrite) as into:
            found = computed(
                [write(part, self.options, into, file) for part, file in zip(self.parts, files, strict=True)],
                what="writing tables",
                shown=self.progress,
            )
            _check_written(into, len(self.parts))
            among = moments_of(spans for _, spans in found)
            computed(
                [
                    fill(into, file, in_flight(spans, among))
                    for file, (_, spans) in zip(files, found, strict=True)
                ],
                what="counting requests in flight",
                shown=self.progress,
            )
            _check_written(into, len(self.parts))
        self._lost = tuple(line for lost, _ in found for line in lost)
        return self._lost

    def _computed(self, by: By | None, exact_up_to: int | None) -> Condensed:
        take, join = (delayed(task, pure=False) for task in (_condensed_part, together))
        # Groups of sketches are made of parts, so these have to know what they are grouped by.
        is_by_in_flight = exact_up_to is not None and set(names_of(by)) & set(_OF_IN_FLIGHT)
        among = _moments(_spans(self.parts, self.options)) if is_by_in_flight else None
        nodes: Sequence[Any] = [take(part, self.options, among) for part in self.parts]
        while True:
            starts = range(0, len(nodes), _AT_A_TIME)
            nodes = [
                join(list(nodes[start : start + _AT_A_TIME]), by, exact_up_to, self.definitions)
                for start in starts
            ]
            if len(nodes) == 1:
                (found,) = computed([nodes[0]], what="reading cassettes", shown=self.progress)
                return found  # type: ignore[no-any-return]  # dask has no types


def recording_of_parts(
    parts: tuple[Part, ...], options: Options, exact_up_to: int, *, progress: bool = True
) -> DaskRecording:
    """Return the recording of which each partition is one of these parts."""
    with dask.config.set({"dataframe.convert-string": False}):  # text has its type already
        tables = {
            name: dd.from_map(
                _table,
                parts,
                range(len(parts)),
                table=name,
                options=options,
                meta=clear_known_categories(_with_part(empty(types), 0)),
                label=name,
            )
            for name, types in TABLES.items()
        }
        spans = _spans(parts, options)
        for at, name in enumerate(IN_FLIGHT):
            table = tables[name]
            # As a column of its own, which Dask leaves out where it is not asked for.
            counts = table[[_PART]].map_partitions(
                _counts, spans, _moments(spans), at, meta=empty(TABLES[name])["in_flight"]
            )
            tables[name] = table.assign(in_flight=counts)
        tables = {name: table[list(TABLES[name])] for name, table in tables.items()}
    return DaskRecording(**tables, parts=parts, options=options, exact_up_to=exact_up_to, progress=progress)


def compare(
    a: DaskRecording | Recording,
    b: DaskRecording | Recording,
    *,
    by: By | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Comparison:
    """Return what `compare` for pandas does: requests are resampled at one place, with all their gaps."""
    one, other = (each.collected(by) if isinstance(each, DaskRecording) else each for each in (a, b))
    return _comparison.compare(one, other, by=by, seed=seed, progress=progress)


def _spans(parts: "Sequence[Part]", options: Options) -> Any:
    """Return, when computed, the times of the requests of each part."""
    task = delayed(_spans_of_part)
    return delayed(list)([task(part, options) for part in parts])


def _moments(spans: Any) -> Any:
    return delayed(moments_of)(spans)


def _spans_of_part(part: Part, options: Options) -> Spans:
    with said_where():
        found = load_part(part, options)
        return spans_of(found.exchanges, found.reads)


def _table(part: Part, number: int, table: str, options: Options) -> pd.DataFrame:
    with said_where():
        return _with_part(getattr(load_part(part, options), table), number)


def _with_part(table: pd.DataFrame, number: int) -> pd.DataFrame:
    return table.assign(**{_PART: np.full(len(table), number)})


def _counts(table: pd.DataFrame, spans: list[Spans], among: Moments, at: int) -> "pd.Series[Any]":
    """Return the column `in_flight` of a partition of the table that is at this place of `IN_FLIGHT`."""
    # A partition without rows may be the one that Dask makes up to see types.
    counts = [] if table.empty else in_flight(spans[int(table[_PART].iloc[0])], among)[at]
    return pd.Series(counts, name="in_flight", index=table.index, dtype="Int64")


def _condensed_part(part: Part, options: Options, among: Moments | None) -> Condensed:
    with said_where():
        found = load_part(part, options)
        return condensed(found if among is None else with_in_flight(found, among))


def _written(part: Part, options: Options, folder: str, file: str) -> tuple[tuple[str, ...], Spans]:
    with said_where():
        recording = load_part(part, options)
    write_tables(recording, folder, file)
    return recording.lost, spans_of(recording.exchanges, recording.reads)


def _filled(folder: str, file: str, counts: "tuple[pd.arrays.IntegerArray, ...]") -> None:
    for name, column in zip(IN_FLIGHT, counts, strict=True):
        fill_in_flight(os.path.join(table_file(folder, name), file), [column])


def _check_written(folder: str, parts: int) -> None:
    for name in TABLES:
        path = os.path.join(folder, f"{name}.parquet")
        found = os.listdir(path) if os.path.isdir(path) else []
        for file in found:
            if file.startswith("."):  # of a worker that was lost while it wrote
                os.unlink(os.path.join(path, file))
        if sum(not file.startswith(".") for file in found) != parts:
            raise FileNotFoundError(
                f"expected {parts} files in {path}, which the workers wrote, found {len(found)}: "
                "they have to see the folder under the name that it has here"
            )


def _said_exact(table: pd.DataFrame) -> pd.DataFrame:
    table.attrs |= {"percentiles": "exact", "relative_error": 0.0}
    return table
