from msgspec.structs import replace

from tests.cassette.tapes import CLOSE, NOTE, RECORDS, REQUEST, SECTION, closed, entries, exchange, raw
from tokentape.cassette import Record, Survey, Unknown
from tokentape.cassette._survey import OTHERS, Largest, Tally

UNKNOWN = Unknown(kind=200, payload=b"\x91\xcc\xc8")


def survey(*records: Record) -> Survey:
    found = Survey(lambda request: request.body.decode() if request.body else None)
    for entry in entries(*records):
        found.add(entry)
    found.finish()
    return found


def test_everything_is_counted():
    found = survey(
        *closed(SECTION, *exchange(0), *exchange(1, 3, host="b", status=429), NOTE, UNKNOWN),
        *(SECTION, *exchange(0)[:3], replace(REQUEST, exchange=1, body=b"")),
    )
    assert (found.exchanges, found.chunks, found.notes, found.unknown) == (4, 6, 1, 1)
    assert found.hosts.most_common() == {"api.example": 3, "b": 1}
    assert found.models.most_common() == {'{"model":"m"}': 3, "(none)": 1}
    assert found.outcomes.most_common() == {"complete": 2, "interrupted": 2}
    assert found.statuses.most_common() == {"200": 2, "429": 1, "no response": 1}
    assert found.bytes == 6 * len(b"data: 0.0\n\n")
    assert found.request_bytes == 3 * len(b'{"model":"m"}')
    assert found.largest == Largest(section=0, exchange=1, bytes=33)
    assert found.redactions == 4
    assert [(each.closed, each.exchanges, each.chunks, each.bytes) for each in found.sections] == [
        (True, 2, 5, 55),
        (False, 2, 1, 11),
    ]


def test_a_section_lasts_until_its_last_time():
    (section,) = survey(*RECORDS).sections
    assert (section.start_ns, section.duration_ns) == (SECTION.wall_ns, CLOSE.t)
    assert section.end_ns == SECTION.wall_ns + CLOSE.t
    (early,) = survey(SECTION, replace(NOTE, t=-5)).sections
    assert early.end_ns == SECTION.wall_ns


def test_a_date_that_is_not_known_is_none():
    (section,) = survey(replace(SECTION, wall_ns=0), NOTE).sections
    assert (section.start_ns, section.end_ns, section.duration_ns) == (None, None, NOTE.t)
    (lost,) = survey(*RECORDS[1:]).sections
    assert (lost.section, lost.start_ns, lost.exchanges) == (None, None, 1)


def test_an_exchange_whose_request_was_lost_is_counted():
    found = survey(SECTION, *exchange(3)[1:])
    assert (found.exchanges, found.outcomes.counts) == (1, {"complete": 1})


def test_the_size_is_what_the_entries_reach_to():
    assert survey(*RECORDS).size == len(raw(*RECORDS))


def test_a_tally_takes_memory_for_so_many_names_and_no_longer_ones():
    tally = Tally()
    for number in range(3000):
        tally.add(str(number % 1500))
    assert len(tally.counts) == 1001
    assert sum(tally.counts.values()) == 3000
    assert next(iter(tally.most_common())) == OTHERS
    tally = Tally()
    tally.add("x" * 10_000)
    assert max(map(len, tally.counts)) < 300
