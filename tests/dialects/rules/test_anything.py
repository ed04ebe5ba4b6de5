"""No stream makes a rule set raise, take for ever, or tell more than a screen can hold of one event."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.rules.clean import CLEAN, LIKE_OPENAI, clean, found_in, written
from tokentape.dialects.rules import CODES, RULE_SETS

NAMES = [name for name in CLEAN if name not in LIKE_OPENAI or name in ("azure-openai", "mistral")]
"""Those that add to OpenAI's chunk are its rules with other data: two of them stand for all."""
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def mutated(draw, name):
    """A clean stream in which values are replaced, and events dropped, repeated and moved."""
    events = clean(name)
    for _ in range(draw(st.integers(1, 4))):
        number = draw(st.integers(0, len(events) - 1))
        if draw(st.booleans()):
            events.insert(draw(st.integers(0, len(events))), events[number])
            continue
        place, key = events, number
        while type(place[key]) in (dict, list) and place[key] and draw(st.integers(0, 4)):
            place = place[key]
            key = draw(st.sampled_from(sorted(place) if type(place) is dict else range(len(place))))
        place[key] = draw(values)
    return events


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
def test_no_events_raise(name, data):
    for each in found_in(name, data.draw(mutated(name)), whole=data.draw(st.booleans())):
        assert each.code in CODES
        f"{each.expected}{each.found}{each.path}".encode()


@pytest.mark.parametrize("name", NAMES)
@given(st.binary(max_size=60), st.integers(0, 2000))
def test_no_bytes_raise(name, raw, at):
    body = written(name, clean(name))
    found_in(name, body[:at] + raw + body[at:])


@pytest.mark.parametrize("name", NAMES)
def test_deep_nesting_and_long_events_are_told_of_in_a_few_words(name):
    deep = '{"choices": [{"delta": ' + '{"a": ' * 900 + "1" + "}" * 900 + "}]}"
    deeper = '{"type": ' + "[" * 100_000 + "]" * 100_000 + "}"
    long = json.dumps({"type": "x" * 1_000_000, "choices": [{"delta": {"content": "y" * 9_000_000}}]})
    many = json.dumps({"choices": [{}] * 300_000, "candidates": [0] * 300_000})
    fields = json.dumps({f"field {n}": n for n in range(100_000)})
    for text in (deep, deeper, long, many, fields):
        found = found_in(name, [text])
        assert found
        assert len(found) < 400
        assert all(len(each.found) + len(each.expected) + len(each.path) < 1000 for each in found)


def test_halves_of_surrogates_and_control_characters_are_shown_as_text():
    for name in RULE_SETS:
        for each in found_in(name, ['{"\\ud83d\\u001b[31m": "\\udc00", "object": "\\u0007"}']):
            f"{each.path}{each.found}".encode()
