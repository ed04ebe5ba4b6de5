"""A recording whose tables are Dask DataFrames: it reads nothing until something is computed.

The invariant: what is computed here is what pandas computes from the same cassettes, or it says its error.
How its tables are made is in `_partitions`. A summary is not made of them, but of what of each partition
comes to one place: `_condensed`.
"""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dask.dataframe as dd
import pandas as pd
from dask.delayed import delayed

from tokentape.analysis._recording import Recording, with_in_flight
from tokentape.analysis.comparing import _comparison
from tokentape.analysis.comparing._comparison import Comparison
from tokentape.analysis.dask._cluster import said_where
from tokentape.analysis.dask._condensed import OF_GAPS, Condensed, condensed, recording_of, together
from tokentape.analysis.dask._partitions import Partition, frames, moments, spans_of_all
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
from tokentape.analysis.loading._parts import load_parts
from tokentape.analysis.summarising._grouping import By, names_of
from tokentape.analysis.summarising._in_flight import Moments, Spans, in_flight, moments_of, spans_of
from tokentape.cassette import StrPath

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_A_TIME = 16
"""How many results become one in a step on the way to one place."""
_OF_IN_FLIGHT = ("in_flight", "concurrency")
"""What streams are grouped by that is not known of a partition."""


@dataclass(slots=True, kw_only=True)
class DaskRecording:
    """The four tables of `Recording` as Dask DataFrames.

    `partitions` says what each of their partitions is: some exchanges of a cassette, a cassette, or several.
    These are in the order of files, sections and exchanges, and each counts its rows from 0; names are
    categories that are not known before they are computed. `definitions` as in `Recording`. `progress`:
    methods show a bar on a terminal after the first second.
    """

    exchanges: dd.DataFrame
    streams: dd.DataFrame
    events: dd.DataFrame
    reads: dd.DataFrame
    partitions: tuple[Partition, ...]
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

    def to_parquet(self, folder: StrPath, *, overwrite: bool = False) -> tuple[str, ...]:
        """Write the tables from the workers, a file for each partition, and return what was lost.

        `folder` then has the folders `exchanges.parquet`, `streams.parquet` and so on, as `to_parquet` for
        pandas has files, and workers have to see it under this name. Raises FileExistsError as there.
        """
        write, fill = (delayed(task, pure=False) for task in (_written, _filled))
        files = [f"part-{number:06}.parquet" for number in range(len(self.partitions))]
        with made_whole(folder, overwrite=overwrite) as into:
            found = computed(
                [
                    write(partition, self.options, into, file)
                    for partition, file in zip(self.partitions, files, strict=True)
                ],
                what="writing tables",
                shown=self.progress,
            )
            _check_written(into, len(self.partitions))
            among = moments_of(spans for _, spans in found)
            computed(
                [
                    fill(into, file, in_flight(spans, among))
                    for file, (_, spans) in zip(files, found, strict=True)
                ],
                what="counting requests in flight",
                shown=self.progress,
            )
            _check_written(into, len(self.partitions))
        self._lost = tuple(line for lost, _ in found for line in lost)
        return self._lost

    def _computed(self, by: By | None, exact_up_to: int | None) -> Condensed:
        take, join = (delayed(task, pure=False) for task in (_condensed_partition, together))
        # Groups of sketches are made of partitions, so these have to know what they are grouped by.
        is_by_in_flight = exact_up_to is not None and set(names_of(by)) & set(_OF_IN_FLIGHT)
        among = moments(spans_of_all(self.partitions, self.options)) if is_by_in_flight else None
        nodes: Sequence[Any] = [take(partition, self.options, among) for partition in self.partitions]
        while True:
            starts = range(0, len(nodes), _AT_A_TIME)
            nodes = [
                join(list(nodes[start : start + _AT_A_TIME]), by, exact_up_to, self.definitions)
                for start in starts
            ]
            if len(nodes) == 1:
                (found,) = computed([nodes[0]], what="reading cassettes", shown=self.progress)
                return found  # type: ignore[no-any-return]  # dask has no types


def recording_of_partitions(
    partitions: tuple[Partition, ...], options: Options, exact_up_to: int, *, progress: bool = True
) -> DaskRecording:
    """Return the recording whose tables have these partitions."""
    return DaskRecording(
        **frames(partitions, options),
        partitions=partitions,
        options=options,
        exact_up_to=exact_up_to,
        progress=progress,
    )


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


def _condensed_partition(partition: Partition, options: Options, among: Moments | None) -> Condensed:
    with said_where():
        found = load_parts(partition, options, OF_GAPS)
        return condensed(found if among is None else with_in_flight(found, among))


def _written(partition: Partition, options: Options, folder: str, file: str) -> tuple[tuple[str, ...], Spans]:
    with said_where():
        recording = load_parts(partition, options)
    write_tables(recording, folder, file)
    return recording.lost, spans_of(recording.exchanges, recording.reads)


def _filled(folder: str, file: str, counts: "tuple[pd.arrays.IntegerArray, ...]") -> None:
    for name, column in zip(IN_FLIGHT, counts, strict=True):
        fill_in_flight(os.path.join(table_file(folder, name), file), [column])


def _check_written(folder: str, partitions: int) -> None:
    for name in TABLES:
        path = os.path.join(folder, f"{name}.parquet")
        found = os.listdir(path) if os.path.isdir(path) else []
        for file in found:
            if file.startswith("."):  # of a worker that was lost while it wrote
                os.unlink(os.path.join(path, file))
        if sum(not file.startswith(".") for file in found) != partitions:
            raise FileNotFoundError(
                f"expected {partitions} files in {path}, which the workers wrote, found {len(found)}: "
                "they have to see the folder under the name that it has here"
            )


def _said_exact(table: pd.DataFrame) -> pd.DataFrame:
    table.attrs |= {"percentiles": "exact", "relative_error": 0.0}
    return table
