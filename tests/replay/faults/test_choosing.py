"""Which requests a fault hits: by model, path and number, so often, by a chance that can be foretold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay.faults import parse_fault
from tokentape.replay.faults._choosing import Asked, Choosing
from tokentape.replay.matching._request_key import request_key


def asked(model="m", path=b"/v1/chat/completions?x=1", body=None):
    return Asked(request_key("POST", path, body if body is not None else b'{"model":"%b"}' % model.encode()))


def hits(text, requests):
    """Whether each of the requests is hit, all of whose hits count."""
    choosing = Choosing([parse_fault(text)])
    return [bool(choosing.due(each)) for each in requests]


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [
        ("gpt-4o", True),
        ("gpt-4*", True),
        ("gpt-4", False),
        ("GPT-4o", False),
        ("*", True),
        ("gpt-4[ab]", False),
    ],
)
def test_a_model_is_matched_as_it_was_asked_for(pattern, hit):
    assert hits(f"split=1,model={pattern}", [asked("gpt-4o")]) == [hit]


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[1]", b'{"model":7}', b'{"a":1}', b"[" * 100_000])
def test_a_request_without_a_model_is_no_model(body):
    assert hits("split=1,model=?*", [asked(body=body)]) == [False]
    assert hits("split=1", [asked(body=body)]) == [True]


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [("/v1/chat/completions", True), ("/v1/*", True), ("*/completions", True), ("/v1/chat", False)],
)
def test_a_path_is_matched_without_its_query(pattern, hit):
    assert hits(f"split=1,path={pattern}", [asked()]) == [hit]


def test_the_nth_is_counted_among_the_requests_in_scope():
    requests = [asked("a"), asked("b"), asked("a"), asked("b"), asked("a")]
    assert hits("split=1,model=a,nth=2", requests) == [False, False, True, False, False]


def test_after_its_times_it_is_over():
    assert hits("split=1,times=2", [asked()] * 4) == [True, True, False, False]


def test_what_was_due_and_did_not_hit_does_not_count():
    choosing = Choosing([parse_fault("split=1,times=1")])
    assert choosing.due(asked()) == [0]
    choosing.missed(0)
    assert choosing.due(asked()) == [0]
    assert choosing.due(asked()) == []
    assert [each.times for each in choosing.hits] == [1]


def test_the_same_seed_hits_the_same_requests():
    # Frozen: a seed is to mean the same on every version, for whoever wrote it into a test.
    found = hits("split=1,p=0.3,seed=7", [asked()] * 30)
    assert [number for number, hit in enumerate(found, 1) if hit] == [
        1,
        8,
        11,
        12,
        14,
        16,
        17,
        21,
        22,
        23,
        26,
        27,
    ]
    assert found != hits("split=1,p=0.3,seed=8", [asked()] * 30)


@given(st.floats(0.05, 0.95), st.integers(0, 1_000))
def test_a_probability_is_about_how_many_are_hit(probability, seed):
    found = hits(f"split=1,p={probability!r},seed={seed}", [asked()] * 1_000)
    assert abs(sum(found) / 1_000 - probability) < 0.1  # more than six standard deviations


def test_chance_does_not_depend_on_the_faults_beside_it():
    alone = Choosing([parse_fault("drop-done,p=0.5")])
    beside = Choosing([parse_fault("split=1,p=0.5"), parse_fault("drop-done,p=0.5")])
    for _ in range(50):
        assert (0 in alone.due(asked())) == (1 in beside.due(asked()))


def test_two_kinds_with_one_probability_do_not_always_hit_together():
    choosing = Choosing([parse_fault("split=1,p=0.5"), parse_fault("drop-done,p=0.5")])
    assert {len(choosing.due(asked())) for _ in range(50)} == {0, 1, 2}
