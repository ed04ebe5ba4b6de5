"""Whether a bill is believed is judged once, and whoever asks for the tokens is told the same."""

import json

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, recording, usage, usage_chunk
from tokentape.analysis.opentelemetry import otlp_metrics, otlp_traces

STOP = data(chunk(finish="stop"))


def text(index=0, **more):
    return data(chunk({"content": "a"}, index=index, **more))


def own(index, output, **details):
    """The last chunk of a choice as Moonshot sends it: with a bill of its own."""
    bill = usage(7, output) | details
    return data({"choices": [{"index": index, "delta": {}, "finish_reason": "stop", "usage": bill}]})


def made(folder, *events, **options):
    return recording(folder, [((200 + 20 * at) * MS, event) for at, event in enumerate(events)], **options)


def counted(found):
    tables = found.as_dict()
    return [
        [(row["output_tokens"], row["tokens_from"], row["output_tokens_why"]) for row in tables["streams"]],
        [(row["prompt_tokens"], row["output_tokens"], row["usage_why"]) for row in tables["exchanges"]],
    ]


def billed(found):
    """What OpenTelemetry is told: the points of tokens, and the attributes of the one span."""
    (resource,) = otlp_metrics(found)["resourceMetrics"]
    points = {}
    for metric in resource["scopeMetrics"][0]["metrics"]:
        for point in metric["histogram"]["dataPoints"] if "token" in metric["name"] else ():
            kinds = {each["key"]: each["value"].get("stringValue") for each in point["attributes"]}
            if "gen_ai.token.type" in kinds:
                points[kinds["gen_ai.token.type"]] = (point["count"], point["sum"])
    (span,) = otlp_traces(found)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    named = {each["key"]: each["value"] for each in span["attributes"]}
    return points, named.get("gen_ai.usage.output_tokens")


@pytest.mark.parametrize(
    ("events", "output", "known"),
    [
        ([data(usage_chunk(9, 1)), text(), text(), text(), STOP, DONE], 3, "chunks"),
        ([text(usage=usage(9, 1)), text(), text(), STOP], 3, "chunks"),
        ([text(usage=usage(9, 1)), text(), text(usage=usage(9, 2)), STOP], 2, "usage"),
        (
            [text(usage=usage(9, 1)), text(usage=usage(9, 2)), text(usage=usage(9, 2)), STOP],
            2,
            "usage-per-chunk",
        ),
        ([text(), text(), text(), data(usage_chunk(9, 2)), STOP, DONE], 2, "usage"),
        ([text(), text(), text(), STOP, data(usage_chunk(9, 2)), DONE], 2, "usage"),
        ([text(), text(), text(usage=usage(9, 2)), STOP], 2, "usage"),
        ([data(usage_chunk(9, 8)), text(), text(), STOP, DONE], 8, "usage"),
        ([text(), text(), STOP, data(usage_chunk(9, 0)), DONE], 2, "chunks"),
    ],
)
def test_a_bill_that_came_before_the_text_and_is_smaller_is_not_of_it(tmp_path, events, output, known):
    """Two events of one character are one token: at the end such a bill is right."""
    found = made(tmp_path, *events)
    believed = known != "chunks"
    whole = (9, output, None) if believed else (9, None, "no-usage")
    assert counted(found) == [[(output, known, None)], [whole]]
    assert billed(found) == (
        {"input": ("1", 9.0)} | ({"output": ("1", float(output))} if believed else {}),
        {"intValue": str(output)} if believed else None,
    )


@pytest.mark.parametrize(("events", "stream"), [(2, (2, "chunks", None)), (1, (40, "usage", None))])
def test_reasoning_that_was_not_seen_does_not_make_an_early_bill_large_enough(tmp_path, events, stream):
    bill = usage(9, 40) | {"completion_tokens_details": {"reasoning_tokens": 39}}
    early = data({"choices": [], "usage": bill})
    assert counted(made(tmp_path, early, *[text()] * events, STOP))[0] == [stream]


def reasoned(output, reasoning):
    return usage(9, output) | {"completion_tokens_details": {"reasoning_tokens": reasoning}}


def says(delta, **more):
    return data(chunk(delta, **more))


THINK = ("<thi", "nk>", "r", "</think>")


@pytest.mark.parametrize(
    ("before", "output", "stream"),
    [
        (THINK, 6, (6, 0)),  # six events, none of them hidden
        (THINK, 5, (6, 0)),  # which five tokens are too few for
        (("b", "c"), 9, (9, 5)),
        (("b", "c"), 8, (4, 0)),
    ],
)
@pytest.mark.parametrize("is_own", [False, True], ids=["of-all", "of-the-choice"])
def test_what_is_hidden_of_an_early_bill_is_the_same_to_its_judge_and_to_the_rates(
    tmp_path, before, output, stream, is_own
):
    bill = reasoned(output, 5)
    early = (
        {"choices": [{"index": 0, "delta": {}, "usage": bill}]} if is_own else {"choices": [], "usage": bill}
    )
    events = [*(says({"content": each}) for each in before), text(), data(early), text(), STOP, DONE]
    (row,) = made(tmp_path, *events).as_dict()["streams"]
    assert (row["output_tokens"], row["hidden_tokens"]) == stream
    assert (row["tokens_from"] == "usage") is (stream[0] == output)


def test_reasoning_in_tags_is_looked_for_in_each_choice_that_a_bill_is_of(tmp_path):
    events = [says({"content": each}, index=index) for each in THINK for index in (0, 1)]
    bill = data({"choices": [], "usage": reasoned(10, 6)})
    ends = [text(), text(1), STOP, data(chunk(finish="stop", index=1)), DONE]
    assert counted(made(tmp_path, *events, bill, *ends))[1] == [(9, 10, None)]


@pytest.mark.parametrize(("output", "known"), [(110, "usage"), (109, "chunks")])
def test_a_summary_is_none_of_the_tokens_that_a_bill_has_beside_reasoning(tmp_path, output, known):
    gemini = {"model": "google/gemini-2.5-pro"}
    events = [
        *[says({"reasoning": "s"}, **gemini)] * 3,
        *[says({"content": "a"}, **gemini)] * 9,
        data({"choices": [], "usage": reasoned(output, 100), **gemini}),
        says({"content": "a"}, **gemini),
        STOP,
        DONE,
    ]
    (row,) = made(tmp_path, *events).as_dict()["streams"]
    assert (row["output_tokens"], row["tokens_from"]) == (110 if known == "usage" else 13, known)
    if known == "usage":
        assert (row["hidden_tokens"], row["itl_ms_why"]) == (100, "withheld-reasoning")


def test_a_bill_before_the_cut_is_none_of_what_came_after_it(tmp_path):
    found = made(tmp_path, text(usage=usage(9, 8)), text(), end="upstream-error")
    assert counted(found) == [[(2, "chunks", None)], [(9, None, "upstream-error")]]


def test_bills_of_the_choices_are_added_up(tmp_path):
    found = made(tmp_path, text(), text(1), text(), text(1), own(0, 5), own(1, 6), DONE)
    assert counted(found) == [[(5, "usage", None), (6, "usage", None)], [(7, 11, None)]]
    assert billed(found) == ({"input": ("1", 7.0), "output": ("1", 11.0)}, {"intValue": "11"})


@pytest.mark.parametrize("other", [data(chunk(finish="stop", index=1)), own(1, 0)])
def test_a_sum_without_the_bill_of_a_choice_is_none(tmp_path, other):
    found = made(tmp_path, text(), text(1), own(0, 5), other, DONE)
    assert counted(found) == [[(5, "usage", None), (1, "chunks", None)], [(7, None, "no-usage")]]


def test_a_bill_of_all_is_taken_before_the_sum(tmp_path):
    found = made(tmp_path, text(), text(1), own(0, 5), own(1, 6), data(usage_chunk(9, 12)), DONE)
    assert counted(found) == [[(5, "usage", None), (6, "usage", None)], [(9, 12, None)]]


def test_what_a_choice_was_billed_for_cache_and_reasoning_is_in_the_exchange(tmp_path):
    details = {"cached_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 2}}
    found = made(tmp_path, text(), text(), text(), own(0, 5, **details), DONE)
    (row,) = found.as_dict()["exchanges"]
    assert (row["cached_tokens"], row["reasoning_tokens"], row["output_tokens"]) == (4, 2, 5)
    assert found.streams["hidden_tokens"].tolist() == [2]


@pytest.mark.parametrize("index", [0, 1])
def test_a_choices_bill_is_judged_as_any_other(tmp_path, index):
    early = data({"choices": [{"index": index, "delta": {}, "usage": usage(7, 1)}]})
    stop = data(chunk(finish="stop", index=index))
    found = made(tmp_path, early, text(index), text(index), stop)
    assert counted(found) == [[(2, "chunks", None)], [(7, None, "no-usage")]]


def whole(choices, bill):
    body = {"object": "chat.completion", "model": "m", "usage": bill}
    said = {"message": {"content": "hi"}, "finish_reason": "stop"}
    return json.dumps(body | {"choices": [said | {"index": at} for at in range(choices)]}).encode()


@pytest.mark.parametrize(
    ("choices", "bill", "stream", "exchange"),
    [
        (1, usage(3, 4), (4, "usage", None), (3, 4, None)),
        (2, usage(3, 4), (None, None, "billed-together"), (3, 4, None)),
        (1, usage(3, 0), (None, None, "no-usage"), (3, None, "no-usage")),
        (2, usage(3, 0), (None, None, "no-usage"), (3, None, "no-usage")),
        (2, None, (None, None, "no-usage"), (None, None, "no-usage")),
    ],
)
def test_an_answer_in_one_is_billed_in_the_same_way(tmp_path, choices, bill, stream, exchange):
    found = made(tmp_path, whole(choices, bill), content_type="application/json")
    assert counted(found) == [[stream] * choices, [exchange]]
