import msgspec
import pytest

from tests.cassette.tapes import CHUNKS, CLOSE, END, NOTE, REQUEST, RESPONSE, SECTION, write
from tokentape import cassette


def of(number, *records):
    return [msgspec.structs.replace(record, exchange=number) for record in records]


@pytest.fixture
def path(tmp_path):
    """Two exchanges whose records alternate, one that was interrupted, then another section."""
    one, other = of(0, REQUEST, RESPONSE, *CHUNKS, NOTE, END), of(1, REQUEST, RESPONSE, *CHUNKS, NOTE, END)
    mixed = [record for pair in zip(one, other, strict=True) for record in pair]
    interrupted = of(2, REQUEST, *CHUNKS)
    again = of(2, REQUEST, RESPONSE, CHUNKS[0])
    return write(tmp_path / "a.tape", SECTION, *mixed, *interrupted, SECTION, *again, CLOSE)


def entries(path):
    with cassette.open(path) as tape:
        return list(tape.entries())


def test_every_request_leads_to_the_exchange_that_a_reader_finds(path):
    with cassette.open(path) as tape:
        read = list(cassette.exchanges(tape))
    offsets = [entry.offset for entry in entries(path) if isinstance(entry.record, cassette.Request)]
    assert len(offsets) == len(read) == 4
    for offset, expected in zip(offsets, read, strict=True):
        found, whole = cassette.exchange_at(path, offset)
        assert whole
        for name in ("number", "request", "response", "chunks", "end", "notes"):
            assert getattr(found, name) == getattr(expected, name)


def test_every_other_place_is_refused(path):
    requests = {entry.offset for entry in entries(path) if isinstance(entry.record, cassette.Request)}
    for offset in set(range(path.stat().st_size + 5)) - requests:
        with pytest.raises(cassette.Corrupt):
            cassette.exchange_at(path, offset)
    with pytest.raises(cassette.Unreadable):
        cassette.exchange_at(path.with_name("none.tape"), 0)


def test_damage_costs_what_it_hit(path):
    read = entries(path)
    spoilt = bytearray(path.read_bytes())
    spoilt[read[5].offset + 12] ^= 1  # the first piece of the first exchange
    path.write_bytes(spoilt)
    found, whole = cassette.exchange_at(path, read[1].offset)
    assert whole
    assert [chunk.data for chunk in found.chunks] == [CHUNKS[1].data]
    assert found.end == END


def test_no_more_is_read_than_the_limit_and_that_is_said(path):
    read = entries(path)
    start = read[1].offset
    for limit in range(read[2].offset - start, read[-1].offset - start):
        found, whole = cassette.exchange_at(path, start, max_bytes=limit)
        end = next(entry.offset for entry in read[12:])  # behind the end record of the first exchange
        assert (found.end is not None) is (limit >= end - start)
        assert whole is (found.end is not None)


def test_an_exchange_under_way_is_all_there_is(path):
    last = [entry.offset for entry in entries(path) if isinstance(entry.record, cassette.Request)][-1]
    found, whole = cassette.exchange_at(path, last, max_bytes=1 << 20)
    assert (found.end, whole) == (None, True)
