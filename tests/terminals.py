"""Commands on a terminal, where there are bars and colours."""

import os
import pty
import subprocess
import sys
import threading
from contextlib import contextmanager

from rich.progress import Progress

from tokentape.progress import _bar


def bars(after_s):
    """Have bars appear after such a time, and return what waits for one, if standard error is a terminal."""
    shown, start = threading.Event(), Progress.start

    def started(progress):
        start(progress)
        shown.set()

    _bar.AFTER_S = after_s
    Progress.start = started
    return lambda at_most_s=30: shown.wait(at_most_s if sys.stderr.isatty() else 0)


@contextmanager
def terminal():
    """A terminal for a process, and the blocks that are written to it, all of them when this is over."""
    here, there = pty.openpty()
    written = []

    def read():
        try:
            while block := os.read(here, 65536):
                written.append(block)
        except OSError:  # the other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield there, written
    finally:
        os.close(there)
        reader.join(30)
        os.close(here)


def on_a_terminal(*command):
    """What a command writes to a standard error that is a terminal, and its exit code."""
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with terminal() as (there, written):
        result = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=there, timeout=60, env=environment
        )
    return b"".join(written), result.returncode
