from collections import defaultdict

import msgspec
from hypothesis import given
from msgspec.structs import replace

from tests.cassette.tapes import CLOSE, NOTE, SECTION, closed, entries, exchange
from tests.cassette.test_verification import recordings, verified
from tokentape.cassette import Close, Counts, Entry, Note, Record, Request, Split, Unknown

UNKNOWN = Unknown(kind=200, payload=b"\x92\xcc\xc8\x01")
LATER = replace(SECTION, wall_ns=SECTION.wall_ns + 1)
OF_ONE = replace(NOTE, exchange=1)


def by_host(section: int, number: int, request: Request | None) -> str:
    return request.host if request else "lost"


def by_exchange(section: int, number: int, request: Request | None) -> str:
    return f"{section}-{number}"


def parts(found: list[Entry], name_of=by_host, *, at_a_time: int = 100) -> dict[str, list[bytes]]:
    """The payloads of each part, by its name."""
    split = Split(name_of)
    for entry in found:
        split.add(entry)
    made: dict[str, list[bytes]] = defaultdict(list)
    for start in range(0, len(split.parts), at_a_time):
        batch = range(start, min(start + at_a_time, len(split.parts)))
        for index, payload in split.routed(found, batch):
            made[split.parts[index].name].append(payload)
    return dict(made)


def payloads(*records: Record) -> list[bytes]:
    return [entry.payload for entry in entries(*records)]


def test_each_part_has_its_exchanges_and_all_that_is_of_no_one_exchange():
    a, b = exchange(0, host="a"), exchange(1, 3, host="b")
    interleaved = [a[0], NOTE, b[0], a[1], OF_ONE, b[1], UNKNOWN, *a[2:], *b[2:]]
    found = parts(entries(*closed(SECTION, *interleaved)))
    assert found == {
        "a": payloads(*closed(SECTION, a[0], NOTE, a[1], UNKNOWN, *a[2:])),
        "b": payloads(*closed(SECTION, NOTE, b[0], OF_ONE, b[1], UNKNOWN, *b[2:])),
    }


def test_a_part_has_the_sections_of_its_exchanges():
    first = closed(SECTION, *exchange(0, host="a"))
    second = closed(LATER, *exchange(0, host="b"), NOTE)
    third = [LATER, *exchange(0, host="a")]
    empty = closed(SECTION, NOTE)
    found = parts(entries(*first, *second, *empty, *third))
    assert found == {"a": payloads(*first, *third), "b": payloads(*second)}


def test_counts_are_those_of_the_part():
    split = Split(by_host)
    for entry in entries(SECTION, *exchange(0, 2), LATER, *exchange(0, 1), *exchange(1, 4, host="b")):
        split.add(entry)
    assert [(part.name, part.counts) for part in split.parts] == [
        ("api.example", Counts(2, 3, 33)),
        ("b", Counts(1, 4, 44)),
    ]


def test_what_this_version_does_not_know_is_kept():
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(msgspec.msgpack.encode(CLOSE)), {"new": 1}])
    request = exchange(0)[0]
    more = msgspec.msgpack.encode([*msgspec.msgpack.decode(msgspec.msgpack.encode(request)), "new"])
    found = parts([*entries(SECTION), Entry(500, more, request), Entry(900, longer, CLOSE)])
    (only,) = found.values()
    assert only[1] == more
    assert msgspec.msgpack.decode(only[2])[2:] == [1, 0, 0, {"new": 1}]


@given(recordings())
def test_every_part_of_a_whole_recording_is_whole(records):
    records = [*records[:-1], NOTE, records[-1]]
    found = parts(entries(*records), by_exchange, at_a_time=2)
    exchanges = {record.exchange for record in records if isinstance(record, Request)}
    assert set(found) == {f"0-{number}" for number in exchanges}
    back = []
    for part in found.values():
        decoded = [next(entry.record for entry in entries(*records) if entry.payload == each)
                   if each in payloads(*records) else msgspec.msgpack.decode(each, type=Close)
                   for each in part]  # fmt: skip
        assert verified(decoded).verdict([]) == "whole"
        back += [each for each in decoded if not isinstance(each, Close | Note) and each != SECTION]
    assert len(back) == len(records) - 3


def test_an_exchange_that_lost_its_request_is_in_a_part_too():
    found = parts(entries(SECTION, *exchange(0)[1:], *exchange(1)))
    assert found == {
        "lost": payloads(SECTION, *exchange(0)[1:]),
        "api.example": payloads(SECTION, *exchange(1)),
    }


def test_what_came_after_the_first_pass_is_left_out():
    early, late = entries(SECTION, *exchange(0)), entries(SECTION, *exchange(0), *exchange(1))
    split = Split(by_host)
    for entry in early:
        split.add(entry)
    assert [payload for _, payload in split.routed(late, [0])] == [entry.payload for entry in early]
