import json
from collections import Counter

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.tapes import MS, chunk, data, records, write
from tokentape import cassette
from tokentape.cli import _difference, main


def diff(*arguments, **options):
    return CliRunner().invoke(main, ["diff", *map(str, arguments)], **options)


def asked(text, answer, number, *, t=200 * MS, finish="stop", **more):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    pieces = [
        (t, data(chunk({"content": answer}, id=f"id-{t}", created=t))),
        (t + 5, data(chunk({}, finish, id=f"id-{t}", system_fingerprint=f"fp-{t}"))),
    ]
    return records(pieces, exchange=number, body=more.pop("body", body), **more)


def sides(*exchanges):
    return _difference.sides(cassette.exchanges(record for each in exchanges for record in each))


def test_the_same_answers_at_other_times_with_other_ids_are_the_same(tmp_path):
    a = write(tmp_path / "a.tape", asked("why", "so", 0))
    b = write(tmp_path / "b.tape", asked("why", "so", 0, t=900 * MS))
    result = diff(a, b)
    assert result.exit_code == 0
    assert result.stdout == "1 exchange the same, 0 different, 0 only in A, 0 only in B\n"


def test_another_text_is_a_unified_diff_and_exit_code_1(tmp_path):
    a = write(tmp_path / "a.tape", asked("why", "one\nso\x1b[31m\n", 0), asked("x", "y", 1))
    b = write(tmp_path / "b.tape", asked("why", "one\nbecause", 0), asked("z", "y", 1))
    result = diff(a, b)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        "only in A: #1 POST /v1/chat/completions (m)",
        "only in B: #1 POST /v1/chat/completions (m)",
        "--- A #0 POST /v1/chat/completions (m)",
        "+++ B #0 POST /v1/chat/completions (m)",
    ]
    assert "-           | so\\x1b[31m" in lines
    assert "+           | because" in lines
    assert lines[-1] == "0 exchanges the same, 1 different, 1 only in A, 1 only in B"


def test_json_says_which_exchanges_and_how_they_differ(tmp_path):
    a = write(tmp_path / "a.tape", asked("why", "so", 0), asked("x", "y", 1))
    b = write(tmp_path / "b.tape", asked("why", "so", 0, finish="length"))
    result = diff(a, b, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["only_in_a"] == [{"section": 0, "exchange": 1, "request": "POST /v1/chat/completions (m)"}]
    assert found["only_in_b"] == []
    assert found["same"] == 0
    (pair,) = found["different"]
    assert pair["a"]["exchange"] == pair["b"]["exchange"] == 0
    assert {"-finish     | stop", "+finish     | length"} <= set(pair["diff"])


@pytest.mark.parametrize(
    "other",
    [
        {"status": 500},
        {"end": "upstream-error"},
        {"end": None},
        {"finish": None},
        {"answer": "so "},
        {"answer": "so\n"},
    ],
)
def test_text_status_finish_and_ending_are_compared(other):
    assert _difference.compare(
        sides(asked("why", "so", 0)), sides(asked("why", number=0, **{"answer": "so"} | other))
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a": 1, "b": 2.0}', b'{"b":2,"a":1}', True),
        (b'{"a": 1}', b'{"a": 2}', False),
        (b"text", b"text", True),
    ],
)
def test_requests_are_the_same_as_json(one, other, same):
    found = _difference.compare(sides(asked("", "a", 0, body=one)), sides(asked("", "a", 0, body=other)))
    assert bool(found) is not same


def test_a_request_that_is_left_out_does_not_shift_the_others():
    a = sides(*(asked(text, f"{n}", n) for n, text in enumerate(["x", "poll", "y", "poll", "z"])))
    b = [side for side in a if side.exchange != 1]
    found = _difference.compare(a, b)
    assert [side.exchange for side in found.only_in_a] == [1]
    assert (found.only_in_b, found.different) == ([], [])


def test_the_order_of_requests_is_no_difference():
    a = sides(asked("x", "1", 0), asked("y", "2", 1), asked("z", "3", 2))
    b = sides(asked("z", "3", 0), asked("x", "1", 1), asked("y", "2", 2))
    assert not _difference.compare(a, b)


KEYS = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=12)


@given(KEYS, KEYS, st.sampled_from([0, 10**9]))
def test_every_request_that_both_have_is_paired_once(a, b, most_pairs):
    before, _difference._MOST_PAIRS = _difference._MOST_PAIRS, most_pairs
    try:
        pairs = _difference._aligned(a, b)
    finally:
        _difference._MOST_PAIRS = before
    assert all(a[one] == b[other] for one, other in pairs)
    assert len({one for one, _ in pairs}) == len({other for _, other in pairs}) == len(pairs)
    assert len(pairs) == (Counter(a) & Counter(b)).total()


def test_thousands_of_equal_requests_are_aligned_at_once():
    n = 20_000
    assert len(_difference._aligned([b"x", *[b"a"] * n], [*[b"a"] * n, b"y"])) == n


def test_many_equal_requests_are_numbered_for_difflib_and_few_are_not():
    few, many = [b"a"] * 3, [b"a"] * 3_000
    assert _difference._distinct_enough(few, few) == (few, few)
    assert len(set(_difference._distinct_enough(many, many)[0])) == len(many)


def test_a_file_that_cannot_be_read_is_exit_code_2(tmp_path):
    a = write(tmp_path / "a.tape", asked("why", "so", 0))
    result = diff(a, tmp_path / "none.tape")
    assert result.exit_code == 2
    assert "none.tape" in result.stderr


def test_a_damaged_file_is_compared_as_far_as_it_is_whole(tmp_path):
    a = write(tmp_path / "a.tape", asked("why", "so", 0))
    b = tmp_path / "b.tape"
    b.write_bytes(a.read_bytes() + b"\xc9")
    result = diff(a, b)
    assert result.exit_code == 3
    assert "0 different" in result.stdout
    assert "lost: " in result.stderr
    assert diff("-", b, input=a.read_bytes()).exit_code == 3
