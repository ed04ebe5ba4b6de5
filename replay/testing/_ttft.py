"""The time to first token of each stream of a cassette, as the analysis defines it, without its tables.

`docs/metrics.md` has the definition: from the complete request to the first event with generated text.
"""

from collections.abc import Iterator
from pathlib import Path

from tokentape import cassette
from tokentape.dialects import NO_CHOICE, TOKEN, transcript

_NS_PER_MS = 1_000_000


def ttfts_ms(path: Path) -> Iterator[float]:
    """Yield the time of each choice of each answer that has one, in the order in which exchanges ended."""
    with cassette.open(path, lenient=True) as tape:
        for exchange in cassette.exchanges(tape):
            request = exchange.request
            if request is not None and request.times == "all" and exchange.lost_chunks == 0:
                for t in _first_tokens(exchange):
                    yield (t - request.t_end) / _NS_PER_MS


def _first_tokens(exchange: cassette.Exchange) -> Iterator[int]:
    found = transcript(exchange)
    first: dict[int, int] = {}
    for line in found.lines:
        for carried in line.carried:
            if carried.carries & TOKEN:
                first.setdefault(carried.choice, line.t)
    for choice in sorted(found.choices or {NO_CHOICE}):
        times = [first[number] for number in {choice, NO_CHOICE} if number in first]
        if times:
            yield min(times)
