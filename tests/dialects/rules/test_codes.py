"""Each code has a made stream that has it, and none has a code that is not defined."""

import json
import re
from pathlib import Path

import pytest

from tests.dialects.rules.clean import LIKE_OPENAI, clean, codes, found_in, written
from tokentape.dialects.rules import CODES, RULE_SETS

DOCUMENT = (Path(__file__).parents[3] / "docs" / "lint.md").read_text(encoding="utf-8")


def with_(name, number, *path, to):
    """A clean stream with one value changed, or set."""
    events = clean(name)
    value = events[number]
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = to
    return events


def without(name, number):
    events = clean(name)
    del events[number]
    return events


def moved(name, number, to):
    events = clean(name)
    events.insert(to, events.pop(number))
    return events


def added(name, number, event):
    events = clean(name)
    events.insert(number, event)
    return events


def body(name, old, new):
    made = written(name, clean(name)).replace(old, new, 1)
    assert made != written(name, clean(name))
    return made


CHOICE = ("choices", 0)
USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
ASKED = {"asked": {"stream_options": {"include_usage": True}}}
DELTA = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "x"}}
MADE = {
    "not-json": ("stepfun", added("stepfun", 2, "hello"), 3, {}),
    "loose-json": ("stepfun", body("stepfun", "山尽".encode(), b"\\ud83d"), 4, {}),
    "not-an-object": ("stepfun", added("stepfun", 2, "[1]"), 3, {}),
    "cut-off": ("gemini", written("gemini", clean("gemini"))[:-1], 2, {}),
    "no-events": ("gemini", b": nothing\n\n", 0, {}),
    "error-in-stream": ("openai-chat", added("openai-chat", 3, '{"error": {"message": "no"}}'), 4, {}),
    "stray-line": ("openai-chat", body("openai-chat", b"data: [", b"oh\ndata: ["), 9, {}),
    "data-without-space": ("stepfun", body("stepfun", b"data: [", b"data:["), 8, {}),
    "comment": ("openai-relay", body("openai-relay", b"data: [", b":\ndata: ["), 6, {}),
    "event-name": ("cohere", body("cohere", b"event: content-end", b"event: end"), 7, {}),
    "missing-field": ("gemini", None, 0, {}),
    "unknown-field": ("gemini", with_("gemini", 1, "surprise", to=1), 2, {}),
    "wrong-type": ("ollama", with_("ollama", 0, "created_at", to=7), 1, {}),
    "empty-value": ("openai-chat", with_("openai-chat", 1, "id", to=""), 2, {}),
    "unknown-value": ("openai-chat", with_("openai-chat", 1, "service_tier", to="fast"), 2, {}),
    "unknown-event": ("openai-responses", with_("openai-responses", 4, "type", to="response.x"), 5, {}),
    "object-name": ("openai-chat", with_("openai-chat", 1, "object", to="chat.completion"), 2, {}),
    "not-seconds": ("openai-chat", with_("openai-chat", 0, "created", to=0), 1, {}),
    "id-changes": ("gemini", with_("gemini", 1, "responseId", to="r2"), 2, {}),
    "created-changes": ("openai-chat", with_("openai-chat", 7, "created", to=1_790_000_001), 8, {}),
    "created-decreases": ("stepfun", with_("stepfun", 3, "created", to=1_700_000_000), 4, {}),
    "model-changes": ("ollama", with_("ollama", 1, "model", to="n"), 2, {}),
    "fingerprint-changes": ("openai-relay", with_("openai-relay", 2, "system_fingerprint", to="fp_2"), 3, {}),
    "sequence-number": ("openai-responses", with_("openai-responses", 5, "sequence_number", to=4), 6, {}),
    "role-missing": ("openai-chat", with_("openai-chat", 1, *CHOICE, "delta", to={"content": ""}), 2, {}),
    "role-repeated": (
        "openai-relay",
        with_("openai-relay", 2, *CHOICE, "delta", "role", to="assistant"),
        3,
        {},
    ),
    "first-with-content": (
        "openai-relay",
        with_("openai-relay", 0, *CHOICE, "delta", "content", to="a"),
        1,
        {},
    ),
    "empty-finish": ("openai-chat", with_("openai-chat", 2, *CHOICE, "finish_reason", to=""), 3, {}),
    "null-finish": ("stepfun", with_("stepfun", 2, *CHOICE, "finish_reason", to=None), 3, {}),
    "unknown-finish": (
        "anthropic-messages",
        with_("anthropic-messages", 12, "delta", "stop_reason", to="x"),
        13,
        {},
    ),
    "no-finish": ("openai-chat", with_("openai-chat", 6, *CHOICE, "finish_reason", to=None), 7, {}),
    "two-finishes": ("openai-chat", with_("openai-chat", 6, *CHOICE, "index", to=0), 7, {}),
    "finish-not-last": ("openai-chat", moved("openai-chat", 5, 0), 1, {}),
    "empty-delta": ("openai-relay", with_("openai-relay", 2, *CHOICE, "delta", to={}), 3, {}),
    "finish-with-content": (
        "openai-relay",
        with_("openai-relay", 4, *CHOICE, "delta", to={"content": ""}),
        5,
        {},
    ),
    "content-after-finish": ("openai-chat", moved("openai-chat", 2, 5), 6, {}),
    "usage-decreases": ("stepfun", moved("stepfun", 2, 3), 4, {}),
    "usage-stands-still": ("stepfun", added("stepfun", 2, clean("stepfun")[1]), 3, {}),
    "usage-total": ("openai-chat", with_("openai-chat", 7, "usage", "total_tokens", to=15), 8, {}),
    "prompt-changes": ("stepfun", with_("stepfun", 2, "usage", "prompt_tokens", to=84), 3, {}),
    "usage-misplaced": ("openai-chat", with_("openai-chat", 6, "usage", to=USAGE), 7, {}),
    "usage-not-last": ("openai-chat", moved("openai-chat", 7, 6), 7, {}),
    "usage-missing": ("openai-chat", without("openai-chat", 7), 8, ASKED),
    "empty-choices": ("openai-chat", with_("openai-chat", 2, "choices", to=[]), 3, {}),
    "out-of-order": ("anthropic-messages", moved("anthropic-messages", 0, 1), 2, {}),
    "missing-event": ("anthropic-messages", without("anthropic-messages", 12), 13, {}),
    "block-not-open": ("anthropic-messages", added("anthropic-messages", 9, DELTA), 10, {}),
    "block-left-open": ("anthropic-messages", without("anthropic-messages", 5), 6, {}),
    "block-index": ("anthropic-messages", with_("anthropic-messages", 9, "index", to=3), 10, {}),
    "no-end-mark": ("openai-responses", without("openai-responses", 9), 9, {}),
    "after-end-mark": ("anthropic-messages", added("anthropic-messages", 14, "[DONE]"), 15, {}),
}
MADE["missing-field"] = ("cohere", with_("cohere", 0, "delta", to={}), 1, {})
LATER_USAGE = clean("openai-chat")[7] | {
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
}
LATER_DELTA = clean("anthropic-messages")[12] | {"usage": {"output_tokens": 8}}
PART = {
    "type": "response.reasoning_summary_text.delta",
    "output_index": 0,
    "item_id": "m",
    "summary_index": 0,
}
ALSO = [
    ("id-changes", "openai-chat", with_("openai-chat", 3, "id", to="x"), 4),
    ("model-changes", "openai-chat", with_("openai-chat", 3, "model", to="x"), 4),
    ("usage-decreases", "openai-chat", added("openai-chat", 8, LATER_USAGE), 9),
    ("id-changes", "openai-responses", with_("openai-responses", 9, "response", "id", to="x"), 10),
    (
        "block-not-open",
        "openai-responses",
        added("openai-responses", 5, PART | {"sequence_number": 4, "delta": "Hm"}),
        6,
    ),
    (
        "event-name",
        "openai-responses",
        body("openai-responses", b"event: response.created\n", b""),
        1,
    ),
    ("usage-decreases", "anthropic-messages", added("anthropic-messages", 13, LATER_DELTA), 14),
    (
        "event-name",
        "anthropic-messages",
        body("anthropic-messages", b"event: content_block_stop", b"event: ping"),
        6,
    ),
    ("model-changes", "gemini", with_("gemini", 1, "modelVersion", to="x"), 2),
    ("no-finish", "cohere", with_("cohere", 10, "delta", "finish_reason", to=None), 11),
]


def test_every_code_has_a_stream_here():
    assert list(MADE) == list(CODES)


@pytest.mark.parametrize("code", MADE)
def test_a_departure_is_found_at_its_event(code):
    name, made, event, options = MADE[code]
    found = found_in(name, made, **options)
    assert (code, event) in codes(found)
    for each in found:
        assert each.code in CODES
        assert each.expected
        assert each.found
        assert each.path.startswith("$")


@pytest.mark.parametrize(("code", "name", "made", "event"), ALSO)
def test_a_rule_of_every_rule_set_is_at_work(code, name, made, event):
    assert (code, event) in codes(found_in(name, made))


def test_usage_is_missed_only_if_it_was_asked_for():
    assert found_in("openai-chat", without("openai-chat", 7)) == []
    assert found_in("openai-chat", clean("openai-chat"), **ASKED) == []


def test_an_error_excuses_what_never_came():
    events = [*clean("anthropic-messages")[:4], {"type": "error", "error": {"message": "Overloaded"}}]
    (found,) = found_in("anthropic-messages", events)
    assert (found.code, found.event, found.found) == ("error-in-stream", 5, "Overloaded")


@pytest.mark.parametrize("name", RULE_SETS)
def test_an_error_of_any_shape_is_an_error_and_nothing_else(name):
    for error in (
        {"error": {"message": "no"}},
        {"error": "no"},
        {"type": "error", "error": {"type": "overloaded_error", "message": "no"}},
        {"type": "error", "code": "server_error", "message": "no", "param": None, "sequence_number": 3},
    ):
        if name in {"stepfun", "openai-relay", "openai-chat", *LIKE_OPENAI} and "error" not in error:
            continue  # of another API
        found = found_in(name, [*clean(name)[:1], error])
        assert [(each.code, each.event, each.found) for each in found] == [("error-in-stream", 2, "no")]


def test_a_finding_says_where_and_of_which_choice():
    made = clean("openai-chat")
    made[4]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] = {"x": 1}
    (found,) = found_in("openai-chat", made)
    assert found.path == "$.choices[0].delta.tool_calls[0].function.arguments"
    assert (found.code, found.event, found.choice) == ("wrong-type", 5, 1)
    assert (found.expected, found.found) == ("a string", "an object with 1 field")


def test_the_document_has_every_code_with_its_meaning_and_no_other():
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", DOCUMENT.partition("\n## Codes\n")[2], re.MULTILINE)
    assert dict(rows) == {code: meaning.replace("|", r"\|") for code, meaning in CODES.items()}
    assert [code for code, _ in rows] == list(CODES)


def test_the_document_has_every_rule_set_with_its_source_and_no_other():
    section = DOCUMENT.partition("\n## Rule sets\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \|", section, re.MULTILINE)
    assert rows == [(rules.name, rules.source) for rules in RULE_SETS.values()]


def test_every_code_that_the_modules_name_is_defined():
    folder = Path(__file__).parents[3] / "dialects" / "rules"
    text = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "_finding.py")
    named = set(re.findall(r'"([a-z-]+)"', text))
    assert set(CODES) <= named


def test_a_stream_of_hostile_numbers_is_said_in_few_words():
    made = json.dumps(clean("stepfun")[0]).replace("1790000000", "9" * 5000)
    for each in found_in("stepfun", [made, "[DONE]"]):
        assert len(each.found) < 300
