"""Faults in streams that real providers sent: each does what it says and nothing else, in every one."""

from pathlib import Path

import pytest

from tests.corpus import ABSENT, FOLDER, IS_HERE
from tests.replay.recordings import as_exchange, exchange
from tests.streams import cut
from tokentape.cassette import events
from tokentape.replay._wire import prepare
from tokentape.replay.faults import parse_fault
from tokentape.replay.faults._choosing import Asked
from tokentape.replay.faults._families import is_done
from tokentape.replay.faults._injecting import inject
from tokentape.replay.faults._unframed import unframed
from tokentape.replay.matching._request_key import request_key
from tokentape.replay.timing._timing import Timing

FILES = sorted(FOLDER.rglob("*.sse")) if IS_HERE else []
ASKED = Asked(request_key("POST", b"/v1/chat/completions", b"{}"))

pytestmark = pytest.mark.skipif(not IS_HERE, reason=ABSENT)


def data_of(body):
    return [event.data for event in events([body])]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_every_fault_does_what_it_says_to_a_real_stream(file: Path):
    body = file.read_bytes()
    pieces = [(number + 2, piece) for number, piece in enumerate(cut(body))]
    end_ms = len(pieces) + 3
    answer = prepare(as_exchange(exchange(pieces=pieces, end_ms=end_ms)), timing=Timing())
    said = data_of(body)

    def changed(text):
        found = inject(answer, [(0, parse_fault(text).effect)], ASKED, at_once=False)
        return unframed(found.answer).body if found.hit else None

    for same in ("split=7", "merge=4096", "slow-start=1s", "stall=1s@event=1"):
        assert changed(same) == body
    for number in sorted({(len(said) + 1) // 2, len(said)}):
        before, one, after = said[: number - 1], said[number - 1], said[number:]
        cut_off = changed(f"truncate@event={number}")
        assert body.startswith(cut_off)
        assert data_of(cut_off) == [*before, one]
        assert data_of(changed(f"dup@event={number}")) == [*before, one, one, *after]
        garbled = changed(f"garble@event={number}")
        if one:
            *_, other = data_of(garbled)[:number]
            assert other != one
            assert data_of(garbled) == [*before, other, *after]
        else:
            assert garbled is None
        assert data_of(changed(f"keepalive-stall=1s@event={number}")) == said
        *kept, error = data_of(changed(f"error-event@event={number}"))
        assert kept == [*before, one]
        assert b"tokentape: the fault" in error
    assert changed(f"truncate@event={len(said) + 1}") is None
    without = changed("drop-done")
    marks = [event for event in events([body]) if is_done(event, lines=False)]
    left = [event.data for event in events([body]) if not is_done(event, lines=False)]
    assert data_of(body if without is None else without) == left
    assert (without is None) == (not marks)
