"""The recorder beside a test: `tokentape record`, as a process of the same interpreter on a free port.

Invariant: when `recorder` has ended, the process has, too.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

from tokentape.replay import ReplayError

_LISTENING = re.compile(r"listening on (http://\S+)")
_START_S = 60.0
_STOP_S = 30.0


class CannotRecord(ReplayError):
    """The recorder did not start, or did not write all that it should have."""


@contextmanager
def recorder(upstream: str, path: Path, options: Sequence[str] = ()) -> Iterator[str]:
    """Record to a new file while the block runs, and yield the URL that stands in front of `upstream`.

    Raises `CannotRecord`, with the recorder's own words, where it does not start or reports a failure.
    """
    command = [sys.executable, "-m", "tokentape.cli", "record", "--upstream", upstream, "-o", str(path)]
    process = subprocess.Popen(  # noqa: S603  (our own program; the options are those of the test's author)
        [*command, "--listen", "127.0.0.1:0", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    said: list[str] = []
    heard = Event()
    reader = Thread(target=_listen, args=(process, said, heard), name="tokentape record", daemon=True)
    reader.start()
    try:
        heard.wait(_START_S)
        found = _LISTENING.search("".join(said))
        if found is None:
            raise CannotRecord(f"the recorder did not start: {_last_line(said)}")
        yield found[1]
    finally:
        _stop(process)
        reader.join(_STOP_S)
    if process.returncode and sys.platform != "win32":  # where a process can only be ended, not asked to end
        raise CannotRecord(f"the recorder failed: {_last_line(said)}")


def base_path_of(upstream: str) -> str:
    """Return what the base URL has after the host, by the rule of `tokentape record`."""
    return urlsplit(upstream).path.rstrip("/") or "/v1"


def _listen(process: subprocess.Popen[str], said: list[str], heard: Event) -> None:
    assert process.stderr is not None  # noqa: S101  (it was asked for)
    with process.stderr:
        for line in process.stderr:
            said.append(line)
            if _LISTENING.search(line):
                heard.set()
    heard.set()  # it has ended


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()  # the recorder closes its file at SIGTERM
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(said: Sequence[str]) -> str:
    lines = [line.strip() for line in said if line.strip()]
    return lines[-1].removeprefix("Error: ") if lines else "it said nothing"
