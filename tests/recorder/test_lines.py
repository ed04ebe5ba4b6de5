import fcntl
import os
from contextlib import suppress

import pytest

from tokentape.recorder.lines import Lines

pytestmark = pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="needs a pipe of a known size")


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    yield reading, writing
    for descriptor in (reading, writing):
        with suppress(OSError):
            os.close(descriptor)


def test_a_line_is_there_at_once(pipe):
    reading, writing = pipe
    Lines(writing).say("one")
    assert os.read(reading, 100) == b"one\n"


def test_lines_that_nobody_reads_are_dropped_and_counted(pipe):
    reading, writing = pipe
    lines = Lines(writing)
    for number in range(100):
        lines.say(f"{number} ".ljust(100, "x"))
    shown = os.read(reading, 10_000).decode().splitlines()
    assert [line.split()[0] for line in shown] == [str(number) for number in range(len(shown))]
    assert lines.dropped == 100 - len(shown) > 0
    lines.say("the next")
    assert os.read(reading, 10_000).decode().splitlines() == [
        f"({100 - len(shown)} lines before this one were dropped, since nobody read them)",
        "the next",
    ]
    assert lines.dropped == 0


def test_the_last_line_is_shown_after_all_if_somebody_reads_then(pipe):
    reading, writing = pipe
    lines = Lines(writing)
    for number in range(100):
        lines.say(f"{number} ".ljust(100, "x"))
    dropped = lines.dropped
    lines.finish(wait_s=0.001)
    assert lines.dropped == dropped
    os.read(reading, 10_000)
    lines.finish(wait_s=10)
    assert os.read(reading, 10_000).decode().splitlines() == [
        f"({dropped - 1} lines before this one were dropped, since nobody read them)",
        "99 ".ljust(100, "x"),
    ]
    lines.finish(wait_s=0)
    assert lines.dropped == 0


def test_a_line_that_no_pipe_takes_at_once_is_cut(pipe):
    reading, writing = pipe
    Lines(writing).say("x" * 100_000)
    assert os.read(reading, 100_000) == b"x" * 4_000 + b"\n"


def test_a_reader_that_is_gone_ends_the_lines_quietly(pipe):
    reading, writing = pipe
    lines = Lines(writing)
    os.close(reading)
    lines.say("one")
    lines.say("two")


def test_without_a_descriptor_lines_go_nowhere():
    Lines(None).say("one")


def test_what_cannot_be_encoded_is_shown_by_its_code(pipe):
    reading, writing = pipe
    Lines(writing).say("a\udc80b")
    assert os.read(reading, 100) == b"a\\udc80b\n"
