"""Recordings to draw: made ones with exact times, of many streams, some of them failed."""

from random import Random

import msgspec

from tests.analysis.tapes import DONE, MS, chunk, data, records, usage_chunk, write
from tokentape.analysis import load

MARKUP = '<b>m</b><a href="https://x.example">x</a> $x^2$ %{x} &lt; \N{RIGHT-TO-LEFT OVERRIDE}'
HTTP_ERRORS = 3


def at(made, exchange, start_ns):
    """The records of an exchange, moved to where they begin."""
    moved = []
    for record in made:
        times = {name: getattr(record, name) + start_ns for name in ("t", "t_end") if hasattr(record, name)}
        moved.append(msgspec.structs.replace(record, exchange=exchange, **times))
    return moved


def stream(random, model="m-1", *, tokens=None, ttft_ms=None, stall_at=None):
    """Pieces of a stream with a role, reasoning, content, a bill and an end mark."""
    t = int((ttft_ms or random.uniform(100, 900)) * MS)
    pieces = [(t // 2, data(chunk({"role": "assistant"}, model=model)))]
    tokens = tokens or random.randint(2, 30)
    for token in range(tokens):
        if token:
            t += int(random.uniform(5, 60) * MS) + (700 * MS if token == stall_at else 0)
        kind = "reasoning_content" if token < 2 else "content"
        piece = data(chunk({kind: f"w{token} "}, model=model))
        if token % 5 == 4:
            t = pieces[-1][0]
            pieces[-1] = (t, pieces[-1][1] + piece)
        else:
            pieces.append((t, piece))
    pieces.append((t + MS, data(chunk({}, "stop", model=model))))
    pieces.append((t + 9 * MS, data(usage_chunk(7, tokens)) + DONE))
    return pieces


def session(folder, streams=40, *, name="session.tape", model="m-1", every_ns=130 * MS, slower=1.0, seed=1):
    """A cassette of so many good streams, one after the other, and three that failed."""
    random = Random(seed)
    exchanges = []
    for number in range(streams):
        pieces = stream(
            random, model, ttft_ms=random.uniform(100, 900) * slower, stall_at=3 if number % 7 == 0 else None
        )
        exchanges.append(at(records(pieces, end_ns=pieces[-1][0] + 4 * MS), number, number * every_ns))
    for number in range(streams, streams + HTTP_ERRORS):
        failed = records([(40 * MS, b"{}")], status=500, content_type="application/json")
        exchanges.append(at(failed, number, number * every_ns))
    return load(write(folder / name, *exchanges))
