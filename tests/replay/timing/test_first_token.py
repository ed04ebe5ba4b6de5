"""TTFT ends, and gaps begin, at the piece that completed the first event with generated text."""

import gzip
import json

import pytest

from tests.replay.recordings import MS, SSE_HEADERS, as_exchange, exchange
from tests.streams import choice, chunk, event, openai_usage
from tokentape.replay import Timing
from tokentape.replay._script import script
from tokentape.replay._wire import prepare
from tokentape.replay.timing._first_token import first_token

ROLE = event(chunk(choice(role="assistant", content="")))
HELLO = event(chunk(choice(content="Hello")))
DONE = b"data: [DONE]\n\n"


def timed(*pieces):
    return [(10.0 * (n + 1), data) for n, data in enumerate(pieces)]


def found(*pieces, **options):
    return as_exchange(exchange(pieces=timed(*pieces), head_ms=5, end_ms=10.0 * (len(pieces) + 1), **options))


def due_ms(recorded, **words):
    return [offset / MS for offset, _ in prepare(recorded, timing=Timing.of(**words)).parts]


@pytest.mark.parametrize(
    ("pieces", "index"),
    [
        ((ROLE, HELLO, DONE), 1),
        ((b": wait\n\n", ROLE, HELLO), 2),
        ((ROLE + HELLO, DONE), 0),
        ((ROLE, HELLO[:9], HELLO[9:]), 2),
        ((ROLE, DONE), None),
        ((b"data: 1\n\n", b"data: 2\n\n"), None),
        ((), None),
    ],
)
def test_it_is_the_piece_that_completed_the_first_event_with_text(pieces, index):
    assert first_token(found(*pieces)) == index


def test_it_is_found_in_a_body_that_is_encoded():
    body = gzip.compress(ROLE + HELLO + DONE)
    headers = ((b"content-encoding", b"gzip"), *SSE_HEADERS)
    at = first_token(found(*(body[n : n + 1] for n in range(len(body))), headers=headers))
    assert at is not None
    assert len(body) // 2 < at < len(body)


def test_empty_pieces_are_not_counted_as_they_are_not_sent():
    recorded = found(b"", ROLE, b"", HELLO, DONE)
    assert first_token(recorded) == 3
    assert script(recorded).first_token == 2


def test_without_tokens_the_first_piece_stands_for_the_first_token_and_without_a_body_the_head():
    assert script(found(b'{"a":', b"1}")).first_token == 1
    assert script(found()).first_token == 0
    assert script(found(status=None, end_reason="upstream-error")).first_token == 0
    assert script(found(HELLO, method="HEAD")).first_token == 0


def test_a_fixed_ttft_is_the_time_of_the_piece_with_the_first_token():
    recorded = found(ROLE, HELLO, HELLO, DONE)
    assert due_ms(recorded, ttft="300ms") == [75, 150, 300, 310, 320, 330]


def test_a_ttft_speed_ends_where_the_first_token_is():
    recorded = found(ROLE, HELLO, HELLO, DONE)
    assert due_ms(recorded, ttft_speed=2) == [2.5, 5, 10, 20, 30, 40]
    assert due_ms(recorded, gap_speed=2) == [5, 10, 20, 25, 30, 35]
    assert due_ms(recorded, speed=10, ttft_speed=1) == [5, 10, 20, 21, 22, 23]


def test_a_pace_begins_at_the_first_token_and_the_end_goes_with_the_last_piece():
    assert due_ms(found(ROLE, HELLO, HELLO, DONE), pace="10/s") == [5, 10, 20, 120, 220, 220]


def test_an_answer_that_failed_has_its_time_as_its_ttft():
    recorded = found(status=None, end_reason="upstream-error")
    assert due_ms(recorded, ttft="300ms", pace="1/s") == [300]


@pytest.mark.parametrize("words", [{"ttft": "1s"}, {"pace": "1/s"}, {"ttft_speed": 3}, {"delay": "1s"}])
def test_a_timing_changes_no_byte(words):
    stream = openai_usage()
    recorded = found(*stream.pieces)
    changed = prepare(recorded, timing=Timing.of(**words)).parts
    assert [data for _, data in changed] == [data for _, data in prepare(recorded, timing=Timing()).parts]


def test_a_stream_in_json_alone_has_no_token_to_wait_for():
    body = json.dumps({"choices": [{"message": {"content": "Hello"}}]}).encode()
    assert due_ms(found(body[:4], body[4:]), ttft="300ms") == [150, 300, 310, 320]
