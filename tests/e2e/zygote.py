"""Starts recorders quickly: a process that has imported everything, and forks one for each line it is given.

    python -m tests.e2e.zygote

Each recorder is a process of its own that runs the command `tokentape` with the arguments of its line, as
if it had just been started. `Zygote` is the side that a test holds.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.e2e.processes import LISTENING, ROOT


@dataclass
class Recorder:
    """A forked recorder: `port` is where it listens, once it does."""

    zygote: "Zygote"
    pid: int
    log: Path

    def port(self) -> int:
        deadline = time.monotonic() + 60
        while not (found := LISTENING.search(self.log.read_text())):
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.002)
        return int(found[1].rpartition(":")[2])

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid, how)

    def wait(self) -> int:
        """Return how it ended: its exit code, or minus the signal."""
        return int(self.zygote.ask({"wait": self.pid}))


class Zygote:
    """A context with the process; `buffered` gives its recorders a writer that is wrong."""

    def __init__(self, env: dict[str, str], *, buffered: bool = False) -> None:
        self._env = os.environ | env
        self._options = ["--buffered"] if buffered else []
        self._unended: set[int] = set()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.zygote", *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=self._env,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._unended:  # those of a test that has failed
            os.kill(pid, signal.SIGKILL)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def record(self, log: Path, *arguments: str | Path) -> Recorder:
        """Start `tokentape record` with these arguments; what it says goes to `log`."""
        log.touch()
        command = ["record", *map(str, arguments), "--listen", "127.0.0.1:0"]
        pid = self.ask({"run": command, "log": str(log)})
        self._unended.add(pid)
        return Recorder(self, pid, log)

    def ask(self, what: dict[str, Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self._unended.discard(what.get("wait", 0))
        return answer


def _main() -> None:
    main = _command()
    if "--buffered" in sys.argv:
        _write_with_a_buffer()
    gc.freeze()
    for line in sys.stdin:
        match json.loads(line):
            case {"run": arguments, "log": log}:
                pid = os.fork()
                if not pid:
                    _become(main, arguments, log)
                _answer(pid)
            case {"wait": pid}:
                _answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _answer(what: int) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def _command() -> Callable[..., None]:
    """Import all that a recorder needs."""
    import mitmproxy.addons  # noqa: F401

    import tokentape.cli.record
    import tokentape.recorder.proxy  # noqa: F401
    from tokentape.cli import main

    return main


def _become(main: Callable[..., None], arguments: list[str], log: str) -> None:
    """Be a recorder from here on, and nothing of this process."""
    status = 1
    try:
        for fd, name, flags in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY), (2, log, os.O_WRONLY)):
            os.dup2(os.open(name, flags | os.O_APPEND), fd)
        main(arguments, prog_name="tokentape")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _write_with_a_buffer() -> None:
    """Give the cassette's writer what it must not have: 8 kB of a buffer in this process."""
    from tokentape.cassette import _writer

    class Buffered:
        held = b""

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def write(self, fd: int, data: bytes) -> int:
            self.held += data
            if len(self.held) > 8192:
                os.write(fd, self.held)
                self.held = b""
            return len(data)

    _writer.os = Buffered()  # type: ignore[assignment]


if __name__ == "__main__":
    _main()
