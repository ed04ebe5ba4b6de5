import dataclasses

import pytest

from tokentape.replay import Matching


def test_by_default_method_path_query_and_body_match_in_any_order_for_ever():
    assert Matching() == Matching(
        match=("method", "path", "query", "body"), ignore=(), order="any", exhausted="cycle"
    )


def test_what_means_the_same_is_equal():
    assert Matching(match=("body", "path", "path")) == Matching(match=("path", "body"))
    assert Matching(match="path, body") == Matching(match=["path", "body"])
    assert Matching(match=("header:X-B", "header:x-a")).match == ("header:x-a", "header:x-b")
    assert Matching(match="none") == Matching(match=())
    assert Matching(ignore="$.a") == Matching(ignore=("$.a", "$.a"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"match": ("method", "port")},
            "match: expected method, host, path, query, body, header:NAME, or none",
        ),
        ({"match": "body,"}, "found ''"),
        ({"match": "none,body"}, "found 'none'"),
        ({"match": "header:"}, "found 'header:'"),
        ({"match": "header:a b"}, "found 'header:a b'"),
        ({"match": 5}, "match: expected a list of names, found 5"),
        ({"ignore": ("user",)}, "found 'user', which does not begin with"),
        ({"ignore": ("$.a",), "match": ("path",)}, "expected body among what is matched"),
        ({"ignore": ("$.a", 1)}, "ignore: expected a list of locations such as $.user, found ('$.a', 1)"),
        ({"ignore": None}, "ignore: expected a list of locations such as $.user, found None"),
        ({"order": "strict"}, "order: expected any or recorded, found 'strict'"),
        ({"exhausted": "stop"}, "exhausted: expected cycle or last or error, found 'stop'"),
    ],
)
def test_what_is_wrong_is_refused_in_a_line(arguments, words):
    with pytest.raises(ValueError) as raised:
        Matching(**arguments)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_host_is_added_to_what_is_matched_but_not_to_nothing():
    assert Matching().with_host().match == ("method", "host", "path", "query", "body")
    assert Matching(match=("body", "host"), exhausted="last").with_host() == Matching(
        match=("host", "body"), exhausted="last"
    )
    assert Matching(match="none").with_host() == Matching(match="none")


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Matching().order = "recorded"
