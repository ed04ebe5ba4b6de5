"""What is appended to a cassette is served from its next end record on, under its number in the file."""

import msgspec
import pytest

from tests.replay.recordings import exchange, tape
from tokentape import cassette
from tokentape.replay import Matching, OnMiss, ReplayError, Server, Timing, load, serve
from tokentape.replay.live._appended import Appended
from tokentape.replay.matching._matcher import Matcher
from tokentape.replay.matching._request_key import request_key

A, B, C = (b'{"model":"%b"}' % name for name in (b"a", b"b", b"c"))


def names(found):
    return [(item.key.body, item.source.partition(", ")[2], item.added) for item in found]


def test_each_exchange_comes_once_when_it_is_whole(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0, body=A))
    before = path.read_bytes()
    first = tape(tmp_path / "b.tape", exchange(0, body=B), exchange(1, body=C, end_ms=None)).read_bytes()
    more = first.removeprefix(before[:11])  # without the magic
    appended = Appended(str(path), timing=Timing())
    appended.skip()
    found = []
    for end in range(len(more) + 1):
        path.write_bytes(before + more[:end])
        found += appended.poll()
        assert len(found) <= 1
    appended.close()
    assert names(found) == [(B, "exchange 0 of section 1", True)]


def test_what_is_appended_is_named_as_a_reader_of_the_whole_file_names_it(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0, body=A))
    appended = Appended(str(path), timing=Timing())
    appended.skip()
    found = []
    for number in range(3):
        section = tape(tmp_path / f"{number}.tape", exchange(0, body=B, start_ms=number)).read_bytes()[11:]
        path.write_bytes(path.read_bytes() + section)
        found += appended.poll()
    appended.close()
    whole = load(path).recorded[1:]
    assert [(item.source, item.key, [*item.answer.parts]) for item in found] == [
        (item.source, item.key, [*item.answer.parts]) for item in whole
    ]


def test_a_failure_without_an_answer_is_asked_again(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0, body=A))
    appended = Appended(str(path), timing=Timing())
    appended.skip()
    failed = exchange(0, body=B, status=None, end_reason="upstream-error", detail="no")
    cut = exchange(1, body=C, end_reason="upstream-error", detail="cut")
    path.write_bytes(path.read_bytes() + tape(tmp_path / "b.tape", failed, cut).read_bytes()[11:])
    assert [body for body, *_ in names(appended.poll())] == [C]
    appended.close()


def test_what_a_matcher_learns_has_had_its_turn(tmp_path):
    wild = exchange(3, body=msgspec.json.encode({"key": cassette.placeholder("key").decode()}), start_ms=3)
    bodies = [exchange(n, body=body, start_ms=n) for n, body in enumerate((A, B, A))]
    recorded = load(tape(tmp_path / "a.tape", *bodies, wild)).recorded
    for exhausted in ("cycle", "last", "error"):
        matcher = Matcher(recorded[:1], Matching(exhausted=exhausted))
        asked = [request_key("POST", b"/v1/chat/completions", body) for body in (A, B, b'{"key":"anything"}')]
        assert matcher.take(asked[0]) is recorded[0]
        assert [len(matcher.row(key)) for key in asked] == [1, 0, 0]
        assert matcher.code(asked[1]) == "not_recorded"
        for item in recorded[1:]:
            matcher.add(item)
        assert [len(matcher.row(key)) for key in asked] == [2, 1, 1]
        taken = [matcher.take(key) for key in asked]
        match exhausted:
            case "cycle":
                assert taken == [recorded[0], recorded[1], recorded[3]]
            case "last":
                assert taken == [recorded[2], recorded[1], recorded[3]]
            case "error":
                assert taken == [None, None, None]
                assert {matcher.code(key) for key in asked} == {"exhausted"}


def test_recording_in_recorded_order_or_to_nothing_is_refused(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    with pytest.raises(ValueError, match="exhausted='error'"):
        Server(load(path), matching=Matching(order="recorded"), on_miss=OnMiss("record", "http://h", path))
    with pytest.raises(ReplayError, match="one process"):
        Server(load(path), on_miss=OnMiss("record", "http://h", path)).share_counts()
    with pytest.raises(ValueError, match="`output`"):
        Server(load(path), on_miss=OnMiss("record", "http://h"))
    with (
        pytest.raises(ValueError, match="pattern"),
        serve(str(tmp_path / "*.tape"), on_miss=OnMiss("record", "http://h")),
    ):
        pass
