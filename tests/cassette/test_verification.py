from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

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
    entries,
    exchange,
)
from tokentape.cassette import Damage, Entry, Record, Unknown, Verification

TORN = Damage(100, 5, "why", torn=True)
HIT = Damage(100, 5, "why")


def verified(records: Iterable[Record], **options: int) -> Verification:
    return checked(entries(*records), **options)


def checked(found: Iterable[Entry], **options: int) -> Verification:
    verification = Verification(**options)
    for entry in found:
        verification.add(entry)
    verification.finish()
    return verification


@st.composite
def recordings(draw: st.DrawFn) -> list[Record]:
    """What a recorder writes: exchanges in the order of their numbers, their records interleaved."""
    waiting = [exchange(number, draw(st.integers(0, 3))) for number in range(draw(st.integers(1, 4)))]
    records: list[Record] = [SECTION]
    begun = 0
    while any(waiting):
        choices = [n for n, left in enumerate(waiting) if left and n <= begun]
        chosen = draw(st.sampled_from(choices))
        begun = max(begun, chosen + 1)
        records.append(waiting[chosen].pop(0))
    return closed(*records)


@given(recordings(), st.data())
def test_what_a_recorder_writes_gives_no_finding_whole_or_cut_off(records, data):
    assert verified(records).verdict([]) == "whole"
    cut = data.draw(st.integers(0, len(records) - 1))
    found = verified(records[:cut])
    assert (found.findings, found.verdict([]), found.verdict([TORN])) == ([], "interrupted", "torn")


@given(recordings(), st.data())
def test_a_record_that_was_taken_out_is_missed(records, data):
    # but for the last, without which it is as if it had been interrupted
    out = data.draw(st.integers(1, len(records) - 2))
    left = [*records[:out], *records[out + 1 :]]
    assert verified(left).verdict([]) == "corrupt"


def test_damage_decides_with_the_findings():
    assert verified(RECORDS).verdict([HIT]) == "corrupt"
    assert verified(RECORDS[:-1]).verdict([TORN, HIT]) == "corrupt"
    assert verified(RECORDS[:-1]).verdict([TORN]) == "torn"


second = exchange(1)
LOSSES: dict[str, list[Record]] = {
    "counts 2 pieces": [SECTION, REQUEST, RESPONSE, CHUNKS[0], END],
    "1 and 16 are there": [SECTION, REQUEST, RESPONSE, CHUNKS[0], END],
    "counts 2 pieces and 30 bytes; 2 and 29": [
        SECTION, REQUEST, RESPONSE, CHUNKS[0], replace(CHUNKS[1], data=b"x" * 13), END,
    ],
    "a response, and its request is missing": [SECTION, RESPONSE, *CHUNKS, END],
    "a piece, and its response is missing": [SECTION, REQUEST, *CHUNKS, END],
    "it is complete, and its response is missing": [SECTION, REQUEST, replace(END, chunks=0, bytes=0)],
    "a chunk after its end": [SECTION, *RECORDS[1:6], replace(CHUNKS[1], t=END.t)],
    "a second response": [SECTION, REQUEST, RESPONSE, RESPONSE],
    "a second request of this number": [SECTION, *RECORDS[1:6], REQUEST],
    "its end record is missing": [SECTION, REQUEST, RESPONSE, *CHUNKS, CLOSE],
    "the close record counts 1 request, 2 pieces and 30 bytes; 0, 0 and 0 are there": [SECTION, CLOSE],
    "a request after the close": [*RECORDS, *exchange(0)],
    "a second close record": [*RECORDS, CLOSE],
    "a chunk after the close": [*closed(SECTION, *exchange(0)), CHUNKS[0]],
}  # fmt: skip


@pytest.mark.parametrize("what", LOSSES)
def test_a_loss_is_named_and_makes_the_file_corrupt(what):
    found = verified(LOSSES[what])
    assert what in str(found.findings[0])
    assert found.findings[0].is_loss
    assert found.verdict([]) == "corrupt"


early = replace(CHUNKS[1], t=RESPONSE.t - 1)
WARNINGS: dict[str, list[Record]] = {
    "its times go back by 100000001 ns": [SECTION, REQUEST, RESPONSE, CHUNKS[0], early, END, CLOSE],
    "its times go back": [SECTION, replace(REQUEST, t_end=0), *RECORDS[2:]],
    "comes after that of exchange 1": closed(SECTION, *second, *exchange(0)),
    "an empty piece": closed(
        SECTION, REQUEST, RESPONSE, replace(CHUNKS[0], data=b""), replace(END, chunks=1, bytes=0)
    ),
    "a note of an exchange that has no request": [SECTION, replace(NOTE, exchange=7), *RECORDS[1:]],
}


@pytest.mark.parametrize("what", WARNINGS)
def test_a_broken_rule_is_a_warning_and_the_file_is_whole(what):
    found = verified(WARNINGS[what])
    assert what in str(found.findings[0])
    assert (found.warnings, found.losses, found.verdict([])) == (1, 0, "whole")


def test_what_one_exchange_does_wrong_again_and_again_is_said_once():
    pieces = [replace(CHUNKS[0], t=-n, data=b"") for n in range(9)]
    assert verified([SECTION, REQUEST, RESPONSE, *pieces]).warnings == 2
    lost_request = verified([SECTION, *CHUNKS, *CHUNKS, *CHUNKS])
    assert (lost_request.losses, lost_request.unended) == (1, 1)


@pytest.mark.parametrize(("times", "warnings"), [("all", 1), ("headers", 0), ("none", 0)])
def test_times_that_are_not_known_are_not_looked_at(times, warnings):
    records = [SECTION, replace(REQUEST, times=times), RESPONSE, *(replace(each, t=0) for each in CHUNKS)]
    assert verified([*records, END, CLOSE]).warnings == warnings
    no_times = [SECTION, replace(REQUEST, times="none"), *(replace(each, t=0) for each in RECORDS[2:6])]
    assert verified([*no_times, CLOSE]).verdict([]) == "whole"
    assert verified([*no_times, CLOSE]).warnings == 0


def test_an_end_that_leaves_the_counts_out_is_not_held_to_them():
    short = msgspec.msgpack.encode([4, 0, END.t, "complete"])
    end = replace(END, chunks=0, bytes=0)
    found = checked([*entries(*RECORDS[:5]), Entry(900, short, end), *entries(CLOSE)])
    assert found.verdict([]) == "whole"
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(msgspec.msgpack.encode(END)), *range(20)])
    found = checked([*entries(*RECORDS[:4]), Entry(900, longer, END)])
    assert found.losses == 1


def test_sections_are_looked_at_each_for_itself():
    found = verified([*RECORDS, SECTION, *exchange(0), *exchange(1), *RECORDS])
    assert (found.unclosed, found.verdict([])) == ([1], "interrupted")
    found = verified([*RECORDS, SECTION, REQUEST, *RECORDS[:3]])
    assert (found.unclosed, found.unended) == ([1, 2], 2)


def test_an_exchange_does_not_go_on_behind_a_close():
    found = verified([SECTION, REQUEST, RESPONSE, replace(CLOSE, chunks=0, bytes=0), CHUNKS[0]])
    assert [finding.what.partition(";")[0] for finding in found.findings] == [
        "its end record is missing: the section was closed",
        "a chunk after the close",
        "a chunk, and its request is missing",
    ]


def test_a_finding_says_where():
    (finding,) = verified([*RECORDS, SECTION, RESPONSE]).findings
    assert (finding.section, finding.exchange, finding.is_loss) == (1, 0, True)
    assert finding.offset == entries(*RECORDS, SECTION, RESPONSE)[-1].offset
    assert str(finding) == (
        f"exchange 0 of section 1, at byte {finding.offset}: a response, and its request is missing"
    )


def test_unknown_records_and_notes_are_welcome_anywhere():
    unknown = Unknown(kind=200, payload=b"\x91\xcc\xc8")
    assert verified([*RECORDS, unknown, NOTE]).verdict([]) == "whole"
    assert verified([SECTION, unknown, REQUEST]).verdict([]) == "interrupted"


def test_a_file_with_nothing_in_it_was_interrupted():
    assert verified([]).verdict([]) == "interrupted"


def test_no_more_findings_are_kept_than_asked_for_but_all_are_counted():
    found = verified([SECTION, *(replace(RESPONSE, exchange=n) for n in range(50))], limit=3)
    assert (len(found.findings), found.losses) == (3, 50)
