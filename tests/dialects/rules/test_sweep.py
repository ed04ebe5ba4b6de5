"""Every single change to a clean stream of the two documents is found, at its event.

Three changes are left out, since no document could tell them from another answer: text that differs, and,
where there is no usage in every chunk (the relay), two chunks with text that change places or one that
comes twice; and a chunk with text that is missing, since a chunk may bring several tokens.
"""

import json
from collections.abc import Iterator
from copy import deepcopy

import pytest

from tests.dialects.rules.clean import clean, codes, found_in, written

NAMES = ("stepfun", "openai-relay")
OTHER_TYPE = {str: 7, int: "7", list: {}, dict: [], type(None): 7}


def paths(value, path=()) -> Iterator[tuple]:
    """Every place in a JSON value, the value itself left out."""
    items = value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()
    for key, item in items:
        yield (*path, key)
        yield from paths(item, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(events, number, path, value):
    made = deepcopy(events)
    at(made[number], path[:-1])[path[-1]] = value
    return made


def first_event(name, events):
    """The event of the first finding, but for a choice that never finishes: its last chunk has that."""
    found = [each for each in found_in(name, events) if each.code != "no-finish"]
    return found[0].event if found else None


def places(name):
    events = clean(name)
    return [(number, path) for number, event in enumerate(events[:-1]) for path in paths(event)]


@pytest.mark.parametrize("name", NAMES)
def test_every_field_that_is_left_out_is_found(name):
    for number, path in places(name):
        if type(path[-1]) is int:
            continue
        events = clean(name)
        del at(events[number], path[:-1])[path[-1]]
        assert first_event(name, events) == number + 1, (number, path)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_another_type_is_found(name):
    for number, path in places(name):
        events = clean(name)
        value = at(events[number], path)
        events = changed(events, number, path, OTHER_TYPE[type(value)])
        assert first_event(name, events) == number + 1, (number, path)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_that_is_null_is_found_where_null_means_nothing(name):
    for number, path in places(name):
        value = at(clean(name)[number], path)
        if value is None:
            continue
        events = changed(clean(name), number, path, None)
        wanted = number + 1
        if path[-1] == "finish_reason" and name == "openai-relay":
            assert ("empty-delta", wanted) in codes(found_in(name, events))
        assert first_event(name, events) == wanted, (number, path)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_that_is_added_is_found(name):
    for number, path in [(n, p) for n, p in places(name) if type(at(clean(name)[n], p)) is dict]:
        events = changed(clean(name), number, (*path, "surprise"), 1)
        assert codes(found_in(name, events))[0] == ("unknown-field", number + 1), (number, path)
    for number in range(len(clean(name)) - 1):
        events = changed(clean(name), number, ("surprise",), 1)
        assert codes(found_in(name, events)) == [("unknown-field", number + 1)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("field", "value"), [("id", "other"), ("model", "other"), ("created", 1_789_999_999)]
)
def test_an_identity_that_changes_is_found_where_it_changes(name, field, value):
    for number in range(len(clean(name)) - 1):
        found = codes(found_in(name, changed(clean(name), number, (field,), value)))
        code = f"{field}-changes"
        if (name, field) == ("stepfun", "created"):  # it may go on, not back
            assert found == ([("created-decreases", number + 1)] if number else [])
        elif number:
            assert found == [(code, number + 1)]
        else:  # the first is what the others are held against
            assert found == [(code, later) for later in range(2, len(clean(name)))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("object",), "chat.completion", "object-name"),
        (("id",), "", "empty-value"),
        (("created",), 0, "not-seconds"),
        (("created",), 1_790_000_000_000, "not-seconds"),
        (("choices", 0, "finish_reason"), "null", "empty-finish"),
        (("choices", 0, "finish_reason"), "eos", "unknown-finish"),
        (("choices", 0, "index"), -1, "wrong-type"),
    ],
)
def test_a_value_that_is_none_of_the_documented_is_found(name, path, value, code):
    for number in range(len(clean(name)) - 1):
        assert (code, number + 1) in codes(found_in(name, changed(clean(name), number, path, value)))


@pytest.mark.parametrize("name", NAMES)
def test_a_chunk_that_is_of_another_choice_is_found(name):
    for number in range(len(clean(name)) - 1):
        events = changed(clean(name), number, ("choices", 0, "index"), 1)
        found = codes(found_in(name, events))
        if number < len(events) - 2:
            assert found[0][1] == number + 1
        else:  # a finish of another choice leaves this one without
            assert found[0] == ("no-finish", number)
            assert name == "stepfun" or ("role-missing", number + 1) in found


def test_the_finish_of_stepfun_is_found_wherever_it_comes_early_or_not():
    for number in range(len(clean("stepfun")) - 2):
        events = changed(clean("stepfun"), number, ("choices", 0, "finish_reason"), "stop")
        found = codes(found_in("stepfun", events))
        later = ("content-after-finish", number + 2) in found
        assert later or ("two-finishes", number + 2) in found, number
    events = changed(clean("stepfun"), -2, ("choices", 0, "finish_reason"), "")
    assert codes(found_in("stepfun", events)) == [("empty-delta", 7), ("no-finish", 7)]


@pytest.mark.parametrize("count", ["prompt_tokens", "completion_tokens", "total_tokens"])
@pytest.mark.parametrize("more", [-1, 1, 50])
def test_every_count_that_is_off_is_found(count, more):
    events = clean("stepfun")
    for number, event in enumerate(events[:-1]):
        made = changed(events, number, ("usage", count), event["usage"][count] + more)
        assert ("usage-total", number + 1) in codes(found_in("stepfun", made))


@pytest.mark.parametrize("name", NAMES)
def test_events_that_change_places_are_found_at_the_later(name):
    events = clean(name)
    for number in range(len(events) - 1):
        made = clean(name)
        made[number], made[number + 1] = made[number + 1], made[number]
        if name == "openai-relay" and 0 < number < 3:
            continue  # text with text: as good as another answer
        assert first_event(name, made) in (number + 1, number + 2), number


@pytest.mark.parametrize("name", NAMES)
def test_an_event_that_comes_twice_is_found_the_second_time(name):
    events = clean(name)
    for number in range(len(events)):
        if name == "openai-relay" and 0 < number < 4:
            continue
        made = [*events[: number + 1], *events[number:]]
        assert first_event(name, made) == number + 2, number


@pytest.mark.parametrize("name", NAMES)
def test_a_finish_or_an_end_mark_that_is_missing_is_found(name):
    events = clean(name)
    last_chunk = len(events) - 1
    assert codes(found_in(name, events[:-1])) == [("no-end-mark", last_chunk)]
    assert codes(found_in(name, [*events[:-2], events[-1]])) == [("no-finish", last_chunk - 1)]
    assert found_in(name, events[:-2], whole=False) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_cut_of_a_stream_is_found_if_the_provider_made_it(name):
    body = written(name, clean(name))
    for size in range(1, len(body) - 1):
        found = found_in(name, body[:size])
        assert found, size
        assert all(each.event <= body[:size].count(b"data") for each in found)
        later = {each.code for each in found_in(name, body[:size], whole=False)}
        assert later <= {"not-json"}


@pytest.mark.parametrize("name", NAMES)
def test_data_that_is_no_chunk_is_found(name):
    events = clean(name)
    for number, event in enumerate(events[:-1]):
        for data, code in [
            (json.dumps(event)[:-1], "not-json"),
            ("hello", "not-json"),
            ("[1, 2]", "not-an-object"),
            ("null", "not-an-object"),
            ('{"error": {"message": "overloaded"}}', "error-in-stream"),
        ]:
            made = [*events[:number], data, *events[number + 1 :]]
            assert (code, number + 1) in codes(found_in(name, made)), (number, data)


@pytest.mark.parametrize("name", NAMES)
def test_lines_that_the_document_does_not_have_are_found_at_their_event(name):
    lines = written(name, clean(name)).splitlines(keepends=True)
    for number in range(len(clean(name))):
        before, line, after = lines[: 2 * number], lines[2 * number], lines[2 * number + 1 :]
        for changed_line, code in [
            (b": keep-alive\n" + line, "comment"),
            (b"hello\n" + line, "stray-line"),
            (line.replace(b"data: ", b"data:", 1), "data-without-space"),
        ]:
            body = b"".join([*before, changed_line, *after])
            assert codes(found_in(name, body)) == [(code, number + 1)]
        if number < len(clean(name)) - 1:
            body = b"".join([*before, b"event: chunk\n" + line, *after])
            assert codes(found_in(name, body)) == [("event-name", number + 1)]


def test_lines_may_end_in_any_way():
    body = written("stepfun", clean("stepfun"))
    for end in (b"\r\n", b"\r"):
        assert found_in("stepfun", body.replace(b"\n", end)) == []
