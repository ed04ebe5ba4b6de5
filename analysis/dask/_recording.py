"""A recording whose tables are Dask DataFrames: it reads nothing until something is computed.

The invariant: what is computed here is what pandas computes from the same cassettes, or it says its error.
A task has a part as its argument and keeps nothing, so one that is lost with its worker runs again elsewhere.
"""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dask
import dask.dataframe as dd
import pandas as pd
from dask.base import compute
from dask.dataframe.utils import clear_known_categories
from dask.delayed import delayed

from tokentape.analysis._recording import Recording
from tokentape.analysis._tables import empty
from tokentape.analysis.comparing import _comparison
from tokentape.analysis.comparing._comparison import Comparison
from tokentape.analysis.dask._cluster import said_where
from tokentape.analysis.dask._condensed import Condensed, condensed, recording_of, together
from tokentape.analysis.loading._in_flight_files import fill_in_flight, spans_of
from tokentape.analysis.loading._options import Options
from tokentape.analysis.loading._parquet import TABLES, made_whole, write_tables
from tokentape.analysis.loading._parts import Part, load_part
from tokentape.analysis.loading._paths import Path
from tokentape.analysis.summarising._grouping import By

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_A_TIME = 16
"""How many results become one in a step on the way to one place."""


@dataclass(slots=True, kw_only=True)
class DaskRecording:
    """The four tables of `Recording` as Dask DataFrames, a partition for each part.

    Partitions are in the order of files, sections and exchanges, and each counts its rows from 0; names are
    categories that are not known before they are computed. `definitions` as in `Recording`.
    """

    exchanges: dd.DataFrame
    streams: dd.DataFrame
    events: dd.DataFrame
    reads: dd.DataFrame
    parts: tuple[Part, ...]
    options: Options
    exact_up_to: int
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
        write = delayed(_written, pure=False)
        with made_whole(folder, overwrite=overwrite) as into:
            spans = compute(
                *[
                    write(part, self.options, into, f"part-{number:06}.parquet")
                    for number, part in enumerate(self.parts)
                ]
            )
            _check_written(into, len(self.parts))
            fill_in_flight(into, spans)
        self._lost = tuple(line for each in spans for line in each.lost)
        return self._lost

    def _computed(self, by: By | None, exact_up_to: int | None) -> Condensed:
        take, join = (delayed(task, pure=False) for task in (_condensed_part, together))
        nodes: Sequence[Any] = [take(part, self.options) for part in self.parts]
        while True:
            starts = range(0, len(nodes), _AT_A_TIME)
            nodes = [join(list(nodes[start : start + _AT_A_TIME]), by, exact_up_to) for start in starts]
            if len(nodes) == 1:
                (found,) = compute(nodes[0])
                return found  # type: ignore[no-any-return]  # dask has no types


def recording_of_parts(parts: tuple[Part, ...], options: Options, exact_up_to: int) -> DaskRecording:
    """Return the recording of which each partition is one of these parts."""
    with dask.config.set({"dataframe.convert-string": False}):  # text has its type already
        tables = {
            name: dd.from_map(
                _table,
                parts,
                table=name,
                options=options,
                meta=clear_known_categories(empty(types)),
                label=name,
            )
            for name, types in TABLES.items()
        }
    return DaskRecording(**tables, parts=parts, options=options, exact_up_to=exact_up_to)


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


def _table(part: Part, table: str, options: Options) -> pd.DataFrame:
    with said_where():
        found: pd.DataFrame = getattr(load_part(part, options), table)
        return found


def _condensed_part(part: Part, options: Options) -> Condensed:
    with said_where():
        return condensed(load_part(part, options))


def _written(part: Part, options: Options, folder: str, file: str) -> Recording:
    with said_where():
        recording = load_part(part, options)
    write_tables(recording, folder, file)
    return spans_of(recording)


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
