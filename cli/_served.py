"""The table that a replay ends with, as text."""

from tokentape.replay import Stats


def served_table(stats: Stats) -> str:
    """Return what was served, what never was, what was missed, and how late pieces were."""
    rows = [("times", "status", "request", "recorded as")]
    rows += [
        (
            str(item.times) if item.times else "never",
            str(item.status) if item.status is not None else "failed",
            f"{item.method} {item.path}",
            item.source,
        )
        for item in stats.served
    ]
    rows += [(str(item.times), "404", f"{item.method} {item.path}", "not recorded") for item in stats.missed]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{times:>{widths[0]}}  {status:<{widths[1]}}  {request:<{widths[2]}}  {source}"
        for times, status, request, source in rows
    ]
    never = sum(item.times == 0 for item in stats.served)
    counts = f"served {stats.hits}, missed {stats.misses}; {never} of {len(stats.served)} never played"
    if stats.cut_off:
        counts += f"; {stats.cut_off} cut off by the stop"
    late = stats.lateness
    milliseconds = ", ".join(
        f"{name} {ns / 1e6:.3f} ms"
        for name, ns in (("p50", late.p50_ns), ("p99", late.p99_ns), ("max", late.max_ns))
    )
    return "\n".join([*lines, "", counts, f"lateness of {late.pieces} pieces: {milliseconds}"])
