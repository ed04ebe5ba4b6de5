"""From files to Dask DataFrames: which part of which cassette each partition is."""

from collections.abc import Iterable
from itertools import chain

from dask.delayed import delayed

from tokentape.analysis.dask._cluster import said_where
from tokentape.analysis.dask._progress import computed
from tokentape.analysis.dask._recording import DaskRecording, recording_of_parts
from tokentape.analysis.loading._options import options_of
from tokentape.analysis.loading._parts import MAX_PART_BYTES, Part, parts_of
from tokentape.analysis.loading._paths import Path, cassettes_at
from tokentape.analysis.measuring._tokenizers import Tokens

EXACT_UP_TO = 10_000_000
"""Gaps that come to one place: 60 bytes each, and some times that while they are sorted."""


def load(
    paths: Path | Iterable[Path],
    *,
    where: str | Iterable[str] | None = None,
    definitions: str | None = None,
    dialect: str | None = None,
    tokens: Tokens | None = None,
    max_part_bytes: int = MAX_PART_BYTES,
    exact_up_to: int = EXACT_UP_TO,
    progress: bool = True,
) -> DaskRecording:
    """Return the tables of cassettes as Dask DataFrames, to be computed wherever Dask computes.

    A partition is a cassette, or a part of one of `max_part_bytes`. Cassettes that are larger than that are
    looked through now, on the workers; nothing else is read before something is computed. The paths are
    found here, and have to lead to the same files on every worker. `exact_up_to`: with more gaps their
    percentiles are approximate. `progress`: show bars on a terminal, for `load` and what the recording
    computes. The other arguments, and what is raised, are those of `load` for pandas.
    """
    options = options_of(where, definitions, dialect, tokens)
    files = cassettes_at(paths)
    if "-" in files:
        raise ValueError("expected files that all workers can read, found - (standard input)")
    look = delayed(_looked_through, pure=False)
    found = computed(
        [look(file, max_part_bytes) for file in files], what="looking through cassettes", shown=progress
    )
    return recording_of_parts(tuple(chain.from_iterable(found)), options, exact_up_to, progress=progress)


def _looked_through(path: str, max_bytes: int) -> list[Part]:
    with said_where():
        return parts_of(path, max_bytes)
