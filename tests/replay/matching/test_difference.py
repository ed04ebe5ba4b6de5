import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.cassette import canonical
from tokentape.replay.matching import _difference
from tokentape.replay.matching._compared import body_of
from tokentape.replay.matching._request_key import request_key


def body_differences(recorded, asked):
    return _difference.body_differences(
        *(body_of(request_key("POST", b"/", body)) for body in (recorded, asked))
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode())


@given(values, values)
def test_there_is_a_line_if_and_only_if_the_bodies_do_not_match(one, other):
    assert bool(body_differences(one, other)) == (canonical(one) != canonical(other))


@pytest.mark.parametrize(
    ("recorded", "asked", "lines"),
    [
        (b'{"a":1}', b'{"a":true}', ["body.a: recorded 1, the request has True"]),
        (b'{"a":1}', b"{}", ["body.a: recorded 1, absent in the request"]),
        (b"[[1,2]]", b"[[1,3]]", ["body[0][1]: recorded 2, the request has 3"]),
        (b"[1]", b"[1,2]", ["body: recorded 1 item, the request has 2"]),
        (b"{}", b"[]", ["body: recorded {}, the request has []"]),
        (
            b"abc",
            b"abd!",
            ["body (not JSON): recorded 3 bytes, the request has 4; they differ from byte 2"],
        ),
        (b"{", b"{[", ["body (not JSON): recorded 1 byte, the request has 2; they differ from byte 1"]),
        (b"{", b"{}", ["body: recorded 1 byte that is not JSON, the request has JSON"]),
        (b"{}", b"", ["body: recorded JSON, the request has none"]),
    ],
)
def test_a_line_says_where_and_what(recorded, asked, lines):
    assert body_differences(recorded, asked) == lines


def test_of_long_texts_the_place_where_they_part_is_shown():
    one, other = (json.dumps({"content": "x" * 500 + end + "y" * 500}).encode() for end in ("ONE", "TWO"))
    (line,) = body_differences(one, other)
    assert line.startswith("body.content (from character 500): recorded 'xxxxxxxxxxONE")
    assert "'xxxxxxxxxxTWO" in line
    assert len(line) < 250


@pytest.mark.parametrize("depth", [1, 30, 100, 400])
def test_a_place_that_is_nested_deeply_is_shown_by_how_it_begins_and_ends(depth):
    bodies = [b'{"inner":' * depth + value + b"}" * depth for value in (b"1", b"2", b'"%b"' % (b"a" * 99))]
    (line,) = body_differences(*bodies[:2])
    assert line.startswith("body.inner")
    assert line.endswith(".inner: recorded 1, the request has 2")
    assert len(line) < 250
    assert ("..." in line) == (depth * len(".inner") > 200)
    one, other = bodies[2], bodies[2].replace(b'a"', b'b"')
    (line,) = body_differences(one, other)
    assert " (from character 98): recorded" in line
