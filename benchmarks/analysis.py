"""The time from a cassette to the four tables, over the time that reading and decoding it takes anyway.

The baseline is what no analysis can do without: the cassette read with its checksums, and every event's
JSON decoded once, by the decoder that the analysis uses (`msgspec.json` with the types of a chunk, which
is faster than without them). It is handed the events' data: finding that in the pieces is the analysis's
own cost, and so are exchanges, events, metrics and pandas.

Both run in one process, in turns, and the medians are compared. Making the cassette is not timed. CPU time
is taken, so that other work on the machine does not decide the ratio.

Then cassettes of several sizes are loaded, each in a process of its own: the memory at its peak over that of
the tables, and whether time and memory grow as the number of events does.
"""

import gc
import json
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from benchmarks.loading import loaded_alone
from tokentape import cassette
from tokentape.analysis import load

# Private, since nobody else wants them by themselves: the baseline has to be the very decoder that is used.
from tokentape.cassette._framing import MAGIC
from tokentape.dialects._openai_chat import _decode

LIMIT = 2.0
EVENTS = 1000
EXCHANGES = 200
SECTIONS = 5
"""A cassette is one recording that was appended so many times: 1,000,000 events."""
REPETITIONS = 5
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
"""The last takes 3 GB of disk, 4 GB of memory and half a minute."""
MS = 1_000_000
WALL_NS = 1_790_000_000 * 10**9
"""A real date: without one no request is in flight at any time, and counting those would not be measured."""


def run() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for shape, chunk in (("StepFun", stepfun), ("OpenAI", openai)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.tape"
            datas = make(path, chunk, sections=SECTIONS) * SECTIONS
            least, tables = in_turns(lambda: baseline(path, datas), lambda: load(path))  # noqa: B023
            events = EXCHANGES * EVENTS * SECTIONS
            what = f"{events:,} events of {shape}'s shape"
            rows.append(
                {
                    "benchmark": "analysis",
                    "what": f"{what} to tables / frames and JSON alone",
                    "measured": round(tables / least, 2),
                    "limit": LIMIT,
                    "better": "lower",
                    "beside": f"{tables / events * 1e6:.2f} / {least / events * 1e6:.2f} us/event",
                    "bytes_per_event": round(sum(map(len, datas)) / len(datas)),
                }
            )
            rows.append(_memory(what, path))
    return [*rows, *_growth()]


def _memory(what: str, path: Path) -> dict[str, Any]:
    found = loaded_alone(path)
    return {
        "benchmark": "analysis",
        "what": f"{what}: memory at its peak / the tables'",
        "measured": round(found["peak_bytes"] / found["tables_bytes"], 2),
        "limit": 6.0,
        "better": "lower",
        "beside": f"{found['peak_bytes'] / 1e6:,.0f} / {found['tables_bytes'] / 1e6:,.0f} MB",
    }


def _growth() -> list[dict[str, Any]]:
    """Return how time and memory of an event grow with the number of events that it is among."""
    found = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.tape"
            exchanges = min(EXCHANGES, size // EVENTS)
            make(path, openai, exchanges=exchanges, sections=size // (exchanges * EVENTS))
            found[size] = loaded_alone(path)
    row = {"benchmark": "analysis", "limit": 1.25, "better": "lower"}
    us = {size: each["cpu_s"] / size * 1e6 for size, each in found.items()}
    held = {size: each["peak_bytes"] / size for size, each in found.items()}
    # What a load takes at least is no part of what it takes for each event; among 10,000 it is most of it.
    memory_from = SIZES[1]
    return [
        row
        | {
            "what": f"time of an event among {SIZES[-1]:,} / among {SIZES[0]:,}",
            "measured": round(us[SIZES[-1]] / us[SIZES[0]], 2),
            "beside": ", ".join(f"{each:.2f}" for each in us.values()) + " us/event",
        },
        row
        | {
            "what": f"memory at its peak for an event among {SIZES[-1]:,} / among {memory_from:,}",
            "measured": round(held[SIZES[-1]] / held[memory_from], 2),
            "beside": ", ".join(f"{each:.0f}" for each in held.values()) + " bytes/event",
        },
    ]


def make(
    path: Path, chunk: Callable[[int, int], bytes], *, exchanges: int | None = None, sections: int = 1
) -> list[bytes]:
    """Write the cassette and return the data of a section's events, `[DONE]` left out."""
    datas: list[bytes] = []
    section = cassette.Section(version=1, wall_ns=WALL_NS, mono_ns=0, writer="", proxy="", host="")
    times = count(0, MS)
    with cassette.Writer(path, section) as tape:
        for number in range(EXCHANGES if exchanges is None else exchanges):
            tape.write(
                cassette.Request(
                    exchange=number, t=next(times), t_end=next(times), method="POST", scheme="https",
                    host="api.example", port=443, path=b"/v1/chat/completions", http_version="HTTP/1.1",
                    headers=(), body=b'{"model":"step-1-8k","stream":true}', connection="c",
                )
            )  # fmt: skip
            tape.write(
                cassette.Response(
                    exchange=number, t=next(times), status=200, reason=b"OK", http_version="HTTP/1.1",
                    headers=((b"Content-Type", b"text/event-stream"),),
                )
            )  # fmt: skip
            for position in range(EVENTS - 1):
                data = chunk(number, position)
                datas.append(data)
                tape.write(cassette.Chunk(exchange=number, t=next(times), data=b"data: " + data + b"\n\n"))
            tape.write(cassette.Chunk(exchange=number, t=next(times), data=b"data: [DONE]\n\n"))
            tape.write(cassette.End(exchange=number, t=next(times), reason="complete", chunks=EVENTS))
    written = path.read_bytes().removeprefix(MAGIC)
    with path.open("ab") as file:
        for _ in range(sections - 1):
            file.write(written)
    return datas


def stepfun(number: int, position: int) -> bytes:
    last = position == EVENTS - 2
    return _json(
        {
            "id": f"{number:032x}.b4d5",
            "object": "chat.completion.chunk",
            "created": 1_717_000_000,
            "model": "step-1-8k",
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "", "content": "" if last else "春眠"},
                    "finish_reason": "stop" if last else "",
                }
            ],
            "usage": {"prompt_tokens": 83, "completion_tokens": position + 1, "total_tokens": 84 + position},
        }
    )


def openai(number: int, position: int) -> bytes:
    last = position == EVENTS - 2
    return _json(
        {
            "id": f"chatcmpl-{number:029x}",
            "object": "chat.completion.chunk",
            "created": 1_717_000_000,
            "model": "gpt-4o-mini-2024-07-18",
            "service_tier": "default",
            "system_fingerprint": "fp_34a54ae93c",
            "choices": [
                {
                    "index": 0,
                    "delta": {} if last else {"content": " word"},
                    "logprobs": None,
                    "finish_reason": "stop" if last else None,
                }
            ],
        }
    )


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def baseline(path: Path, datas: list[bytes]) -> None:
    with cassette.open(path) as tape:
        for _ in tape:
            pass
    for data in datas:
        _decode(data)


def in_turns(*jobs: Callable[[], object]) -> list[float]:
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(REPETITIONS):
        for job, taken in zip(jobs, times, strict=True):
            gc.collect()
            start = process_time()
            job()
            taken.append(process_time() - start)
    return [median(taken) for taken in times]


if __name__ == "__main__":
    for row in run():
        print(row)
