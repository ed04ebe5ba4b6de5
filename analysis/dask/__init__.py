"""Cassettes by the thousand: the same four tables as Dask DataFrames, on the cores of one machine or of many.

`docs/many-cassettes.md` says how they are divided, what is exact, and what the workers need::

    from dask.distributed import Client
    from tokentape.analysis.dask import load

    with Client():  # or Client("scheduler.example:8786")
        recording = load("tapes")
        print(recording.summary(by="model").round(1))
        print(recording.streams.groupby("host", observed=True)["ttft_ms"].mean().compute())
"""

try:
    import dask  # noqa: F401  (before all else, so that what is missing is said here)
    import distributed  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"tokentape.analysis.dask needs the package {error.name!r}, which is not installed; "
        "add it with: pip install 'tokentape[dask]'",
        name=error.name,
    ) from error

from tokentape.analysis.dask._approximate import ApproximateRecording
from tokentape.analysis.dask._cluster import connected
from tokentape.analysis.dask._load import load
from tokentape.analysis.dask._recording import DaskRecording, compare
from tokentape.analysis.dask._sketch import RELATIVE_ERROR

__all__ = [
    "RELATIVE_ERROR",
    "ApproximateRecording",
    "DaskRecording",
    "compare",
    "connected",
    "load",
]
