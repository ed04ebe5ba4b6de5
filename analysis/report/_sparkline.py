"""A stream as a strip of 240 x 18: when its tokens came, on one scale for all strips of a page.

The invariant: a strip is at most as long as its pixels are many, however many tokens there were; and it
has numbers and names of our own only, so that it needs no escaping.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

WIDTH = 240
HEIGHT = 18
STALL_MS = 200.0
_NS = 1e-6


def sparkline(
    tokens: Sequence[tuple[float, bool]], first_ms: float | None, scale_ms: float, words: str
) -> str:
    """Return an SVG. `tokens`: when each came, in ms, and whether it was reasoning, in order of time.

    `first_ms` is when the wait ended, `scale_ms` the time at the right edge, `words` a text for those who
    cannot see it, which must need no escaping.
    """
    per_ms = (WIDTH - 2) / scale_ms if scale_ms >= _NS else 0.0
    wait = "" if first_ms is None else f'<path class="wait" d="M0 9H{first_ms * per_ms:.0f}"/>'
    paths = "".join(
        f'<path class="{kind}" d="{_runs(t * per_ms for t, reasoning in tokens if reasoning is is_kind)}"/>'
        for kind, is_kind in (("think", True), ("say", False))
        if any(reasoning is is_kind for _, reasoning in tokens)
    )
    times = [t for t, _ in tokens]
    stalls = "".join(
        f"M{before * per_ms:.0f} 9H{after * per_ms:.0f}"
        for before, after in pairwise(times)
        if after - before > STALL_MS
    )
    stalled = f'<path class="stall" d="{stalls}"/>' if stalls else ""
    return (
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{words}">{wait}{paths}{stalled}</svg>'
    )


def _runs(places: Iterable[float]) -> str:
    """Return a bar for each run of neighbouring pixels."""
    path = []
    start = end = None
    for pixel in sorted({int(place) for place in places}):
        if start is None or end is None or pixel > end + 1:
            if start is not None and end is not None:
                path.append(f"M{start} 3H{end + 1}V15H{start}Z")
            start = pixel
        end = pixel
    if start is not None and end is not None:
        path.append(f"M{start} 3H{end + 1}V15H{start}Z")
    return "".join(path)
