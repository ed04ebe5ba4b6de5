import asyncio
import errno

import pytest

from tokentape.replay.serving._out_of_files import say_when_out_of_files


@pytest.fixture
def loop():
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_it_is_said_once_a_minute(loop, caplog, number):
    now = [0.0]
    say_when_out_of_files(loop, clock=lambda: now[0])
    counts = []
    for now[0] in (0.0, 0.1, 59.9, 60.0, 61.0, 120.0):
        loop.call_exception_handler({"message": "no more", "exception": OSError(number, "no more")})
        counts.append(len(caplog.messages))
    assert counts == [1, 1, 1, 2, 2, 3]
    assert all(message.startswith("out of file descriptors: all ") for message in caplog.messages)
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("error", [OSError(errno.ENOMEM, "no memory"), ValueError("wrong"), None])
def test_all_else_is_reported_as_it_was(loop, caplog, error):
    say_when_out_of_files(loop)
    loop.call_exception_handler({"message": "something else"} | ({"exception": error} if error else {}))
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("asyncio", "ERROR")
    assert record.message.startswith("something else")
