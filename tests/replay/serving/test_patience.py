import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay import Limits
from tokentape.replay.serving._patience import Patience

S = 1_000_000_000
LIMITS = Limits(idle_s=75, request_s=60, unread_s=30)


def looks(patience, *seconds, unread=0, busy=False):
    return [patience.overdue(s * S, unread=unread, busy=busy) for s in seconds]


def test_a_connection_without_a_request_is_idle_after_its_time():
    assert looks(Patience(LIMITS, 0), 1, 75, 76) == [None, None, "idle"]


def test_a_kept_connection_is_idle_from_the_last_answer_on():
    patience = Patience(LIMITS, 0)
    patience.received(10, 70 * S, complete=True, begun=False)
    assert looks(patience, 71, 999, busy=True) == [None, None]
    patience.answered(1_000 * S)
    assert looks(patience, 1_075, 1_076) == [None, "idle"]


def test_a_request_that_trickles_is_overdue_however_often_a_byte_comes():
    patience = Patience(LIMITS, 0)
    found = []
    for s in range(70):
        patience.received(1, s * S, complete=False, begun=True)
        found += looks(patience, s)
    assert found == [None] * 61 + ["incomplete"] * 9


def test_what_is_no_request_does_not_keep_a_connection():
    patience = Patience(LIMITS, 0)
    for s in range(70):
        patience.received(2, s * S, complete=False, begun=False)  # empty lines
    assert looks(patience, 76) == ["idle"]


def test_a_long_request_that_keeps_coming_has_its_time():
    patience = Patience(LIMITS, 0)
    for s in range(1_000):
        patience.received(16 * 1024, s * S, complete=False, begun=True)
        assert looks(patience, s) == [None]
    assert looks(patience, 1_060, 1_061) == [None, "incomplete"]


def test_a_request_that_comes_with_the_end_of_another_has_a_time_of_its_own():
    patience = Patience(LIMITS, 0)
    patience.received(1, 0, complete=False, begun=True)
    patience.received(1, 50 * S, complete=True, begun=True)
    assert looks(patience, 110, 111) == [None, "incomplete"]


def test_the_next_request_has_its_time_from_the_end_of_the_answer_before_it():
    patience = Patience(LIMITS, 0)
    patience.received(50, 0, complete=True, begun=True)
    assert looks(patience, 500, busy=True) == [None]
    assert looks(patience, 560, 561) == [None, "incomplete"]


def test_an_answer_may_take_for_ever_while_its_client_reads():
    patience = Patience(LIMITS, 0)
    assert not any(looks(patience, *range(0, 10**6, 1_000), busy=True))


@pytest.mark.parametrize("busy", [True, False])
def test_who_reads_nothing_is_overdue_and_who_reads_slowly_is_not(busy):
    patience = Patience(LIMITS, 0)
    for s in range(0, 1_000, 29):
        assert patience.overdue(s * S, unread=10_000 - s, busy=busy) is None
    assert looks(patience, 1_000, 1_030, 1_031, unread=5, busy=busy) == [None, None, "unread"]


def test_who_reads_its_answer_late_may_still_send_a_request():
    patience = Patience(LIMITS, 0)
    assert looks(patience, 1, unread=10) + looks(patience, 20, unread=5) == [None, None]
    assert looks(patience, 40, 95, 96) == [None, None, "idle"]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.booleans())))
def test_without_limits_nothing_is_ever_overdue(moments):
    patience = Patience(Limits(idle_s=None, request_s=None, unread_s=None), 0)
    for s, unread, busy in sorted(moments):
        patience.received(1, s * S, complete=False, begun=True)
        assert looks(patience, s, unread=unread, busy=busy) == [None]
