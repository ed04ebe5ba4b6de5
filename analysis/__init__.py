"""The analyser: cassettes in, pandas tables of latency out.

`docs/metrics.md` defines every number::

    from tokentape.analysis import load

    recording = load("session.tape")
    print(recording.streams[["model", "ttft_ms", "itl_ms", "tokens_from", "outcome"]])
    print(recording.summary(by="model").round(1))
    print(recording.summary().loc["ttft_ms", "p50"])

`load` reads cassettes into a `Recording`, and `to_parquet` writes tables larger than memory; `compare` and
`fidelity` set two recordings side by side. The constants have the names that can be asked for, or are found:
`DEFINITIONS` (of other tools), `DIALECTS`, `GROUPINGS`, `OBJECTIVES` (which `check_objectives` holds others
against) and, among these, the least values `AT_LEAST`; `FIDELITY` has the rows of `fidelity`, and
`ITL_DEFINITION` our ITL in words. `cassettes_at` says which files a path means.

What needs more than pandas, or is for other programs, is in submodules, each imported by its name: `plots`
(figures), `report` (a page), `dask` (tables on many cores or machines), `opentelemetry` (its names; OTLP).
"""

try:
    import pandas  # noqa: F401, ICN001  (before all else, so that what is missing is said here)
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"tokentape.analysis needs the package {error.name!r}, which is not installed; "
        "add it with: pip install 'tokentape[analysis]'",
        name=error.name,
    ) from error

from tokentape.analysis._recording import Recording
from tokentape.analysis.comparing._comparison import Comparison, compare
from tokentape.analysis.comparing._fidelity import FIDELITY, fidelity
from tokentape.analysis.loading._load import load
from tokentape.analysis.loading._parquet import to_parquet
from tokentape.analysis.measuring._definitions import DEFINITIONS
from tokentape.analysis.measuring._metrics import ITL_DEFINITION
from tokentape.analysis.summarising._grouping import GROUPINGS
from tokentape.analysis.summarising._objectives import AT_LEAST, OBJECTIVES, check_objectives
from tokentape.cassette import cassettes_at
from tokentape.dialects import DIALECTS

__all__ = [
    "AT_LEAST",
    "DEFINITIONS",
    "DIALECTS",
    "FIDELITY",
    "GROUPINGS",
    "ITL_DEFINITION",
    "OBJECTIVES",
    "Comparison",
    "Recording",
    "cassettes_at",
    "check_objectives",
    "compare",
    "fidelity",
    "load",
    "to_parquet",
]
