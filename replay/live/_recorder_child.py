"""`python -m tokentape.replay.live._recorder_child VERB ...`: the command, ended when its parent is gone.

Its standard input is a pipe that nobody writes to. When its other end is closed, also by a parent that was
killed, the process tells itself to end as with `kill`, and a recorder closes its cassette then.
"""

import os
import runpy
import signal
from threading import Thread


def _end_with_parent() -> None:
    while os.read(0, 1):  # not through sys.stdin, whose lock would be held when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module("tokentape.cli", run_name="__main__", alter_sys=True)
