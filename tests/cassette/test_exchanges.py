import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.tapes import (
    CHUNKS,
    CLOSE,
    END,
    NOTE,
    RECORDS,
    REQUEST,
    RESPONSE,
    SECTION,
    closed,
    exchange,
    raw,
)
from tokentape.cassette import Entry, Reader, Unknown, Verification, exchanges, whole_entries

replace = msgspec.structs.replace


def test_an_exchange_gathers_its_records():
    (exchange,) = exchanges(RECORDS)
    assert exchange.section == SECTION
    assert exchange.request == REQUEST
    assert exchange.response == RESPONSE
    assert exchange.chunks == list(CHUNKS)
    assert exchange.end == END
    assert exchange.body == CHUNKS[0].data + CHUNKS[1].data
    assert exchange.lost_chunks == 0


def test_interleaved_exchanges_are_kept_apart_and_come_as_they_end():
    second = [replace(record, exchange=1) for record in (REQUEST, CHUNKS[0], END)]
    found = list(exchanges([SECTION, REQUEST, second[0], CHUNKS[0], second[1], second[2], CHUNKS[1], END]))
    assert [(exchange.number, len(exchange.chunks)) for exchange in found] == [(1, 1), (0, 2)]


def test_an_exchange_without_an_end_is_yielded_when_the_section_is_over():
    later = [SECTION, replace(REQUEST, path=b"/later"), END]
    found = list(exchanges([SECTION, REQUEST, CHUNKS[0], *later]))
    assert [(e.section_index, e.end is None, e.request and e.request.path) for e in found] == [
        (0, True, REQUEST.path),
        (1, False, b"/later"),
    ]


def test_a_lost_chunk_is_counted():
    (exchange,) = exchanges([SECTION, REQUEST, CHUNKS[0], END])
    assert exchange.lost_chunks == 1


def test_a_lost_section_leaves_its_exchanges_without_one():
    (exchange,) = exchanges([REQUEST, END])
    assert exchange.section is None
    assert exchange.section_index == 0


def test_notes_and_unknown_records_disturb_nothing():
    unknown = Unknown(kind=200, payload=b"")
    of_it = replace(NOTE, exchange=0)
    (exchange,) = exchanges([SECTION, unknown, REQUEST, NOTE, of_it, END, CLOSE])
    assert exchange.notes == [of_it]


@pytest.mark.parametrize("lost", range(3))
def test_a_lost_section_is_counted_as_where_it_is_recovered(lost):
    sections = [closed(SECTION, *exchange(0), *exchange(1)) for _ in range(3)]
    del sections[lost][0]
    data = raw(*(record for section in sections for record in section))
    found = list(exchanges(Reader(io.BytesIO(data), lenient=True)))
    assert [(each.section_index, each.number) for each in found] == [
        (section, number) for section in range(3) for number in range(2)
    ]
    assert [each.section_index for each in found if each.section is None] == [lost, lost]
    mended = exchanges(entry.record for entry in whole_entries(Reader(io.BytesIO(data), lenient=True)))
    assert [each.section_index for each in mended] == [each.section_index for each in found]


def test_a_piece_behind_a_close_is_of_another_exchange():
    cut = [SECTION, REQUEST, RESPONSE, CHUNKS[0], CLOSE, CHUNKS[1], END]
    assert [(each.section_index, each.chunks) for each in exchanges(cut)] == [
        (0, [CHUNKS[0]]),
        (1, [CHUNKS[1]]),
    ]


def warned_of_time(records):
    verification = Verification()
    for record in records:
        verification.add(Entry(0, b"\x98", record))
    verification.finish()
    return any("go back" in found.what for found in verification.findings)


@given(
    st.lists(st.integers(-3, 6), min_size=6, max_size=6),
    st.sampled_from(["all", "headers", "none"]),
    st.booleans(),
)
def test_times_go_back_where_verifying_warns_of_it(times, known, ended):
    t, t_end, answered, first, second, end = times
    records = [
        SECTION,
        replace(REQUEST, t=t, t_end=t_end, times=known),
        replace(RESPONSE, t=answered),
        replace(CHUNKS[0], t=first),
        replace(CHUNKS[1], t=second),
        *([replace(END, t=end)] if ended else []),
    ]
    (found,) = exchanges(records)
    assert found.times_go_back == warned_of_time(records)


@pytest.mark.parametrize("again", [REQUEST, RESPONSE])
def test_a_second_request_or_response_before_the_end_is_said(again):
    assert [each.is_mixed for each in exchanges([SECTION, REQUEST, RESPONSE, again, *CHUNKS, END])] == [True]
    assert [each.is_mixed for each in exchanges(RECORDS)] == [False]
