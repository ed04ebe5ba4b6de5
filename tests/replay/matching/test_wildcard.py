import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.matching.test_matcher import Item, item, take, why_not
from tokentape.cassette import placeholder
from tokentape.replay.matching._matcher import Matcher
from tokentape.replay.matching._request_key import request_key
from tokentape.replay.matching._wildcard import has_placeholder, same_but_secrets

P = placeholder("openai-key").decode()
GZIP = ((b"Content-Encoding", b"gzip"),)


def chat(content: str, **more: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": content}], **more}).encode()


def test_a_placeholder_in_a_body_stands_for_any_text():
    matcher = Matcher([item("a", chat(f"my key is {P}, keep it"))])
    assert take(matcher, chat("my key is 'x\" \n é, keep it")) == "a"
    assert take(matcher, chat("my key is , keep it")) == "a"
    assert take(matcher, chat("my key was secret, keep it")) is None
    assert take(matcher, chat("my key is secret, keep it", n=2)) is None
    assert take(matcher, json.dumps({"messages": [{"role": "user", "content": 5}]}).encode()) is None


def test_a_placeholder_in_a_query_stands_for_one_value():
    path = b"/v1/m:generate?key=" + placeholder("url-key", in_url=True) + b"&alt=sse"
    matcher = Matcher([item("a", path=path)])
    assert take(matcher, path=b"/v1/m:generate?key=s/e=c;r%3Det&alt=sse") == "a"
    assert take(matcher, path=b"/v1/m:generate?key=secret&more=1&alt=sse") is None
    assert take(matcher, path=b"/v1/m:other?key=secret&alt=sse") is None


def test_a_placeholder_in_a_path_stands_for_a_part_of_it():
    path = b"/v1/projects/" + placeholder("project", in_url=True) + b"/locations/x/m:generate"
    assert take(Matcher([item("a", path=path)]), path=b"/v1/projects/mine-1/locations/x/m:generate") == "a"
    assert take(Matcher([item("a", path=path)]), path=b"/v1/projects/mine-1/locations/y/m:generate") is None


def test_what_was_recorded_exactly_goes_before_what_has_placeholders():
    matcher = Matcher([item("wild", chat(P)), item("exact", chat("hello"))])
    assert take(matcher, chat("hello")) == "exact"
    assert take(matcher, chat("sk")) == "wild"


def test_requests_that_differ_in_their_secrets_only_are_answered_in_turn():
    matcher = Matcher([item("a", chat(P)), item("b", chat(P)), item("c", chat(f"{P}."))])
    assert [take(matcher, chat("one")) for _ in range(3)] == ["a", "b", "a"]
    assert take(matcher, chat("two.")) in {"a", "b"}  # either is right: a secret may end in a dot
    assert matcher.counters.served[0] + matcher.counters.served[1] == 4


def test_a_body_that_is_not_json_is_matched_as_text():
    recorded = b"--b\r\n\r\n" + P.encode() + b"\r\n--b--"
    assert take(Matcher([item("a", recorded)]), b"--b\r\n\r\nsecret\r\n--b--") == "a"
    assert take(Matcher([item("a", recorded)]), b"--c\r\n\r\nsecret\r\n--b--") is None


def test_a_content_encoding_is_undone_on_both_sides():
    recorded = Item(request_key("POST", b"/", gzip.compress(chat(P)), GZIP), "a")
    live = request_key("POST", b"/", gzip.compress(chat("secret"), 1), GZIP)
    found = Matcher([recorded]).take(live)
    assert found
    assert found.name == "a"
    assert request_key("POST", b"/", b"no gzip", GZIP).body == b"no gzip"


def test_a_miss_does_not_name_the_secrets_as_differences():
    matcher = Matcher([item("a", chat(P, temperature=1))])
    assert why_not(matcher, chat("secret", temperature=2))[2:] == [
        "body.temperature: recorded 1, the request has 2"
    ]


@given(st.lists(st.tuples(st.text("ab[*", max_size=5), st.text("abc[\n", max_size=9)), max_size=4))
def test_whatever_a_secret_was_the_text_around_it_is_enough(parts):
    recorded = "".join(text + P for text, _ in parts) + "ab"
    live = "".join(text + secret for text, secret in parts) + "ab"
    assert same_but_secrets(recorded, live)


@pytest.mark.parametrize(
    ("recorded", "live"),
    [(f"a{P}b", "ab "), (f"a{P}b{P}c", "ac"), (f"aa{P}aa", "aaa"), ("a", "b"), (f"{P}x{P}", "y")],
)
def test_the_text_around_a_placeholder_has_to_be_there(recorded, live):
    assert not same_but_secrets(recorded, live)


def test_without_placeholders_nothing_is_looked_at():
    assert not has_placeholder(b'{"a": "[redacted]"}')
    assert Matcher([item("a", chat("[redacted]"))])._wildcards == {}
