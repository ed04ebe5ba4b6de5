"""The tables under OpenTelemetry's names, and as OTLP; `docs/opentelemetry.md` says what is what."""
