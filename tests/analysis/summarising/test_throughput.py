"""Tokens that are added up are the provider's where it billed them, and say what they are."""

import json

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, usage, usage_chunk, write
from tests.cli.verbs import run
from tokentape.analysis import DEFINITIONS, load


def spoken(number, choices, *, bill=None, end="complete", done=True):
    """Five tokens of each choice, one after the other."""
    pieces = [
        ((200 + 20 * at) * MS, data(chunk({"content": "a"}, index=choice)))
        for at in range(5)
        for choice in range(choices)
    ]
    if done:
        pieces += [(300 * MS, data(chunk({}, "stop", index=choice))) for choice in range(choices)]
    if bill is not None:
        pieces.append((400 * MS, data(usage_chunk(5, bill))))
    return records([*pieces, *([(500 * MS, DONE)] if done else [])], exchange=number, end=end)


@pytest.mark.parametrize(
    ("exchanges", "tokens", "source"),
    [
        ([{"choices": 1, "bill": 30}], 30, "usage"),
        ([{"choices": 1}], 5, "chunks"),
        ([{"choices": 2, "bill": 80}], 80, "usage"),
        ([{"choices": 2}], 10, "chunks"),
        ([{"choices": 2, "bill": 0}], 10, "chunks"),
        ([{"choices": 2, "bill": 80}, {"choices": 3, "bill": 7}, {"choices": 1, "bill": 4}], 91, "usage"),
        ([{"choices": 2, "bill": 80}, {"choices": 2}, {"choices": 1, "bill": 30}], 120, "chunks+usage"),
        ([{"choices": 2, "bill": 80, "done": False, "end": "upstream-error"}], 10, "chunks"),
    ],
)
def test_choices_that_were_billed_together_have_the_bill(tmp_path, exchanges, tokens, source):
    path = write(tmp_path / "a.tape", *(spoken(number, **each) for number, each in enumerate(exchanges)))
    made = load(path)
    row = made.throughput().loc["all"]
    assert (row["output_tokens"], row["tokens_from"]) == (tokens, source)
    assert row["output_tokens_per_s"] == tokens / row["window_s"]
    assert made.as_dict()["summary"]["throughput"]["tokens_from"] == source
    assert f"tokens/s (from {source}) in" in run("analyze", path).stdout
    assert made.throughput("model").loc["m-1", "output_tokens"] == tokens


def test_a_bill_is_not_divided_between_groups(tmp_path):
    made = load(write(tmp_path / "a.tape", spoken(0, 2, bill=80)))
    found = made.throughput("choice")
    assert found["output_tokens"].tolist() == [5, 5]
    assert found["tokens_from"].tolist() == ["chunks", "chunks"]


def cut(number):
    """Two choices of which only the first is complete."""
    both = data(chunk({"content": "a"})) + data(chunk({"content": "b"}, index=1))
    pieces = [(200 * MS, both), (250 * MS, both), (300 * MS, data(chunk({}, "stop")))]
    return records(pieces, exchange=number, end="client-closed")


def test_a_request_is_completed_if_all_its_choices_are(tmp_path):
    made = load(write(tmp_path / "a.tape", spoken(0, 2), cut(1)))
    assert made.streams["outcome"].tolist() == ["complete"] * 3 + ["client-closed"]
    row = made.throughput().loc["all"]
    assert (row["requests"], row["requests_per_s"]) == (1, 1 / row["window_s"])
    assert made.as_dict()["summary"]["throughput"]["requests"] == 1
    assert made.throughput("choice")["requests"].tolist() == [2, 1]  # of a group, its own choices
    assert made.throughput("outcome")["requests"].to_dict() == {"complete": 2, "client-closed": 0}


def test_choices_without_a_token_have_their_part_of_the_bill(tmp_path):
    pieces = [((200 + 20 * at) * MS, data(chunk({"content": "a"}))) for at in range(3)]
    pieces += [(300 * MS, data(chunk({}, "stop", index=choice))) for choice in range(2)]
    pieces += [(400 * MS, data(usage_chunk(5, 20))), (500 * MS, DONE)]
    path = write(tmp_path / "a.tape", records(pieces))
    row = load(path).throughput().loc["all"]
    assert (row["requests"], row["output_tokens"], row["tokens_from"]) == (1, 20, "usage")
    for tool in DEFINITIONS:  # to which such a request is one stream
        assert load(path, definitions=tool).throughput().loc["all", "requests"] == 1


def test_an_answer_in_one_has_its_bill(tmp_path):
    choices = [{"index": at, "message": {"content": "a"}, "finish_reason": "stop"} for at in range(2)]
    body = json.dumps({"object": "chat.completion", "choices": choices, "usage": usage(3, 8)}).encode()
    made = load(write(tmp_path / "a.tape", records([(MS, body)], content_type="application/json")))
    row = made.throughput().loc["all"]
    assert (row["requests"], row["output_tokens"], row["tokens_from"]) == (1, 8, "usage")


def test_goodput_is_of_streams_and_throughput_of_requests(tmp_path):
    made = load(write(tmp_path / "a.tape", spoken(0, 4)))
    met = made.slo(ttft_ms=500).loc["all"]
    rate = made.throughput().loc["all"]
    assert (met["sent"], met["met"], rate["requests"]) == (4, 4, 1)
    assert met["goodput_per_s"] == 4 * rate["requests_per_s"]


def test_exchanges_of_the_same_number_in_other_cassettes_have_their_own_bill(tmp_path):
    one = write(tmp_path / "a.tape", spoken(0, 2, bill=80))
    other = write(tmp_path / "b.tape", spoken(0, 2))
    made = load([one, other])
    assert made.throughput("cassette")["output_tokens"].tolist() == [80, 10]
    assert made.throughput().loc["all", ["output_tokens", "tokens_from"]].tolist() == [90, "chunks+usage"]


def test_a_tokenizer_counts_choices_apart(tmp_path):
    made = load(write(tmp_path / "a.tape", spoken(0, 2, bill=80)), tokens=lambda text: 3 * len(text))
    assert made.throughput().loc["all", ["output_tokens", "tokens_from"]].tolist() == [30, "tokenizer"]
