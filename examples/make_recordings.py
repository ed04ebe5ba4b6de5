"""Make two weeks of recordings to analyse: the data of `latency_analysis.ipynb`, and of your own experiments.

    python examples/make_recordings.py recordings

writes `recordings/week-1.tape` and `recordings/week-2.tape`: streams of a chat service, before and after it
changed to a new model. Nothing is measured here: the times are drawn from distributions, seeded, so that
everyone gets the same files, and what an analysis should find is written below.

What is true of these recordings:

- prompts of 16,000 tokens and more wait longer for their first token, in both weeks;
- the service is busier from 13 to 17 h UTC, and then slower by a third;
- on Wednesday at 15 h a batch job sends 60 requests within 25 seconds;
- every eighth connection is new and pays for its TLS handshake;
- in week 2 the first token takes three quarters longer on the route `/v1/agents/chat/completions`, and as
  long as before on the other;
- in week 2 the pace between tokens is a tenth faster, but every sixth stream that is long enough stalls once,
  at its 64th token;
- now and then an answer is refused with 429, breaks off, or is given up by its client.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from tokentape import cassette

MS = 1_000_000
HOUR = 3_600_000 * MS
MONDAY_NS = 1_788_739_200_000_000_000
"""2026-09-07, 00:00 UTC."""
WEEKS = {"week-1": "m-2", "week-2": "m-3"}
CHAT, AGENTS = b"/v1/chat/completions", b"/v1/agents/chat/completions"
BURST = 60
REQUESTS_BY_HOUR = [1] * 8 + [6] * 5 + [12] * 4 + [4] * 4 + [1] * 3
PROMPTS = (400, 700, 1_500, 2_600, 6_000, 9_000, 20_000, 40_000)
WORDS = (
    "the",
    " sky",
    " is",
    " blue",
    " because",
    " light",
    " of",
    " short",
    " waves",
    " is",
    " scattered",
    ".",
)


def main(folder: str) -> None:
    """Write both weeks into the folder, which is made if it is not there."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, (week, model) in enumerate(WEEKS.items()):
        path = Path(folder) / f"{week}.tape"
        section = cassette.Section(
            version=cassette.FORMAT_VERSION,
            wall_ns=MONDAY_NS + number * 7 * 24 * HOUR,
            mono_ns=0,
            writer="make_recordings",
            proxy="none",
            host="example",
            labels={"week": week.removeprefix("week-")},
        )
        with cassette.Writer(path, section, overwrite=True) as tape:
            for record in sorted(_week(model, is_new=number == 1), key=_time):
                tape.write(record)


def _time(record: Any) -> int:
    return int(getattr(record, "t_end", record.t))


def _week(model: str, *, is_new: bool, requests: int = 450) -> Iterator[Any]:
    random = Random(model)  # noqa: S311  (seeded, and no secret)
    for exchange in range(requests):
        day, hour = (
            random.randrange(5),
            random.choices(range(24), REQUESTS_BY_HOUR)[0],
        )
        zero = day * 24 * HOUR + hour * HOUR + random.randrange(HOUR)
        if exchange >= requests - BURST:  # a batch job, on Wednesday at 15 h
            day, hour = 2, 15
            zero = day * 24 * HOUR + hour * HOUR + random.randrange(25_000) * MS
        yield from _exchange(random, exchange, zero, hour, model, is_new=is_new)


def _exchange(
    random: Random, exchange: int, zero: int, hour: int, model: str, *, is_new: bool
) -> Iterator[Any]:
    path = AGENTS if random.random() < 0.4 else CHAT
    prompt = random.choice(PROMPTS)
    is_cold = random.random() < 1 / 8
    busy = 4 / 3 if 13 <= hour < 17 else 1.0
    question = {"role": "user", "content": f"Question {exchange}: why is the sky blue?"}
    yield cassette.Request(
        exchange=exchange, t=zero - 2 * MS, t_end=zero, method="POST", scheme="https", host="api.example",
        port=443, path=path, http_version="HTTP/1.1", headers=((b"content-type", b"application/json"),),
        body=json.dumps({"model": model, "stream": True, "messages": [question]}).encode(),
        connection=f"c{exchange % 40}",
    )  # fmt: skip
    handshake = int(random.gauss(95, 12) * MS) if is_cold else 0
    if random.random() < 0.02:
        yield from _refused(exchange, zero + handshake + int(random.uniform(5, 20) * MS))
        return
    ttft = random.lognormvariate(0, 0.22) * (190 + 0.022 * prompt) * busy
    if is_new:
        ttft *= 1.75 if path == AGENTS else 1.0
    headers = zero + handshake + int(ttft * 0.35 * MS)
    connect = cassette.Connect(tcp_start=zero, tcp_end=zero + handshake // 3, tls_end=zero + handshake)
    yield cassette.Response(
        exchange=exchange, t=headers, status=200, reason=b"OK", http_version="HTTP/1.1",
        headers=((b"content-type", b"text/event-stream"),), connect=connect if is_cold else None,
    )  # fmt: skip
    yield from _answer(
        random, exchange, zero, handshake + int(ttft * MS), headers, prompt, model, is_new=is_new
    )


def _answer(
    random: Random,
    exchange: int,
    zero: int,
    ttft_ns: int,
    headers: int,
    prompt: int,
    model: str,
    *,
    is_new: bool,
) -> Iterator[Any]:
    tokens = random.randint(24, 110)
    pace_ms = random.gauss(20, 2.5) * (0.9 if is_new else 1)
    stall_at = 64 if is_new and random.random() < 1 / 6 else 0
    fate = random.random()
    breaks_at = random.randrange(4, tokens) if fate < 0.03 else tokens
    reason = "complete" if fate >= 0.03 else "upstream-error" if fate < 0.015 else "client-closed"
    pieces = [(headers + MS, _event(_chunk(model, {"role": "assistant", "content": ""})))]
    at = zero + ttft_ns
    reasoning = random.choice((0, 0, 12))
    for token in range(breaks_at):
        if token:
            at += int(random.gammavariate(9, pace_ms / 9) * MS)
            at += int(random.uniform(700, 1_500) * MS) if token == stall_at else 0
        word = random.choice(WORDS)
        data = _event(_chunk(model, {"reasoning_content": word} if token < reasoning else {"content": word}))
        if token % 11 == 10:  # two events in one read, as networks do it
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + data)
            at = pieces[-1][0]
        else:
            pieces.append((at, data))
    if reason == "complete":
        usage: dict[str, Any] = {
            "prompt_tokens": prompt,
            "completion_tokens": tokens,
            "total_tokens": prompt + tokens,
            "prompt_tokens_details": {"cached_tokens": prompt // 2 if exchange % 3 else 0},
        }
        pieces.append((at + MS, _event(_chunk(model, {}, finish="stop"))))
        pieces.append(
            (at + 3 * MS, _event({"model": model, "choices": [], "usage": usage}) + b"data: [DONE]\n\n")
        )
    for t, data in pieces:
        yield cassette.Chunk(exchange=exchange, t=t, data=data)
    yield cassette.End(
        exchange=exchange, t=pieces[-1][0] + MS, reason=reason, chunks=len(pieces),
        bytes=sum(len(data) for _, data in pieces),
    )  # fmt: skip


def _refused(exchange: int, t: int) -> Iterator[Any]:
    body = b'{"error":{"message":"Too many requests","type":"rate_limit_error"}}'
    yield cassette.Response(
        exchange=exchange, t=t, status=429, reason=b"Too Many Requests", http_version="HTTP/1.1",
        headers=((b"content-type", b"application/json"),),
    )  # fmt: skip
    yield cassette.Chunk(exchange=exchange, t=t + MS, data=body)
    yield cassette.End(exchange=exchange, t=t + MS, reason="complete", chunks=1, bytes=len(body))


def _chunk(model: str, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _event(payload: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


if __name__ == "__main__":
    main(*(sys.argv[1:2] or ["recordings"]))
