"""From files to Dask DataFrames: which cassettes, or which part of which, each partition is."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

from dask.delayed import delayed

from tokentape.analysis.dask._cluster import said_where
from tokentape.analysis.dask._progress import computed
from tokentape.analysis.dask._recording import DaskRecording, recording_of_partitions
from tokentape.analysis.loading._options import options_of
from tokentape.analysis.loading._parts import GATHER_BYTES, MAX_PART_BYTES, Part, gathered, parts_of, whole
from tokentape.analysis.measuring._tokenizers import Tokens
from tokentape.cassette import StrPath, Unreadable, usable_at

EXACT_UP_TO = 10_000_000
"""Gaps that come to one place: 60 bytes each, and some times that while they are sorted."""


def load(
    paths: StrPath | Iterable[StrPath],
    *,
    where: str | Iterable[str] | None = None,
    definitions: str | None = None,
    dialect: str | None = None,
    tokens: Tokens | None = None,
    max_part_bytes: int = MAX_PART_BYTES,
    gather_bytes: int = GATHER_BYTES,
    exact_up_to: int = EXACT_UP_TO,
    progress: bool = True,
) -> DaskRecording:
    """Return the tables of cassettes as Dask DataFrames, to be computed wherever Dask computes.

    A partition is a cassette, a part of one of `max_part_bytes`, or several small ones, one after the other,
    of up to `gather_bytes` in all (and no more than `max_part_bytes`); with `gather_bytes=0` each cassette is
    one by itself. Cassettes that are larger than a part are looked through now, on the workers; nothing else
    is read before something is computed. The paths are found here, and have to lead to the same files on
    every worker. `exact_up_to`: with more gaps their percentiles are approximate. `progress`: show bars on a
    terminal, for `load` and what the recording computes. The other arguments, and what is raised, are those
    of `load` for pandas.
    """
    options = options_of(where, definitions, dialect, tokens)
    files, unusable = usable_at(paths)
    if "-" in files:
        raise ValueError("expected files that all workers can read, found - (standard input)")
    known = {file: _known(file, max_part_bytes) for file in files}
    look = delayed(_looked_through, pure=False)
    unknown = [file for file, part in known.items() if part is None]
    found = iter(
        computed(
            [look(file, max_part_bytes) for file in unknown], what="looking through cassettes", shown=progress
        )
        if unknown
        else ()
    )
    parts = list(chain.from_iterable(next(found) if part is None else [part] for part in known.values()))
    if unusable:  # beside others, else it is an error
        parts[0] = replace(parts[0], lost=(*unusable, *parts[0].lost))
    partitions = gathered(parts, min(gather_bytes, max_part_bytes))
    return recording_of_partitions(tuple(partitions), options, exact_up_to, progress=progress)


def _known(path: str, max_bytes: int) -> Part | None:
    """Return the part that a cassette is, if its size, as it is seen here, says so."""
    try:
        return whole(path, max_bytes)
    except Unreadable:
        return None  # which the workers may see


def _looked_through(path: str, max_bytes: int) -> list[Part]:
    with said_where():
        return parts_of(path, max_bytes)
