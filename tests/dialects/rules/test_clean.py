"""A rule set finds nothing in a stream that is as its document says."""

import pytest

from tests.dialects.rules.clean import CLEAN, LIKE_OPENAI, clean, found_in, written
from tests.streams import stepfun
from tokentape.dialects.rules import RULE_SETS


def test_every_rule_set_has_a_clean_stream():
    assert list(CLEAN) == list(RULE_SETS)


@pytest.mark.parametrize("name", CLEAN)
def test_a_stream_as_documented_has_no_findings(name):
    assert found_in(name, clean(name)) == []


@pytest.mark.parametrize("name", CLEAN)
def test_another_stream_as_documented_has_findings_under_every_other_rules(name):
    body = written(name, clean(name))
    others = set(CLEAN) - {name, "openai-chat" if name == "openai-relay" else ""}
    if name in {"openai-chat", "openai-relay", *LIKE_OPENAI}:
        others -= set(LIKE_OPENAI)
    if name == "ollama":
        others = {"stepfun"}
    assert all(found_in(other, body) for other in others - {"ollama"})


def test_stepfuns_table_says_trunk_where_its_example_says_chunk_and_either_is_documented():
    events = clean("stepfun")
    for event in events[:-1]:
        event["object"] = "chat.completion.trunk"
        event["choices"][0]["delta"]["role"] = "assistant"
    assert found_in("stepfun", events) == []


def test_the_last_chunk_of_stepfun_may_bring_no_more_tokens():
    assert found_in("stepfun", stepfun().body) == []


@pytest.mark.parametrize("name", [name for name in CLEAN if RULE_SETS[name].end_mark])
def test_a_stream_that_the_client_left_lacks_nothing(name):
    events = clean(name)
    for number in range(len(events)):
        assert found_in(name, events[:number], whole=False) == []
