import json
from dataclasses import dataclass
from time import process_time

import pytest

from tokentape.replay._matcher import Matcher
from tokentape.replay._request_key import RequestKey, request_key


@dataclass(frozen=True)
class Item:
    key: RequestKey
    name: str

    @property
    def source(self):
        return self.name


def item(name, body=b"{}", **kwargs):
    return Item(asked(body, **kwargs), name)


def asked(body=b"{}", *, method="POST", path=b"/v1/chat/completions", headers=()):
    return request_key(method, path, body, headers)


def why_not(matcher, *args, **kwargs):
    return list(matcher.why_not(asked(*args, **kwargs)).lines)


def take(matcher, *args, **kwargs):
    found = matcher.take(asked(*args, **kwargs))
    return found and found.name


def test_the_same_request_gets_its_answers_in_order_and_then_the_first_again():
    matcher = Matcher([item("a"), item("b", b"[]"), item("c")])
    assert [take(matcher) for _ in range(5)] == ["a", "c", "a", "c", "a"]
    assert matcher.times_served == [3, 0, 2]


def test_each_request_has_a_turn_of_its_own():
    matcher = Matcher([item("a1", b'{"a":1}'), item("b1", b'{"b":1}'), item("a2", b'{"a":1}')])
    assert [take(matcher, b) for b in (b'{"a":1}', b'{"b":1.0}', b'{ "a": 1.0 }')] == ["a1", "b1", "a2"]


@pytest.mark.parametrize(
    "other",
    [{"method": "PUT"}, {"path": b"/v1/chat/completions?x=1"}, {"path": b"/v1/models"}, {"body": b"{} x"}],
)
def test_another_method_path_query_or_body_does_not_match(other):
    assert take(Matcher([item("a")]), **other) is None


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://x:80/v1/a?b", b"/v1/a?b"),
        (b"HTTPS://x/v1", b"/v1"),
        (b"http://x", b"/"),
        (b"/http://x/y", b"/http://x/y"),
    ],
)
def test_a_target_with_scheme_and_host_is_its_path(target, path):
    assert request_key("GET", target, b"").path == path


def chat(**kwargs):
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **kwargs}).encode()


def test_a_miss_names_the_nearest_and_the_difference():
    far = item("far", chat(model="other", temperature=1, seed=3, n=2))
    near = item("near", chat(temperature=0.5))
    lines = why_not(Matcher([far, near]), chat(temperature=0.7, user="me"))
    assert lines == [
        "POST /v1/chat/completions with this body is not in the recording",
        "nearest recorded request: POST /v1/chat/completions",
        "body.temperature: recorded 0.5, the request has 0.7",
        "body.user: absent in the recording, the request has 'me'",
    ]


def test_a_miss_by_path_says_so_and_prefers_the_same_path():
    items = [item("a", path=b"/v1/models", method="GET"), item("b", path=b"/v1/x?a=1")]
    assert why_not(Matcher(items), path=b"/v1/x?a=2")[2:] == ["query.a: recorded '1', the request has '2'"]
    assert why_not(Matcher(items), path=b"/v1/y")[2:] == [
        "path: recorded /v1/x, the request has /v1/y",
        "query.a: recorded '1', absent in the request",
    ]


def test_a_miss_with_many_differences_has_ten_lines_of_them():
    matcher = Matcher([item("a", chat())])
    lines = why_not(matcher, chat(**{f"k{n}": n for n in range(30)}))
    assert len(lines) == 12
    assert lines[-1] == "... and 21 more differences"


def test_a_miss_is_explained_in_bounded_time_however_large_the_recording():
    big = [item(str(n), chat(x=str(n) + "y" * 100_000)) for n in range(60)]
    huge = [item("huge", b"[" + b"1," * 2_000_000 + b"1]", path=b"/huge")]
    matcher = Matcher([*big, *huge])
    start = process_time()
    why_not(matcher, chat(x="y" * 100_000))
    assert why_not(matcher, b"[2]", path=b"/huge")[-1].endswith("too much to compare here")
    assert process_time() - start < 5  # unbounded, this takes minutes


def test_with_nothing_recorded_a_miss_says_that():
    assert why_not(Matcher([])) == ["POST /v1/chat/completions is not in the recording: nothing is recorded"]
