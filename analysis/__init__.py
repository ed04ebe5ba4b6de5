"""The analyser: cassettes in, pandas tables of latency out.

`docs/metrics.md` defines every number::

    from tokentape.analysis import load

    recording = load("session.tape")
    print(recording.streams[["model", "ttft_ms", "itl_ms", "tokens_from", "outcome"]])
    print(recording.summary(by="model").round(1))
    print(recording.summary().loc["ttft_ms", "p50"])
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
from tokentape.analysis.loading._paths import cassettes_at
from tokentape.analysis.measuring._definitions import DEFINITIONS
from tokentape.analysis.measuring._metrics import ITL_DEFINITION
from tokentape.analysis.opentelemetry._otel import otel_dict, otel_summary, otel_table
from tokentape.analysis.opentelemetry._otlp import otlp_metrics, otlp_traces
from tokentape.analysis.summarising._grouping import GROUPINGS
from tokentape.analysis.summarising._objectives import AT_LEAST, OBJECTIVES
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
    "compare",
    "fidelity",
    "load",
    "otel_dict",
    "otel_summary",
    "otel_table",
    "otlp_metrics",
    "otlp_traces",
    "to_parquet",
]
