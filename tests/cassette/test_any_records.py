"""Records in an order that no recorder writes: nothing that looks at them raises, and nothing is dropped."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.cassette.tapes import CHUNKS, CLOSE, END, NOTE, REQUEST, RESPONSE, SECTION, entries
from tokentape.cassette import Close, Note, Section, Split, Survey, Unknown, Verification

OF_EXCHANGES = [
    replace(record, exchange=number)
    for record in (REQUEST, RESPONSE, *CHUNKS, END, NOTE, replace(CHUNKS[0], t=-(2**60), data=b""))
    for number in (0, 1, 2**60)
]
ANY = st.sampled_from([SECTION, CLOSE, NOTE, Unknown(kind=99, payload=b"\x91\x63"), *OF_EXCHANGES])


@given(st.lists(ANY, max_size=25))
def test_anything_can_be_verified_and_counted(records):
    verification, survey = Verification(), Survey()
    for entry in entries(*records):
        verification.add(entry)
        survey.add(entry)
    verification.finish()
    survey.finish()
    assert verification.losses + verification.warnings == len(verification.findings)
    assert all(str(finding) for finding in verification.findings)
    assert sum(survey.outcomes.counts.values()) == survey.exchanges
    assert sum(survey.statuses.counts.values()) == survey.exchanges
    assert sum(section.chunks for section in survey.sections) == survey.chunks
    assert len([section for section in survey.sections if section.section]) == records.count(SECTION)


@given(st.lists(ANY, max_size=25))
def test_each_record_of_an_exchange_is_in_one_part_and_in_its_place(records):
    found = entries(SECTION, *records)
    split = Split(lambda section, number, request: f"{section} {number}")
    for entry in found:
        split.add(entry)
    made: list[list[bytes]] = [[] for _ in split.parts]
    for index, payload in split.routed(found, range(len(made))):
        made[index].append(payload)
    alone = Counter(
        entry.payload for entry in found if not isinstance(entry.record, Section | Close | Note | Unknown)
    )
    assert alone <= Counter(payload for part in made for payload in part)
    order = [entry.payload for entry in found]
    for part in made:
        assert part[0] == found[0].payload
        kept = [payload for payload in part if payload in alone]
        assert is_within(kept, order)


def is_within(part: list[bytes], whole: list[bytes]) -> bool:
    """Whether the part is some of the whole, in its order."""
    rest = iter(whole)
    return all(any(other == each for other in rest) for each in part)
