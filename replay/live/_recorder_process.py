"""The recorder beside a replay: `tokentape record`, as a process of the same interpreter on a free port.

It is told to end by SIGTERM, at which it closes its file, and it ends by itself when this process is gone,
however that ended: its standard input is a pipe of ours. It is in a session of its own, so that a Ctrl-C in
the terminal is ours alone, and answers that are on their way through it can still end.

Invariant: when `stop` has returned, the process has ended.
"""

import logging
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

from tokentape.replay._errors import ReplayError

_log = logging.getLogger("tokentape.replay")
_LISTENING = re.compile(r"listening on (http://\S+)")
_KNOWN = re.compile(r"#\d+ |listening on |  export |\s*$")  # what is said of every recording and exchange
_START_S = 60.0
_STOP_S = 30.0


class CannotRecord(ReplayError):
    """The recorder did not start, or did not write all that it should have."""


class RecorderProcess:
    """A recorder in front of `upstream`. Its methods wait, and may be called from any thread.

    `failure` is what was wrong with it: that it did not start, or ended before it was told to, or said when
    it ended that something is missing. With `says`, its remarks and its last word are logged as warnings.
    """

    def __init__(
        self, upstream: str, path: str | Path, options: Sequence[str] = (), *, says: bool = False
    ) -> None:
        command = [sys.executable, "-m", "tokentape.replay.live._recorder_child", "record"]
        self._command = [*command, "--upstream", upstream, "-o", str(path), "--listen", "127.0.0.1:0"]
        self._command += options
        self._says = says
        self._said: list[str] = []
        self._heard = Event()
        self._alone = Lock()
        self._listens = False
        self._told_to_end = False
        self._process: subprocess.Popen[str] | None = None
        self._reader: Thread | None = None
        self.failure: CannotRecord | None = None

    def start(self) -> str:
        """Return the URL at which it listens. Raises `CannotRecord`, with its own words, if it does not."""
        with self._alone:
            if self._told_to_end:
                raise CannotRecord("the recorder was not started, since the replay ends")
            self._process = subprocess.Popen(  # noqa: S603  (our own program, with its user's options)
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self._reader = Thread(
                target=self._listen, args=(self._process,), name="tokentape record", daemon=True
            )
            self._reader.start()
        self._heard.wait(_START_S)
        found = _LISTENING.search("".join(self._said))
        if found is None:
            failure = CannotRecord(f"the recorder did not start: {self._last_line()}")
            self.failure = None if self._told_to_end else failure
            self.stop()
            raise failure
        return found[1]

    def stop(self) -> None:
        """End it, and wait until it has written all."""
        with self._alone:
            self._told_to_end = True
            process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join(_STOP_S)
        if process.stdin is not None:
            process.stdin.close()
        # on Windows a process can only be ended, not asked to end
        if process.returncode and self._listens and self.failure is None and sys.platform != "win32":
            self.failure = CannotRecord(f"the recorder failed: {self._last_line()}")

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None  # noqa: S101  (it was asked for)
        with process.stderr:
            for line in process.stderr:
                self._said.append(line)
                if _LISTENING.search(line):
                    self._listens = True
                    self._heard.set()
                elif self._listens and self._says and not _KNOWN.match(line):
                    _log.warning("recorder: %s", line.rstrip())
                del self._said[:-100]
        if self._listens and not self._told_to_end:
            self.failure = CannotRecord(
                f"the recorder has ended, nothing more is recorded: {self._last_line()}"
            )
            if self._says:
                _log.error("%s", self.failure)
        self._heard.set()

    def _last_line(self) -> str:
        lines = [line.strip() for line in self._said if line.strip()]
        return lines[-1].removeprefix("Error: ") if lines else "it said nothing"


@contextmanager
def recorder(upstream: str, path: Path, options: Sequence[str] = ()) -> Iterator[str]:
    """Record while the block runs, and yield the URL that stands in front of `upstream`.

    Raises `CannotRecord` where the recorder does not start or reports a failure.
    """
    process = RecorderProcess(upstream, path, options)
    try:
        yield process.start()
    finally:
        process.stop()
    if process.failure is not None:
        raise process.failure


def base_path_of(upstream: str) -> str:
    """Return what the base URL has after the host, by the rule of `tokentape record`."""
    return urlsplit(upstream).path.rstrip("/") or "/v1"
