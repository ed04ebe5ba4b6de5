"""Loads a cassette in a process of its own, for time and memory: `python -m benchmarks.loading FILE`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from tokentape import cassette
from tokentape.analysis import Recording, load

_EVENTS = 100_000  # how many are to be loaded in all, so that a small cassette is loaded often


def loaded_alone(path: Path) -> dict[str, Any]:
    """Return what `measured` does, from another process."""
    command = [sys.executable, "-m", "benchmarks.loading", str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=600)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measured(path: Path) -> dict[str, Any]:
    """Return the CPU time of a load, the tables' bytes, and those that the process had more at its peak."""
    _warm_up()
    before = status("VmRSS")
    cpu_s, recording = _timed(path)
    peak = status("VmHWM")
    tables = (recording.exchanges, recording.streams, recording.events, recording.reads)
    events = len(recording.events)
    return {
        "tables_bytes": int(sum(table.memory_usage(deep=True).sum() for table in tables)),
        "peak_bytes": peak - before,
        "cpu_s": median([cpu_s, *(_timed(path)[0] for _ in range(_EVENTS // events))]),
        "events": events,
    }


def _timed(path: Path) -> tuple[float, Recording]:
    start = process_time()
    recording = load(path)
    return process_time() - start, recording


def _warm_up() -> None:
    """Load an empty cassette: what is imported and made once is no part of any other."""
    section = cassette.Section(version=1, wall_ns=0, mono_ns=0, writer="", proxy="", host="")
    with tempfile.TemporaryDirectory() as folder:
        with cassette.Writer(Path(folder, "empty.tape"), section):
            pass
        load(Path(folder, "empty.tape"))


def status(name: str) -> int:
    """Return a size that the kernel knows of this process, such as `VmHWM`, its memory at its peak, in bytes.

    What `getrusage` says is that of the parent, if it had more when this process began.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this process has no {name}")


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]))))
