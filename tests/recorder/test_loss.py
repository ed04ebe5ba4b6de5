import logging

import pytest

from tests.recorder.test_part import Clock
from tokentape.recorder._loss import REPEAT_NS, Loss

FULL = OSError(28, "No space left on device")


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.ERROR)
    return lambda: [record.getMessage() for record in caplog.records]


def test_the_first_error_is_said_and_is_the_one_that_counts(lines):
    told = []
    loss = Loss(Clock(), on_error=lambda: told.append(1), then="and so on")
    loss.fail("a.tape", FULL)
    loss.fail("b.tape", OSError(5, "Input/output error"))
    assert lines() == ["a.tape: THE RECORDING HAS STOPPED, and so on: No space left on device"]
    assert loss.error is FULL
    assert told == [1]


def test_the_loss_is_said_again_every_so_often_while_traffic_is_lost(lines):
    clock = Clock()
    loss = Loss(clock)
    loss.fail("a.tape", FULL)
    loss.exchange()
    for _ in range(10):
        clock.ns += REPEAT_NS // 4
        loss.piece()
    assert [line.partition("goes on: ")[2] for line in lines()[1:]] == [
        "1 exchange and 4 pieces unrecorded so far",
        "1 exchange and 8 pieces unrecorded so far",
    ]


def test_while_nothing_is_lost_nothing_is_said(lines):
    clock = Clock()
    loss = Loss(clock)
    loss.fail("a.tape", FULL)
    clock.ns += 10 * REPEAT_NS
    assert len(lines()) == 1
    loss.exchange()
    assert lines()[1].endswith("1 exchange and 0 pieces unrecorded so far")
