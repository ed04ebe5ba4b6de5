"""The other verbs as processes of their own, started and stopped as a user would."""

import re
import signal
import subprocess
import sys
import threading
from types import TracebackType
from typing import Self

import click

_LISTENING = re.compile(r"listening on (http://\S+)")


class Verb:
    """A verb that serves. It starts with the object; `url` waits until it listens.

    `stop()` returns what it printed to stdout. Raises ClickException with its last words if it ends
    before it listens.
    """

    def __init__(self, *arguments: str) -> None:
        self._name = f"tokentape {arguments[0]}"
        self._process = subprocess.Popen(  # noqa: S603  (our own verbs)
            [sys.executable, "-m", "tokentape.cli", *arguments, "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the demo, which then stops this
        )
        self._url: str | None = None
        self._said: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        self._listening.wait(60)
        if self._url is None:
            last = self._said[-1].strip() if self._said else "it said nothing"
            raise click.ClickException(f"{self._name} did not start: {last.removeprefix('Error: ')}")
        return self._url

    def stop(self) -> str:
        """Stop it as Ctrl-C does, and return its output; once more returns nothing."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        assert self._process.stdout is not None  # noqa: S101  (it is a pipe)
        assert self._process.stderr is not None  # noqa: S101
        if self._process.stdout.closed:
            return ""
        output = self._process.stdout.read()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._process.stderr.close()
        return output

    def _read(self) -> None:
        assert self._process.stderr is not None  # noqa: S101
        for line in self._process.stderr:
            self._said.append(line)
            if self._url is None and (found := _LISTENING.search(line)):
                self._url = found[1]
                self._listening.set()
        self._listening.set()
