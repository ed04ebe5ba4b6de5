"""The tables under OpenTelemetry's names, and as OTLP; `docs/opentelemetry.md` says what is what.

::

    from tokentape.analysis import load
    from tokentape.analysis.opentelemetry import otel_summary, otlp_metrics

    recording = load("session.tape")
    print(otel_summary(recording.summary()))
    request = otlp_metrics(recording)
"""

from tokentape.analysis.opentelemetry._otel import otel_dict, otel_summary, otel_table
from tokentape.analysis.opentelemetry._otlp import otlp_metrics, otlp_traces

__all__ = ["otel_dict", "otel_summary", "otel_table", "otlp_metrics", "otlp_traces"]
