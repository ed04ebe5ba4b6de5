"""Numbers that no column can hold, taken out as if their records had been damaged.

A record may be whole, by its checksum, and still hold what no recorder writes: a status or a time of 64
bits. The invariant: what `fitted` returns makes integers that stay within 64 bits through every sum and
difference of a table.
"""

from dataclasses import replace
from typing import TypeAlias

from tokentape.cassette import Chunk, Exchange

MAX_NS = 2**60
"""36 years: a section is shorter, and four times that is still an int64."""
_MAX_COUNT = 2**60
_MAX_STATUS = 999

Fitted: TypeAlias = tuple[Exchange | None, list[str]]


def fitted(exchange: Exchange) -> Fitted:
    """Return the exchange without the records that do not fit, and a reason for each that was taken out.

    It is the same object where all fit, and None where the exchange's own number is one.
    """
    if not 0 <= exchange.number <= _MAX_COUNT:
        return None, [f"expected its number to be within 0 and 2**60, found {exchange.number}"]
    request, response, end = exchange.request, exchange.response, exchange.end
    chunks = exchange.chunks
    wrong: list[str] = []
    if request is not None and not _is_time(request.t_end):
        wrong.append(_time("request", request.t_end))
        request = None
    if response is not None and not _is_time(response.t):
        wrong.append(_time("response", response.t))
        response = None
    if response is not None and not 0 <= response.status <= _MAX_STATUS:
        wrong.append(f"expected a status of three digits in its response, found {response.status}")
        response = None
    times = [chunk.t for chunk in chunks]
    if times and not (_is_time(min(times)) and _is_time(max(times))):
        chunks = [chunk for chunk in chunks if _is_time(chunk.t)]
        wrong.append(_time("piece", _first_wrong(exchange.chunks)))
    if end is not None and not _is_time(end.t):
        wrong.append(_time("end", end.t))
        end = None
    if end is not None and not 0 <= end.chunks <= _MAX_COUNT:
        wrong.append(f"expected a number of pieces in its end, found {end.chunks}")
        end = None
    if not wrong:
        return exchange, wrong
    return replace(exchange, request=request, response=response, chunks=chunks, end=end), wrong


def _is_time(ns: int) -> bool:
    return -MAX_NS <= ns <= MAX_NS


def _first_wrong(chunks: list[Chunk]) -> int:
    return next(chunk.t for chunk in chunks if not _is_time(chunk.t))


def _time(what: str, ns: int) -> str:
    return f"expected the time of its {what} to be within 36 years of the section's start, found {ns} ns"
