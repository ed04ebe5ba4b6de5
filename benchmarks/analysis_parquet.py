"""Cassettes of up to ten million events to Parquet: time for each event, and memory, as there are more.

Both are ratios in one run: processor time for an event of ten million over that of 100,000, and peak memory
with ten million over that with a million. Each is measured in a process of its own.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.analysis import openai
from tokentape import cassette
from tokentape.cassette._framing import MAGIC, frame
from tokentape.cassette._records import encode

EVENTS = 1000
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
TIME_LIMIT = 1.3
MEMORY_LIMIT = 1.2
MS = 1_000_000

_MEASURED = """
import json, sys, time
from benchmarks.loading import status
from tokentape.analysis import to_parquet

warm, path, folder = sys.argv[1:]
to_parquet(warm, folder + "-warm")
start = time.process_time()
lost = to_parquet(path, folder)
assert not lost
print(json.dumps([time.process_time() - start, status("VmHWM")]))
"""


def run() -> list[dict[str, object]]:
    per_event_us: dict[int, float] = {}
    peak_mb: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        warm = make(Path(folder) / "warm.tape", 2)
        for size in SIZES:
            path = make(Path(folder) / f"{size}.tape", size // EVENTS)
            command = [sys.executable, "-c", _MEASURED, warm, path, Path(folder) / f"{size}"]
            output = subprocess.run([*map(str, command)], check=True, capture_output=True, timeout=600)
            seconds, peak_bytes = json.loads(output.stdout)
            per_event_us[size], peak_mb[size] = seconds / size * 1e6, peak_bytes / 1e6
            path.unlink()
    *_, before_time, before_memory, most = SIZES
    row = {"benchmark": "analysis_parquet", "better": "lower"}
    return [
        row
        | {
            "what": f"to Parquet: time of an event among {most:,} / among {before_time:,}",
            "measured": round(per_event_us[most] / per_event_us[before_time], 2),
            "limit": TIME_LIMIT,
            "beside": ", ".join(f"{each:.2f}" for each in per_event_us.values()) + " us/event",
        },
        row
        | {
            "what": f"to Parquet: memory at its peak of {most:,} events / of {before_memory:,}",
            "measured": round(peak_mb[most] / peak_mb[before_memory], 2),
            "limit": MEMORY_LIMIT,
            "beside": ", ".join(f"{each:,.0f}" for each in peak_mb.values()) + " MB",
        },
    ]


def make(path: Path, exchanges: int, *, events: int = EVENTS) -> Path:
    """Write a cassette of so many exchanges with so many events each."""
    body = [b"data: " + openai(0, position) + b"\n\n" for position in range(events - 1)]
    body.append(b"data: [DONE]\n\n")
    size = sum(map(len, body))
    section = cassette.Section(
        version=1, wall_ns=1_790_000_000 * 10**9, mono_ns=0, writer="", proxy="", host=""
    )
    with path.open("wb") as file:
        file.write(MAGIC + frame(encode(section)))
        for number in range(exchanges):
            start = number * 1000 * MS
            records = [
                cassette.Request(
                    exchange=number, t=start, t_end=start + 1, method="POST", scheme="https",
                    host="api.example", port=443, path=b"/v1/chat/completions", http_version="HTTP/1.1",
                    headers=(), body=b'{"model":"step-1-8k","stream":true}', connection="c",
                ),
                cassette.Response(
                    exchange=number, t=start + 2, status=200, reason=b"OK", http_version="HTTP/1.1",
                    headers=((b"Content-Type", b"text/event-stream"),),
                ),
                *(
                    cassette.Chunk(exchange=number, t=start + (position + 200) * MS + number % 977, data=data)
                    for position, data in enumerate(body)
                ),
                cassette.End(
                    exchange=number, t=start + 1500 * MS, reason="complete", chunks=events, bytes=size
                ),
            ]  # fmt: skip
            file.write(b"".join([frame(encode(record)) for record in records]))
    return path


if __name__ == "__main__":
    for row in run():
        print(row)
