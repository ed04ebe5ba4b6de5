"""The commands as processes, as a user starts and stops them."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
TOKENTAPE = (sys.executable, "-m", "tokentape.cli")
LISTENING = re.compile(r"listening (?:on|at) (?:https?://)?(\S+?:\d+)")


def run(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run(
        [*TOKENTAPE, *map(str, arguments)], check=check, capture_output=True, text=True, timeout=60
    )


def wait_until(condition: Callable[[], Any], what: str) -> None:
    """Wait until something is so, and fail if it does not come to be."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


class Process:
    """A server: entered once it listens, and stopped by a signal at the end.

    `url` is where it listens. After the end, `returncode`, `stdout` and `stderr` are what it left.
    """

    def __init__(
        self, *command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self._command = [str(part) for part in command]
        self._env = os.environ | (env or {})
        self._cwd = cwd
        self.url = ""
        self.returncode: int | None = None
        self.stdout = ""
        self._lines: list[str] = []

    @classmethod
    def tokentape(cls, *arguments: str | Path, env: dict[str, str] | None = None) -> Self:
        return cls(*TOKENTAPE, *arguments, "--listen", "127.0.0.1:0", env=env)

    @property
    def stderr(self) -> str:
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait_for(self, words: str, timeout_s: float = 30) -> bool:
        """Whether words come on stderr in time."""
        until = time.monotonic() + timeout_s
        while words not in self.stderr and time.monotonic() < until:
            time.sleep(0.02)
        return words in self.stderr

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if "mitm" in Path(self._command[0]).name else subprocess.PIPE,
            text=True,
            env=self._env,
            cwd=self._cwd,
        )
        listening = threading.Event()
        source = self._process.stderr or self._process.stdout
        assert source is not None

        def read() -> None:
            for line in source:
                self._lines.append(line)
                if found := LISTENING.search(line):
                    self.url = f"http://{found[1]}"
                    listening.set()
            listening.set()

        def read_stdout() -> None:  # also while it runs: a pipe that is full would keep it from ending
            if self._process.stderr is not None and self._process.stdout is not None:
                self.stdout = self._process.stdout.read()

        self._readers = [threading.Thread(target=read), threading.Thread(target=read_stdout)]
        for reader in self._readers:
            reader.start()
        if not listening.wait(60) or not self.url:
            self._process.kill()
            self._join()
            raise AssertionError(f"{self._command} does not listen:\n{self.stderr}")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self.returncode is not None:
            return
        self._process.send_signal(how)
        try:
            self.returncode = self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.returncode = self._process.wait()
        self._join()
        if self._process.stderr is None:
            self.stdout = self.stderr
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _join(self) -> None:
        for reader in self._readers:
            reader.join()
