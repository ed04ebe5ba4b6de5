"""Lateness in ns as the few numbers that rows show."""

from collections.abc import Sequence


def percentiles_ms(lateness_ns: Sequence[int]) -> dict[str, float]:
    """Return the median, the 99th percentile and the maximum in ms; nothing of nothing."""
    ordered = sorted(lateness_ns)
    if not ordered:
        return {}
    chosen = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": -1}
    return {name: ordered[index] / 1e6 for name, index in chosen.items()}
