"""What providers document on top of OpenAI's chunk is clean under their rules, and needed there."""

import pytest

from tests.dialects.rules.clean import CLEAN, LIKE_OPENAI, clean, codes, found_in
from tokentape.dialects.rules import RULE_SETS, anywhere
from tokentape.dialects.rules._openai_chat import OPENAI_CHAT
from tokentape.dialects.rules._shape import Fields, Items, Maybe


def added(shape, plain, path="$"):
    """The paths of the fields that a shape has and a plain one has not."""
    match shape, plain:
        case Maybe(), _:
            yield from added(shape.shape, plain, path)
        case _, Maybe():
            yield from added(shape, plain.shape, path)
        case Items(), Items():
            yield from added(shape.shape, plain.shape, f"{path}[]")
        case Fields(), Fields():
            known = {**plain.may, **plain.has}
            for name, inner in {**shape.may, **shape.has}.items():
                if name in known:
                    yield from added(inner, known[name], f"{path}.{name}")
                else:
                    yield f"{path}.{name}"


@pytest.mark.parametrize("name", LIKE_OPENAI)
def test_each_field_that_a_set_adds_is_in_its_stream_and_unknown_to_openai(name):
    expected = set(added(RULE_SETS[name].chunk, OPENAI_CHAT.chunk))
    found = {
        anywhere(each.path) for each in found_in("openai-chat", clean(name)) if each.code == "unknown-field"
    }
    assert expected
    assert expected <= found


@pytest.mark.parametrize("name", LIKE_OPENAI)
def test_openais_own_stream_is_clean_under_each_set(name):
    events = clean("openai-chat")
    if name == "openrouter":
        events[0]["service_tier"] = None
    if name == "groq":
        for event in events[:-1]:
            event["service_tier"] = "on_demand"
    assert found_in(name, events) == []


NEEDED = {
    "azure-openai": {"empty-choices", "empty-value", "object-name", "not-seconds", "missing-field"},
    "cerebras": {"usage-misplaced", "missing-field"},
    "deepseek": {"usage-misplaced"},
    "groq": {"usage-misplaced", "unknown-value"},
    "mistral": {"usage-misplaced", "missing-field", "wrong-type"},
    "openrouter": {"usage-misplaced", "unknown-value"},
    "together": {"wrong-type"},
    "vllm": {"usage-misplaced"},
    "xai": {"missing-field", "usage-total"},
    "zai": {"usage-misplaced", "missing-field"},
}


@pytest.mark.parametrize("name", LIKE_OPENAI)
def test_what_else_a_set_allows_is_a_finding_under_openais_rules(name):
    found = {each.code for each in found_in("openai-chat", clean(name))} - {
        "unknown-field",
        "finish-not-last",
    }
    assert found == NEEDED.get(name, set())


@pytest.mark.parametrize("name", LIKE_OPENAI)
def test_a_broken_stream_is_found_under_each_set(name):
    broken = [each for each in clean(name)[:3] if each != "[DONE]"]
    assert {code for code, _ in codes(found_in(name, broken))} == {"no-finish", "no-end-mark"}
    late = clean(name)
    late.insert(-1, late[2])
    assert "content-after-finish" in {code for code, _ in codes(found_in(name, late))}


def test_an_empty_delta_beside_the_usage_may_follow_the_finish_where_usage_may_stand_there():
    events = clean("openrouter")
    finish, bill = events[-2], events[-2].pop("usage")
    after = {
        **finish,
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}],
        "usage": bill,
    }
    events.insert(-1, after)
    assert found_in("openrouter", events) == []
    assert ("finish-not-last", 4) in codes(found_in("openai-chat", events))
    del after["usage"]
    assert codes(found_in("openrouter", events)) == [("finish-not-last", 4)]


def test_only_the_first_events_of_azure_may_be_nobodys():
    events = clean("azure-openai")
    events[2]["id"] = ""
    assert codes(found_in("azure-openai", events)) == [("empty-value", 3)]


@pytest.mark.parametrize(
    ("reason", "name"), [("insufficient_system_resource", "deepseek"), ("eos", "together")]
)
def test_a_finish_reason_of_its_own_is_known_to_a_provider_alone(reason, name):
    events = clean("openai-chat")
    events[5]["choices"][0]["finish_reason"] = reason
    assert found_in(name, events) == []
    assert codes(found_in("openai-chat", events)) == [("unknown-finish", 6)]


def test_every_set_names_its_source_and_is_found_by_host_or_mark():
    for name in LIKE_OPENAI:
        assert RULE_SETS[name].source
        assert RULE_SETS[name].hosts or RULE_SETS[name].marks
    assert list(LIKE_OPENAI) == [name for name in CLEAN if name in LIKE_OPENAI]
