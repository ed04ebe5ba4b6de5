import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay.matching._location import parse_location, without

VALUE = {
    "user": "me",
    "odd key": 1,
    "messages": [{"id": 1, "text": "a"}, {"id": 2, "text": "b", "more": {"id": 3}}],
}


def left(value, *locations):
    return without(value, [parse_location(text) for text in locations])


@pytest.mark.parametrize(
    ("location", "gone"),
    [
        ("$.user", ["user"]),
        ("$['user']", ["user"]),
        ('$["odd key"]', ["odd key"]),
        ("$.messages", ["messages"]),
        ("$.absent", []),
        ("$.user.deeper", []),
        ("$.*", ["user", "odd key", "messages"]),
    ],
)
def test_a_name_takes_away_the_member(location, gone):
    assert left(VALUE, location) == {key: item for key, item in VALUE.items() if key not in gone}


@pytest.mark.parametrize(
    ("location", "messages"),
    [
        ("$.messages[0]", [VALUE["messages"][1]]),
        ("$.messages[-1]", [VALUE["messages"][0]]),
        ("$.messages[2]", VALUE["messages"]),
        ("$.messages[*]", []),
        ("$.messages[*].text", [{"id": 1}, {"id": 2, "more": {"id": 3}}]),
        ("$.messages[*].id", [{"text": "a"}, {"text": "b", "more": {"id": 3}}]),
        ("$..id", [{"text": "a"}, {"text": "b", "more": {}}]),
        ("$.messages..id", [{"text": "a"}, {"text": "b", "more": {}}]),
        ("$..more.id", [{"id": 1, "text": "a"}, {"id": 2, "text": "b", "more": {}}]),
        ("$..[0]", [VALUE["messages"][1]]),
        ("$..['text']", [{"id": 1}, {"id": 2, "more": {"id": 3}}]),
    ],
)
def test_indexes_wildcards_and_descendants(location, messages):
    assert left(VALUE, location) == {**VALUE, "messages": messages}


def test_the_value_given_stays_as_it_is():
    before = json.dumps(VALUE)
    left(VALUE, "$..id", "$.messages[0].text")
    assert json.dumps(VALUE) == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$.a b",
        *[
            "user",
            "$",
            "$user",
            "$.",
            "$..",
            "$...a",
            "$[",
            "$[]",
            "$['a'",
            "$[01]",
            "$[-0]",
            "$[1:2]",
            "$[0,1]",
            "$[?@.a]",
            "$.a.",
            "$.1",
            "$.a-b",
        ],
    ],
)
def test_what_is_no_location_is_refused_in_a_line(text):
    with pytest.raises(ValueError, match=r"^expected a location such as .*, found ") as raised:
        parse_location(text)
    assert repr(text) in str(raised.value)


values = st.recursive(
    st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
steps = st.tuples(st.booleans(), st.sampled_from(["a", "b", 0, 1, -1, None]))
locations = st.lists(steps, min_size=1, max_size=4)


def written(steps):
    return "$" + "".join(
        (".." if deep else "") + ("[*]" if to is None else f"[{to!r}]") for deep, to in steps
    )


def found(value, steps, place=()):
    """The places of a location after RFC 9535, step by step."""
    if not steps:
        return {place}
    (deep, to), *rest = steps
    children = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    places = set()
    for key, item in children:
        same = to == key or (isinstance(key, int) and isinstance(to, int) and to == key - len(value))
        if to is None or same:
            places |= found(item, rest, (*place, key))
        if deep:
            places |= found(item, steps, (*place, key))
    return places


def cut(value, places, place=()):
    if isinstance(value, dict):
        return {k: cut(v, places, (*place, k)) for k, v in value.items() if (*place, k) not in places}
    if isinstance(value, list):
        return [cut(v, places, (*place, k)) for k, v in enumerate(value) if (*place, k) not in places]
    return value


@given(values, st.lists(locations, max_size=3))
def test_what_is_left_is_what_no_location_leads_to(value, several):
    places = set().union(*(found(value, steps) for steps in several)) if several else set()
    assert left(value, *map(written, several)) == cut(value, places)


@given(values, st.lists(locations, min_size=2, max_size=3))
def test_neither_the_order_of_locations_nor_their_repetition_matters(value, several):
    texts = [written(steps) for steps in several]
    assert left(value, *texts) == left(value, *reversed(texts), texts[0])


def test_many_wildcards_at_any_depth_cost_one_walk():
    value = 0
    for _ in range(60):
        value = [value, value and 1]
    assert left(value, "$" + "..*" * 40) is not None  # as lists of nodes this is more than there are atoms
