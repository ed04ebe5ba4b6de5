"""Faults as text: what is written is what is read, and what is not understood is one clear line."""

import pytest
from hypothesis import given

from tests.replay.faults.strategies import faults
from tokentape.replay.faults import (
    KINDS,
    ErrorEvent,
    Fault,
    KeepaliveStall,
    Merge,
    Place,
    Reset,
    Scope,
    Stall,
    Status,
    Truncate,
    WrongFault,
    faults_of,
    parse_fault,
)

EXAMPLES = {
    "status=429,retry-after=2": Status(status=429, retry_after_s=2),
    "truncate@event=5": Truncate(at=Place("event", 5)),
    "reset@byte=1200": Reset(at=Place("byte", 1200)),
    "reset@time=1.5s": Reset(at=Place("time", 1_500_000_000)),
    "stall=10s@event=4": Stall(span_ns=10 * 10**9, at=Place("event", 4)),
    "stall=300ms@piece=0": Stall(span_ns=300_000_000, at=Place("piece", 0)),
    "keepalive-stall=10s@event=4": KeepaliveStall(span_ns=10 * 10**9, event=4),
    "merge=4096": Merge(bytes=4096),
    "error-event@event=3": ErrorEvent(event=3),
}


@given(faults())
def test_what_is_spelled_is_read_as_the_same(fault):
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_documented_spellings_are_what_they_say(text):
    assert parse_fault(text) == Fault(effect=EXAMPLES[text])
    assert str(parse_fault(text)) == text


def test_options_stand_in_any_order_with_space_around_them():
    scope = Scope(model="gpt-4o*", path="/v1/*", nth=2, times=1, probability=0.5, seed=7)
    expected = Fault(effect=Status(status=503), scope=scope)
    assert parse_fault(" status=503, seed=7 ,p=.5,times=1,nth=2,path=/v1/*,model=gpt-4o* ") == expected


def test_a_list_has_faults_and_their_spellings():
    fault = parse_fault("drop-done")
    assert faults_of(["drop-done", fault]) == (fault, fault)
    with pytest.raises(WrongFault, match="expected a list of faults, found the text 'drop-done'"):
        faults_of("drop-done")


@pytest.mark.parametrize("found", [None, 7, b"drop-done", ["drop-done"]])
def test_what_is_no_text_is_no_fault(found):
    with pytest.raises(WrongFault, match="expected a fault such as 'status=429,times=1', found"):
        faults_of([found])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a kind of fault (status, truncate, reset, stall, keepalive-stall, garble,"),
        ("truncat@event=3", "did you mean truncate@event=5?"),
        ("status", "expected status=..., such as status=429, found 'status'"),
        ("status=200", "expected a status from 400 to 599, found 200"),
        ("status=4.5", "status: expected a whole number of at most 12 digits, found '4.5'"),
        ("status=\N{ARABIC-INDIC DIGIT FOUR}29", "expected a whole number"),
        ("status=429@event=1", "expected status=..., such as status=429, found 'status=429@event=1'"),
        ("truncate", "such as truncate@event=5, found 'truncate'"),
        ("truncate=1@event=5", "such as truncate@event=5, found 'truncate=1@event=5'"),
        ("truncate@event", "such as truncate@event=5, found 'truncate@event'"),
        ("truncate@evnt=5", "expected a place @event= or @piece= or @byte= or @time=, found '@evnt='"),
        ("truncate@event=5@byte=1", "found 'truncate@event=5@byte=1'"),
        ("reset@time=5", "expected a time with its unit such as 300ms, 1.5s or 2m, found '5'"),
        ("garble@byte=5", "expected a place @event=, found '@byte='"),
        ("garble@event=0", "expected the number of an event from 1 to"),
        ("stall=2h@event=3", "expected a time above 0 and up to 1h, found 7200s"),
        ("slow-start=0s", "expected a time above 0 and up to 1h"),
        ("split=0", "expected a number of bytes from 1 to"),
        ("drop-done=1", "expected drop-done, found 'drop-done=1'"),
        ("split=1,truncate@event=3", "each fault stands alone, in a --fault or an item of a list"),
        ("split=1,retry-after=2", "expected retry-after= beside status=, found it beside split"),
        ("split=1,times=0", "times: expected a whole number from 1 on, found 0"),
        ("split=1,nth=x", "nth: expected a whole number"),
        ("split=1,p=0", "p: expected a probability above 0 and up to 1"),
        ("split=1,p=nan", "p: expected a probability above 0 and up to 1"),
        ("split=1,p=1.01", "p: expected a probability above 0 and up to 1"),
        ("split=1,seed=3", "expected p beside it, such as p=0.1"),
        ("split=1,model=", "model: expected a pattern without commas"),
        ("split=1,path=/a\nb", "path: expected a pattern without commas and control characters"),
        ("split=1,times=1,times=1", "expected times= once, found it twice"),
        ("split=1,", "expected an option"),
    ],
)
def test_what_is_not_understood_is_said_in_a_line(text, said):
    with pytest.raises(WrongFault) as error:
        parse_fault(text)
    assert said in str(error.value)
    assert str(error.value).startswith(f"fault {text!r}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Place("line", 1),
        lambda: Place("event", -1),
        lambda: Scope(times=0),
        lambda: Scope(nth=1.5),
        lambda: Scope(probability=float("nan")),
        lambda: Scope(model="a,b"),
        lambda: Scope(seed=-1),
        lambda: Status(status=200),
        lambda: Status(status=429, retry_after_s=-1),
    ],
)
def test_no_fault_is_made_that_makes_no_sense(make):
    with pytest.raises(ValueError, match="expected"):
        make()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_in_capitals_is_taken_for_what_was_meant(kind):
    with pytest.raises(WrongFault, match=f"did you mean {kind}"):
        parse_fault(kind.upper())


def test_a_hundred_faults_can_be_in_force_and_no_more():
    assert len(faults_of(["split=1"] * 100)) == 100
    with pytest.raises(WrongFault, match=r"^expected at most 100 faults in force, found 101$"):
        faults_of(["split=1"] * 101)


@pytest.mark.parametrize(
    "text", ["{}", "status={}", "stall={}@event=1", "stall=1s@{}=1", "split=1,model={}\n"]
)
def test_a_message_stays_short_however_long_the_fault_is(text):
    with pytest.raises(WrongFault) as raised:
        parse_fault(text.format("a" * 60_000))
    assert len(str(raised.value)) < 300
