"""The state behind `tokentape watch`, on a clock that stands still unless it is told."""

import tracemalloc
from itertools import product
from typing import get_args

import pytest

from tests.analysis.tapes import DONE, MS, SECTION, ZERO, chunk, data, records
from tests.streams import STREAMS
from tokentape import cassette
from tokentape.analysis.measuring._exchange import measured
from tokentape.cli._watched import Watched

CLOSE = cassette.Close(t=ZERO, exchanges=1, chunks=1, bytes=1)
TOKENS = [(200 * MS, data(chunk({"content": "a"}))), (250 * MS, data(chunk({"content": "b"})))]
WHOLE = [*TOKENS, (260 * MS, DONE)]


def after(*taken, at_ms=0.0):
    """The picture of these records, so many ms after the requests were complete."""
    watched = Watched()
    for record in taken:
        watched.take(record)
    return watched.picture(SECTION.wall_ns + ZERO + int(at_ms * MS))


def only(lines):
    (line,) = lines
    return line


def test_a_request_without_an_answer_waits():
    line = only(after(SECTION, *records([], status=None, end=None), at_ms=70).in_flight)
    assert (line.state, line.waiting_ms, line.ttft_ms, line.status) == ("waiting", 70, None, None)
    assert (line.model, line.host, line.path) == ("asked-for", "api.example", "/v1/chat/completions")


def test_an_answer_that_has_begun_and_says_nothing_waits_for_its_first_token():
    role = [(50 * MS, data(chunk({"role": "assistant"})))]
    line = only(after(SECTION, *records(role, end=None), at_ms=90).in_flight)
    assert (line.state, line.waiting_ms, line.events, line.tokens) == ("no token yet", 90, 1, 0)


def test_a_stream_has_its_times_and_counts_so_far():
    line = only(after(SECTION, *records(TOKENS, end=None), at_ms=2_250).in_flight)
    assert (line.state, line.ttft_ms, line.waiting_ms) == ("streaming", 200, None)
    assert (line.last_gap_ms, line.silent_ms) == (50, 2_000)
    assert (line.events, line.tokens, line.model, line.outcome) == (2, 2, "m-1", None)
    assert line.bytes == sum(len(piece) for _, piece in TOKENS)


def test_a_stream_that_ended_is_a_line_with_its_outcome():
    picture = after(SECTION, *records(WHOLE))
    assert picture.in_flight == []
    line = only(picture.ended)
    assert (line.state, line.outcome, line.ended_ms, line.failed) == ("ended", "complete", 260, False)
    assert (line.waiting_ms, line.silent_ms) == (None, None)


def test_a_clock_that_differs_a_little_makes_no_negative_times():
    assert only(after(SECTION, *records([], status=None, end=None), at_ms=-5).in_flight).waiting_ms == 0


@pytest.mark.parametrize(
    "more",
    [
        {"end": "upstream-error"},
        {"end": "client-closed"},
        {"end": "complete"},  # without a finish and an end mark
        {"status": 302},
        {"status": 429},
        {"pieces": [(1, b'data: {"error": {"message": "overloaded"}}\n\n')]},
    ],
)
def test_failures_are_counted(more):
    picture = after(SECTION, *records(more.pop("pieces", TOKENS), **more), *records(WHOLE, exchange=1))
    assert picture.failures == 1
    assert [line.failed for line in picture.ended] == [True, False]


def test_who_left_when_all_had_been_said_is_no_failure():
    finished = [*TOKENS, (260 * MS, data(chunk({}, "stop")))]
    for pieces in (finished, WHOLE):
        assert after(SECTION, *records(pieces, end="client-closed")).failures == 0
    assert after(SECTION, *records(finished, end="client-closed", status=500)).failures == 1


def test_a_recorder_that_was_restarted_interrupts_what_was_under_way():
    picture = after(SECTION, *records(TOKENS, end=None), SECTION, *records(TOKENS[:1], end=None))
    assert (picture.sections, picture.exchanges, picture.failures) == (2, 2, 1)
    assert (only(picture.ended).outcome, only(picture.ended).section) == ("recorder-stopped", 0)
    assert only(picture.in_flight).section == 1


def test_a_recorder_that_stopped_is_seen_and_one_that_came_back_too():
    assert after(SECTION, *records(TOKENS), CLOSE).closed
    assert not after(SECTION, CLOSE, SECTION).closed


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_the_first_token_of_every_stream_is_found(stream):
    encoding = dict(stream.headers).get("content-encoding", "")
    pieces = [(n * MS, piece) for n, piece in enumerate(stream.pieces)]
    line = only(after(SECTION, *records(pieces, encoding=encoding, path=b"/other")).ended)
    exchange = only(list(cassette.exchanges([SECTION, *records(pieces, encoding=encoding)])))
    decoded = list(cassette.events(cassette.decoded(exchange)[0]))
    firsts = [index for index in stream.first_token.values() if index is not None]
    assert line.events == len(decoded)
    assert line.ttft_ms == min(decoded[index].piece for index in firsts)


ENDINGS = [*get_args(cassette.EndReason), None]
PLAIN = (b"event: a\ndata: 1\n\n", b"event: error\ndata: overloaded\n\n")
UNSURE = tuple(b"event: ping\ndata: {}\n\n" for _ in range(3))
BODIES = {stream.name: (stream.pieces, dict(stream.headers)) for stream in STREAMS} | {
    "plain": (PLAIN[:1], {}),
    "plain error": (PLAIN, {}),
    "unsure": (UNSURE, {}),
    "an error": ((b'data: {"error": {"message": "overloaded"}}\n\n',), {}),
    "without a blank line at its end": ((data(chunk({"content": "a"})), DONE.rstrip()), {}),
    "empty": ((), {}),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/other"])
def test_a_stream_ends_here_as_it_does_in_an_analysis(name, path):
    body, headers = BODIES[name]
    pieces = [(n * MS, piece) for n, piece in enumerate(body)]
    seen = set()
    for end, status, method, size, lost in product(
        ENDINGS, (None, 200, 204, 302, 304, 429, 500), ("POST", "HEAD"), range(len(pieces) + 1), (0, 1)
    ):
        made = records(
            pieces[:size], end=end, status=status, method=method, path=path,
            encoding=headers.get("content-encoding", ""),
        )  # fmt: skip
        chunks = [record for record in made if isinstance(record, cassette.Chunk)]
        taken = [record for record in made if record not in chunks[len(chunks) - lost :]]
        line = only(after(SECTION, *taken, SECTION).ended)
        there = measured(only(list(cassette.exchanges([SECTION, *taken]))))
        assert line.outcome == there.outcome, (end, status, method, size, lost)
        assert line.failed == (there.outcome != "complete")
        assert status is None or line.events == there.answer.events
        seen.add(line.outcome)
    assert {"http-error", "recorder-stopped", "damaged", "upstream-error"} <= seen


def test_answers_that_are_no_event_stream_are_counted_and_not_read():
    line = only(after(SECTION, *records(TOKENS, content_type="application/json", end=None)).in_flight)
    assert (line.state, line.events, line.ttft_ms) == ("streaming", 0, None)


@pytest.mark.parametrize("encoding", ["gzip", "no-such"])
def test_what_cannot_be_decoded_is_counted_and_not_read(encoding):
    line = only(after(SECTION, *records(TOKENS, encoding=encoding)).ended)
    assert (line.events, line.outcome) == (0, "truncated")


def test_records_whose_exchange_is_not_known_are_passed_over():
    picture = after(SECTION, *records(TOKENS)[1:])
    assert (picture.exchanges, picture.in_flight, picture.ended) == (0, [], [])


def test_nothing_but_a_few_lines_is_kept_of_what_ended():
    watched = Watched()
    watched.take(SECTION)

    def take(numbers):
        for number in numbers:
            for record in records([(n * MS, bytes(1000)) for n in range(5)], exchange=number):
                watched.take(record)

    take(range(50))
    tracemalloc.start()
    take(range(50, 1_000))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 200_000
    assert len(watched.picture(0).ended) == 10
