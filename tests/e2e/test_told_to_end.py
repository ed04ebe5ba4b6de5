"""Verbs that make files and are told to end in the middle of it, by a real signal."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time

import pytest

from tests.e2e.processes import TOKENTAPE

DEADLINE_S = 30
JSONL = b'{"format": "tokentape-jsonl", "version": 1}\n'
MADE = ["o.tape", "o.tape.zst", "o.jsonl", "o.har", "o.flow"]


def is_under_way(process, folder):
    """Whether the file was begun and all that there is of the input was read, which comes after."""
    waiting = fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4))
    return bool(os.listdir(folder)) and waiting == bytes(4)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", MADE)
def test_no_half_made_file_is_left(name, number, tmp_path):
    command = [*TOKENTAPE, "convert", "--from", "jsonl", "-", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(JSONL)
        process.stdin.flush()
        deadline = time.monotonic() + DEADLINE_S
        while not is_under_way(process, tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert is_under_way(process, tmp_path)
        process.send_signal(number)
        try:
            process.wait(DEADLINE_S)
        finally:
            process.kill()
        assert (process.returncode, process.stderr.read()) == (128 + number, b"")
    assert os.listdir(tmp_path) == []


def test_a_hang_up_that_is_ignored_stays_so():
    """As `nohup` has it."""
    program = (
        "import os, signal; from tokentape.cli._ending import unwinding\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with unwinding(): os.kill(os.getpid(), signal.SIGHUP)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=DEADLINE_S)
