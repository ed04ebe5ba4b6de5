"""Commands on a terminal, where there are bars and colours."""

import os
import pty
import subprocess
import threading


def on_a_terminal(*command):
    """What a command writes to a standard error that is a terminal, and its exit code."""
    here, there = pty.openpty()
    written = []

    def read():
        try:
            while block := os.read(here, 4096):
                written.append(block)
        except OSError:  # the other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    result = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=there, timeout=60, env=environment
    )
    os.close(there)
    reader.join(30)
    os.close(here)
    return b"".join(written), result.returncode
