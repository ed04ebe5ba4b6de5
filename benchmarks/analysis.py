"""The time from a cassette to the four tables, over the time that reading and decoding it takes anyway.

The baseline is what no analysis can do without: the cassette read with its checksums, and every event's
JSON decoded once, by the decoder that the analysis uses (`msgspec.json` with the types of a chunk, which
is faster than without them). It is handed the events' data: finding that in the pieces is the analysis's
own cost, and so are exchanges, events, metrics and pandas.

Both run in one process, in turns, and the medians are compared. Making the cassette is not timed. CPU time
is taken, so that other work on the machine does not decide the ratio.
"""

import gc
import json
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median
from time import process_time

from tokentape import cassette
from tokentape.analysis import load

# Private, since nobody else wants it by itself: the baseline has to be the very decoder that is used.
from tokentape.dialects._openai_chat import _decode

LIMIT = 2.5
EXCHANGES = 200
EVENTS = 1000
REPETITIONS = 7
MS = 1_000_000


def run() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for shape, chunk in (("StepFun", _stepfun), ("OpenAI", _openai)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.tape"
            datas = make(path, chunk)
            baseline, tables = _in_turns(lambda: _baseline(path, datas), lambda: load(path))  # noqa: B023
        rows.append(
            {
                "benchmark": "analysis",
                "what": f"{EXCHANGES * EVENTS:,} events of {shape}'s shape to tables / frames and JSON alone",
                "measured": round(tables / baseline, 2),
                "limit": LIMIT,
                "better": "lower",
                "tables_s": round(tables, 3),
                "baseline_s": round(baseline, 3),
                "us_per_event": round(tables / (EXCHANGES * EVENTS) * 1e6, 2),
            }
        )
    return rows


def make(path: Path, chunk: Callable[[int, int], bytes]) -> list[bytes]:
    """Write the cassette and return the data of its events, `[DONE]` left out."""
    datas: list[bytes] = []
    section = cassette.Section(version=1, wall_ns=0, mono_ns=0, writer="", proxy="", host="")
    times = count(0, MS)
    with cassette.Writer(path, section) as tape:
        for number in range(EXCHANGES):
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
    return datas


def _stepfun(number: int, position: int) -> bytes:
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


def _openai(number: int, position: int) -> bytes:
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


def _baseline(path: Path, datas: list[bytes]) -> None:
    with cassette.open(path) as tape:
        for _ in tape:
            pass
    for data in datas:
        _decode(data)


def _in_turns(*jobs: Callable[[], object]) -> list[float]:
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
