import json
from dataclasses import dataclass
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay import Matching
from tokentape.replay.matching._matcher import Matcher
from tokentape.replay.matching._request_key import RequestKey, request_key


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
    assert matcher.counters.served == [3, 0, 2]


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


def of(host, *, target=b"/a", headers=(), scheme="https"):
    return request_key("GET", target, b"", headers, scheme=scheme, authority=host)


@pytest.mark.parametrize(
    "key",
    [
        of("api.example"),
        of("API.Example.:443"),
        of("", headers=((b"Host", b"api.example"),)),
        of("", headers=((b"Host", b"api.example:443"),), scheme="http"),
        of("", target=b"https://me:secret@api.example/a", headers=((b"Host", b"other"),), scheme="http"),
        of("api.example", target=b"http://other/a", headers=((b"Host", b"other"),)),
    ],
)
def test_a_host_is_the_same_however_it_is_spelled_and_wherever_it_stands(key):
    recorded = [Item(of("other.example:443"), "other"), Item(of("api.example:443"), "api")]
    matcher = Matcher(recorded, Matching().with_host())
    found = matcher.take(key)
    assert found is not None
    assert found.name == "api"


@pytest.mark.parametrize(
    "host", ["api.example:80", "api.example:8443", "example", "", ":443", "api.example:x"]
)
def test_another_host_or_port_is_another_request_where_the_host_is_matched(host):
    recorded = [Item(of("api.example:443"), "api")]
    matcher = Matcher(recorded, Matching(match=("host", "path")))
    assert matcher.take(of(host)) is None
    *_, line = matcher.why_not(of(host)).lines
    assert line.startswith("host: recorded api.example:443, the request has ")
    assert Matcher(recorded).take(of(host)) is not None


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


def test_of_several_cassettes_a_miss_names_the_one_that_has_the_nearest():
    far = item("tapes/a.tape, exchange 0", chat(model="other", temperature=1, seed=3))
    near = item("tapes/b\x1b.tape, exchange 7 of section 1", chat(temperature=0.5))
    lines = why_not(Matcher([far, near]), chat())
    where = r"tapes/b\x1b.tape, exchange 7 of section 1"
    assert lines[1] == f"nearest recorded request: POST /v1/chat/completions ({where})"
    of_one = Matcher([near, item("tapes/b\x1b.tape, exchange 8", chat(seed=1, n=2, temperature=3))])
    assert why_not(of_one, chat())[1] == "nearest recorded request: POST /v1/chat/completions"


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


def test_the_order_of_parameters_and_their_percent_encoding_do_not_matter_but_their_values_do():
    matcher = Matcher([item("a", path=b"/x?api-version=2024-06-01&name=a%20b&t=1&t=2")])
    assert take(matcher, path=b"/x?name=a+b&t=1&t=2&api-version=2024-06-0%31") == "a"
    assert take(matcher, path=b"/x?name=a+b&t=2&t=1&api-version=2024-06-01") is None
    assert take(matcher, path=b"/x?name=a+b&t=1&t=2&api-version=2025-01-01") is None
    assert take(matcher, path=b"/x?name=a+b&t=1&t=2") is None
    assert take(Matcher([item("b", path=b"/x?beta")]), path=b"/x?beta=") == "b"
    assert take(Matcher([item("b", path=b"/x?beta")]), path=b"/x") is None


def test_what_is_not_named_does_not_matter():
    only = {name: Matching(match=(name,)) for name in ("method", "path", "query", "body")}
    other = {"method": "PUT", "path": b"/other?x=1", "body": b"[]"}
    assert take(Matcher([item("a", path=b"/a?x=1")], only["query"]), **other) == "a"
    assert take(Matcher([item("a", method="PUT")], only["method"]), **other) == "a"
    assert take(Matcher([item("a", path=b"/other")], only["path"]), **other) == "a"
    assert take(Matcher([item("a", b" []")], only["body"]), **other) == "a"
    assert take(Matcher([item("a")], only["body"]), **other) is None


def test_headers_matter_if_they_are_named():
    matching = Matching(match=("path", "header:X-Tenant"))
    items = [item(name, headers=((b"x-tenant", name.encode()),)) for name in ("a", "b")]
    matcher = Matcher([*items, item("none")], matching)
    assert take(matcher, headers=((b"X-TENANT", b" b "), (b"other", b"1"))) == "b"
    assert take(matcher) == "none"
    assert why_not(matcher, headers=((b"X-Tenant", b"c"),))[2:] == [
        "header.x-tenant: recorded 'a', the request has 'c'"
    ]


def test_what_is_ignored_matches_whether_it_is_there_or_not():
    matching = Matching(ignore=("$.user", "$..id"))
    matcher = Matcher([item("a", b'{"user":"me","messages":[{"id":1,"text":"hi"}]}')], matching)
    assert take(matcher, b'{"messages":[{"text":"hi","id":"2"}]}') == "a"
    assert take(matcher, b'{"messages":[{"text":"ho","id":"2"}]}') is None
    assert why_not(matcher, b'{"user":"you","messages":[{"text":"ho","id":"2"}]}')[2:] == [
        "body.messages[0].text: recorded 'hi', the request has 'ho'"
    ]


def test_with_nothing_to_match_whatever_is_asked_gets_the_next():
    matcher = Matcher([item("a"), item("b", b"[]")], Matching(match=()))
    assert [take(matcher, b"anything", method="PUT", path=b"/x") for _ in range(3)] == ["a", "b", "a"]


EXHAUSTED = {
    "cycle": ["a", "b", "a", "b", "a"],
    "last": ["a", "b", "b", "b", "b"],
    "error": ["a", "b", None, None, None],
}


@pytest.mark.parametrize(("exhausted", "expected"), EXHAUSTED.items())
@pytest.mark.parametrize("order", ["any", "recorded"])
def test_what_follows_the_last_answer(order, exhausted, expected):
    matcher = Matcher([item("a"), item("b")], Matching(order=order, exhausted=exhausted))
    assert [take(matcher) for _ in range(5)] == expected


def test_a_request_that_is_used_up_says_so():
    matcher = Matcher([item("a"), item("b", b"[]")], Matching(exhausted="error"))
    assert take(matcher) == "a"
    miss = matcher.why_not(asked())
    assert miss.code == "exhausted"
    assert miss.lines[0] == "POST /v1/chat/completions was recorded once and has been asked for more often"


def test_in_recorded_order_a_request_that_is_not_due_is_refused_and_takes_nothing_away():
    matcher = Matcher([item("a"), item("b", b'{"n":2}')], Matching(order="recorded"))
    assert take(matcher, b'{"n":2}') is None
    miss = matcher.why_not(asked(b'{"n":2}'))
    assert miss.code == "out_of_order"
    assert miss.lines == (
        "POST /v1/chat/completions is recorded, but number 1 of 2 is due: a",
        "due: POST /v1/chat/completions",
        "body.n: absent in the recording, the request has 2",
    )
    assert matcher.why_not(asked(b'{"n":3}')).code == "not_recorded"
    assert [take(matcher), take(matcher), take(matcher, b'{"n":2}')] == ["a", None, "b"]


def test_in_recorded_order_the_end_is_said():
    matcher = Matcher([item("a")], Matching(order="recorded", exhausted="error"))
    assert take(matcher) == "a"
    assert take(matcher) is None
    miss = matcher.why_not(asked())
    assert (miss.code, miss.lines[0]) == (
        "exhausted",
        "POST /v1/chat/completions came after the last of 1 recorded exchange",
    )


requests = st.lists(st.sampled_from([b"{}", b"[]", b"1"]), min_size=1, max_size=8)


@given(
    requests,
    st.lists(st.sampled_from([b"{}", b" [ ]", b"1.0", b"2"]), max_size=30),
    st.sampled_from([*EXHAUSTED]),
)
def test_each_request_gets_its_own_answers_first_in_first_out(recorded, live, exhausted):
    matcher = Matcher([item(n, body) for n, body in enumerate(recorded)], Matching(exhausted=exhausted))
    rows = {b"{}": b"{}", b" [ ]": b"[]", b"1.0": b"1", b"2": b"2"}
    given = {}
    for body in live:
        own = [n for n, other in enumerate(recorded) if other == rows[body]]
        turn = given[body] = given.get(body, -1) + 1
        if exhausted == "cycle" and own:
            turn %= len(own)
        elif exhausted == "last" and own:
            turn = min(turn, len(own) - 1)
        assert take(matcher, body) == (own[turn] if turn < len(own) else None)


@pytest.mark.parametrize("order", ["any", "recorded"])
@pytest.mark.parametrize("shared", [False, True])
def test_started_again_every_row_is_at_its_first_answer(order, shared):
    matcher = Matcher([item("a"), item("b")], Matching(order=order, exhausted="error"))
    if shared:
        matcher.counters.share()
    for _ in range(3):
        matcher.start_again()
        assert list(matcher.counters.served) == [0, 0]
        assert [take(matcher) for _ in range(3)] == ["a", "b", None]


def test_counts_go_on_for_what_is_the_same_and_new_answers_come_after_the_old():
    before = Matcher([item("a"), item("b", b"[]"), item("gone", b"1")])
    assert [take(before), take(before, b"[]"), take(before, b"1")] == ["a", "b", "gone"]
    after = Matcher([item("a"), item("b", b"[2]"), item("c")])
    after.go_on_from(before.counts())
    assert after.counters.served == [1, 0, 0]
    assert [take(after), take(after, b"[2]")] == ["c", "b"]


def test_in_recorded_order_the_row_goes_on_where_it_was():
    matching = Matching(order="recorded")
    before, after = (Matcher([item("a"), item("b", b"[]")], matching) for _ in range(2))
    assert take(before) == "a"
    after.go_on_from(before.counts())
    assert [take(after), take(after, b"[]")] == [None, "b"]


def test_in_recorded_order_a_request_may_be_one_of_several_with_placeholders():
    from tokentape.cassette import placeholder

    key = placeholder("openai-key").decode()
    recorded = [item("any", json.dumps([key]).encode()), item("ends", json.dumps([key + "!"]).encode())]
    matcher = Matcher(recorded, Matching(order="recorded"))
    assert [take(matcher, b'["x!"]'), take(matcher, b'["x!"]'), take(matcher, b'["x"]')] == [
        "any",
        "ends",
        "any",
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b'{"a":1}', b'{ "a": 1.0 }', b"a=1&b=2", b"b=2&a=1"]),
            st.sampled_from([b"/a", b"/b"]),
            st.lists(
                st.sampled_from(
                    [
                        (b"Content-Type", b"application/x-www-form-urlencoded"),
                        (b"X-Tenant", b"a"),
                        (b"X-Other", b"c"),
                    ]
                ),
                max_size=2,
            ),
        ),
        max_size=30,
    )
)
def test_what_came_before_changes_nothing_in_which_requests_are_the_same(requests):
    """A matcher remembers what requests are the same as; one that has seen nothing must say the same."""
    matching = Matching(match="method,path,query,body,header:x-tenant")
    form = ((b"content-type", b"application/x-www-form-urlencoded"),)
    items = [item("json", b'{"a":1}', path=b"/a"), item("form", b"a=1&b=2", path=b"/a", headers=form)]
    matcher = Matcher(items, matching)
    for body, path, headers in requests:
        fresh = Matcher(items, matching)
        assert take(matcher, body, path=path, headers=headers) == take(
            fresh, body, path=path, headers=headers
        )


@pytest.mark.parametrize("match", [("path",), "none"])
def test_an_answer_to_head_answers_nothing_else_whatever_is_matched(match):
    matcher = Matcher([item("get", method="GET"), item("head", method="HEAD")], Matching(match=match))
    assert [take(matcher, method=method) for method in ("GET", "POST", "HEAD", "HEAD")] == [
        "get",
        "get",
        "head",
        "head",
    ]


def test_a_miss_of_a_head_says_so_where_methods_are_not_matched():
    matcher = Matcher([item("get", method="GET")], Matching(match="path"))
    assert take(matcher, method="HEAD") is None
    assert "method: recorded another, the request has HEAD" in why_not(matcher, method="HEAD")


def test_what_was_missed_is_found_once_it_is_recorded():
    matcher = Matcher([item("a")])
    assert take(matcher, b"[]") is None
    matcher.add(item("b", b"[]"))
    assert take(matcher, b"[]") == "b"
