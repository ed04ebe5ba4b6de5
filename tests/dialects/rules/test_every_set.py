"""What single changes to a clean stream each rule set finds, and, by name, what it cannot.

The two documents that come first have a sweep of their own (`test_sweep.py`).
"""

import pytest

from tests.dialects.rules.clean import CLEAN, LIKE_OPENAI, clean, codes, found_in
from tests.dialects.rules.test_sweep import at, changed, paths
from tokentape.dialects.rules import RULE_SETS

OTHER_TYPE = {str: 7, int: "7", list: 7, dict: 7, type(None): 7, bool: "true", float: "0.5"}
OPEN = ("response", "item", "part", "citations", "message.content")
"""What a document leaves to others: in these places no type is looked at."""
OPEN_BESIDE_OPENAI = (
    *("content_filter", "prompt_filter_results", "x_groq", "executed_tools", "annotations", "time_info"),
    *("timings", "content.0", "refs", "metadata", "prompt_audio_seconds", "error", "reasoning_details"),
    *("logprobs", "warnings", "stop_reason", "token_ids", "citations", "audio"),
)
"""The same, in what providers add to OpenAI's chunk."""
UNSEEN = {
    # A chunk may bring several tokens, so that none is known to be missing.
    "stepfun": {"left out": {0, 1, 2, 3, 4, 5}, "twice": set(), "swapped": set()},
    "openai-relay": {"left out": {1, 2, 3}, "twice": {1, 2, 3}, "swapped": {1, 2}},
    # Usage is missed only if it was asked for; choices come in any order.
    "openai-chat": {"left out": {2, 3, 4, 7}, "twice": {0, 1, 2, 3, 4}, "swapped": {0, 1, 2, 3, 4, 5}},
    # Every event has a number. Some may not be sent at all.
    "openai-responses": {"left out": {1, 4, 5, 6}, "twice": set(), "swapped": set()},
    # Deltas and pings.
    "anthropic-messages": {"left out": {2, 3, 4, 7, 10}, "twice": {2, 3, 4, 7, 10}, "swapped": {1, 2, 3}},
    "gemini": {"left out": {0}, "twice": {0}, "swapped": set()},
    # Deltas, and [DONE]; citations and content are apart.
    "cohere": {"left out": {1, 3, 8, 11}, "twice": {1, 3, 8, 11}, "swapped": {1, 3, 5, 6}},
    "ollama": {"left out": {0, 1}, "twice": {0, 1}, "swapped": {0}},
}


def _open(name):
    return (*OPEN, *OPEN_BESIDE_OPENAI) if name in LIKE_OPENAI else OPEN


def test_there_is_a_list_of_what_each_set_cannot_see():
    assert UNSEEN.keys() | LIKE_OPENAI.keys() == RULE_SETS.keys()


@pytest.mark.parametrize("name", UNSEEN)
def test_events_that_are_missing_repeated_or_swapped_are_found_but_for_text(name):
    events = clean(name)
    made = {
        "left out": {n: [*events[:n], *events[n + 1 :]] for n in range(len(events))},
        "twice": {n: [*events[: n + 1], *events[n:]] for n in range(len(events))},
        "swapped": {
            n: [*events[:n], events[n + 1], events[n], *events[n + 2 :]] for n in range(len(events) - 1)
        },
    }
    for how, streams in made.items():
        unseen = {number for number, stream in streams.items() if not found_in(name, stream)}
        assert unseen == UNSEEN[name][how], how


@pytest.mark.parametrize("name", RULE_SETS)
def test_every_value_of_another_type_is_found_but_where_the_document_is_open(name):
    for number, event in enumerate(CLEAN[name]):
        for path in paths(event):
            value = at(event, path)
            found = codes(found_in(name, changed(clean(name), number, path, OTHER_TYPE[type(value)])))
            words = ".".join(map(str, path))
            if not any(each == number + 1 for _, each in found):
                assert any(part in words for part in _open(name)), (number, path)
                assert words not in OPEN or words == "message.content"


@pytest.mark.parametrize("name", RULE_SETS)
def test_every_field_that_is_added_is_found_but_where_the_document_is_open(name):
    for number, event in enumerate(CLEAN[name]):
        objects = [()] * (type(event) is dict) + [p for p in paths(event) if type(at(event, p)) is dict]
        for path in objects:
            found = codes(found_in(name, changed(clean(name), number, (*path, "surprise"), 1)))
            open_parts = (*_open(name), "delta.message", "details", "input")
            words = ".".join(map(str, path))
            closed = ("unknown-field", number + 1) in found
            is_done = name == "openai-responses" and event["type"].endswith(".done")
            assert closed or is_done or any(part in words for part in open_parts), (number, path)
