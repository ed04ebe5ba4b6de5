"""A connection without a socket: what it does when its transport takes no more, and as time passes."""

import errno
import socket

import pytest

from tests.replay.recordings import post
from tokentape.replay import Limits
from tokentape.replay._reply import Reply
from tokentape.replay.serving._connection import Connection
from tokentape.replay.timing._lateness import Lateness
from tokentape.replay.timing._pacer import Pacer

S = 1_000_000_000


class World:
    """A connection with the transport and the timer that it is given, and a clock that it is shown."""

    def __init__(self, reply=None, **limits):
        self.now = 1
        self.unread = 0
        self.log = []
        self.asked = 0
        self.reading = True
        self.error = 0  # of the socket
        self._reply = reply or Reply(now=b"answer")
        self.pacer = Pacer(Lateness(), clock=lambda: self.now, timer=self._timer)
        self.connection = Connection(
            answer=self._answer,
            pacer=self.pacer,
            clock=lambda: self.now,
            limits=Limits(**limits),
            opened=lambda _: None,
            lost=lambda _: None,
            remark=lambda _: None,
        )
        self.connection.connection_made(self)

    def _timer(self, callback):
        self.fire = callback
        return self

    def _answer(self, _):
        self.asked += 1
        return self._reply

    def at(self, s):
        """What is overdue then."""
        self.now = s * S
        return self.connection.end_if_overdue(self.now)

    # What the connection asks of its transport, and the pacer of its timer.

    def write(self, data):
        self.log.append(data)

    def close(self):
        self.log.append("closed")

    def abort(self):
        self.log.append("aborted")

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def get_write_buffer_size(self):
        return self.unread

    def get_extra_info(self, _):
        return self

    def setsockopt(self, *_):
        pass

    def getsockopt(self, level, option):
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        return self.error

    def is_closing(self):
        return False

    def arm(self, _):
        pass


def test_what_is_asked_while_nobody_reads_is_answered_when_somebody_does():
    world = World()
    world.connection.pause_writing()
    world.connection.data_received(post() * 3)
    assert (world.log, world.asked, world.reading) == ([], 0, False)
    assert world.connection.busy
    world.connection.resume_writing()
    assert (world.log, world.asked, world.reading) == ([b"answer"] * 3, 3, True)
    assert not world.connection.busy


def test_answers_to_requests_that_came_together_wait_when_the_transport_is_full():
    world = World()
    world.write = lambda data: (world.log.append(data), world.connection.pause_writing())
    world.connection.data_received(post() * 3)
    for number in (1, 2, 3):
        assert world.log == [b"answer"] * number
        assert world.reading is (number == 3)
        world.connection.resume_writing()
    assert world.asked == 3


def test_the_end_that_a_client_wanted_comes_after_what_had_to_wait():
    world = World()
    world.connection.pause_writing()
    world.connection.data_received(post(headers="Connection: close\r\n"))
    assert world.log == []
    world.connection.resume_writing()
    assert world.log == [b"answer", "closed"]


@pytest.mark.parametrize("ending", ["close", "open"])
def test_what_follows_an_answer_that_ends_the_connection_is_not_answered(ending):
    world = World(Reply(now=b"answer", ending=ending))
    world.connection.data_received(post() * 2)
    world.connection.data_received(post())
    assert world.log == ([b"answer", "closed"] if ending == "close" else [b"answer"] * 3)


class Late:
    """An answer that is there when one says so."""

    def __init__(self, *, stays):
        self.stays = stays
        self.halted = False

    def begin(self, write, ended):
        self.come = lambda: (write(b"late"), ended("open"))

    def halt(self):
        self.halted = True


@pytest.mark.parametrize("stays", [True, False])
def test_an_answer_that_stays_is_given_to_a_client_that_sends_no_more(stays):
    late = Late(stays=stays)
    world = World(Reply(live=late))
    world.connection.data_received(post())
    assert world.connection.eof_received() is stays
    assert late.halted is not stays
    if stays:
        late.come()
        assert world.log == [b"late", "closed"]


def test_an_idle_connection_is_closed_and_what_is_written_goes_out_first():
    world = World()
    world.connection.data_received(post())
    assert world.at(75) is None
    assert world.at(77) == "idle"
    assert world.log == [b"answer", "closed"]


def test_a_part_of_a_request_is_not_answered():
    world = World()
    world.connection.data_received(post()[:-1])
    assert world.at(60) is None
    assert world.at(62) == "incomplete"
    assert world.log == ["aborted"]


def test_an_answer_that_nobody_reads_is_cut_off_and_one_that_pauses_is_not():
    world = World(Reply(parts=((0, b"1"), (10**6 * S, b"2"))))
    world.connection.data_received(post())
    assert [world.at(s) for s in range(0, 10**5, 50)] == [None] * 2_000
    world.unread = 5
    assert [world.at(10**5 + s) for s in (0, 60, 61)] == [None, None, "unread"]
    assert world.log == [b"1", "aborted"]


def test_what_is_closed_already_is_cut_off_if_nobody_reads_the_rest():
    world = World()
    world.unread = 5
    world.connection.finish()
    assert world.at(50) is None
    world.unread = 4
    assert [world.at(s) for s in (100, 160, 161)] == [None, None, "unread"]
    assert world.log == ["closed", "aborted"]


def test_a_client_that_sends_no_more_is_answered_until_the_system_says_that_it_is_gone():
    world = World(Reply(parts=((0, b"1"), (10**6 * S, b"2"))))
    world.connection.data_received(post())
    assert world.connection.eof_received()
    assert [world.at(s) for s in (1, 100, 10_000)] == [None] * 3
    assert world.log == [b"1"]
    world.error = errno.EPIPE
    assert world.at(10_001) is None
    assert world.log == [b"1", "aborted"]


def test_an_error_in_answering_ends_its_own_connection_and_no_other(caplog):
    def fail_the_second_time(_):
        if world.asked > 1:
            raise RuntimeError("expected no second request")
        return Reply(parts=((0, b"1"), (5, b"2")))

    world = World()
    world.connection._answer = lambda request: (world._answer(request), fail_the_second_time(request))[1]
    world.connection.data_received(post() * 3)
    world.now += 5
    world.fire()  # does not raise: other streams are in the same turn
    assert world.log[:3] == [b"1", b"2", "aborted"]
    assert not world.connection.busy
    assert "expected no second request" in caplog.text
