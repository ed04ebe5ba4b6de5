import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.matching.test_matcher import item, why_not
from tokentape.cassette import placeholder
from tokentape.replay import Matching
from tokentape.replay.matching._matcher import Matcher
from tokentape.replay.matching._secrets import HIDDEN, names_credential, shown_part, shown_target

LETTERS = string.ascii_letters + string.digits
MADE_UP = "".join(random.Random(1).choices(LETTERS, k=40))
KEYS = ["sk" + "-" + MADE_UP, "sk" + "-proj-" + MADE_UP, "Bearer " + MADE_UP[:12], "AI" + "za" + MADE_UP]
KEYS += ["gh" + "p_" + MADE_UP[:30], "ey" + "J" + MADE_UP + "." + MADE_UP, MADE_UP]


CREDENTIALS = (
    "key api_key api-key apiKey X-Api-Key Authorization cookie access_token X-Amz-Signature clientSecret"
)
OTHERS = "model temperature monkey api-version keyboard author encoding user content"


@pytest.mark.parametrize("name", CREDENTIALS.split())
def test_names_of_credentials(name):
    assert names_credential(name)


@pytest.mark.parametrize("name", OTHERS.split())
def test_other_names(name):
    assert not names_credential(name)


def test_numbers_are_shown_whatever_their_name():
    assert why_not(Matcher([item("a", b'{"max_tokens":1}')]), b'{"max_tokens":2}')[2:] == [
        "body.max_tokens: recorded 1, the request has 2"
    ]


def everything(secret, *, place):  # noqa: C901  (a case for each place)
    """What is said of a miss in which a live request has a secret somewhere."""
    recorded = item(
        "a", b'{"messages":[{"content":"hi"}]}', path=b"/v1/x?key=" + placeholder("k", in_url=True)
    )
    body, path, headers = {"messages": [{"content": "hi"}]}, b"/v1/y?v=1", ()
    match place:
        case "content":
            body["messages"][0]["content"] = f"my key is {secret}, keep it"
        case "far" | "middle":
            body["messages"][0]["content"] = "x" * 500 + " " * (place == "far") + secret
        case "edge":
            body["messages"][0]["content"] = "x " * 21 + secret
        case "list":
            body["api_keys"] = [secret]
        case "field":
            body["api_key"] = secret
        case "nested":
            body["tools"] = [{"headers": {"authorization": secret}, "text": secret}]
        case "key":
            body[secret] = 1
        case "query":
            path += b"&key=" + secret.encode()
        case "value":
            path += b"&other=" + secret.encode()
        case "path":
            path = b"/v1/" + secret.encode()
        case "header":
            headers = ((b"X-Api-Key", secret.encode()), (b"X-Other", secret.encode()))
    matching = Matching(match="method,path,query,body,header:x-api-key,header:x-other")
    data = json.dumps(body).encode()
    return "\n".join(why_not(Matcher([recorded], matching), data, path=path, headers=headers))


PLACES = [
    "content",
    "far",
    "middle",
    "edge",
    "list",
    "field",
    "nested",
    "key",
    "query",
    "value",
    "path",
    "header",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", KEYS)
def test_a_miss_never_shows_what_looks_like_a_key(secret, place):
    said = everything(secret, place=place)
    part = secret.rpartition(" ")[2]
    first = len(secret) // 2 if place == "middle" else 4
    windows = {part[start : start + 8] for start in range(first, len(part) - 8)}
    assert not any(window in said for window in windows), said


@given(st.text("abcdefgh ", min_size=4, max_size=12))
def test_under_the_name_of_a_credential_not_even_plain_words_are_shown(secret):
    for place in ("field", "list", "query"):
        assert secret not in everything(f"zz{secret}", place=place).replace(" in the re", "")
        assert HIDDEN in everything("zz" + secret, place=place)


def test_models_versions_and_ids_are_shown():
    for text in ("claude-sonnet-4-5-20250929", "gpt-4o-mini-2024-07-18", "meta-llama/Llama-3.3-70B-Instruct",
                 "2024-12-01-preview", "0b5e1f3a-9c1d-4a55-8a52-0c7a1f9f3d21"):  # fmt: skip
        assert shown_part(text, 0, 100) == text


def test_of_a_target_the_credentials_are_hidden_and_placeholders_stay():
    hidden = placeholder("url-key", in_url=True)
    assert (
        shown_target(b"/v1/m:x?alt=sse&key=abc&api-version=1")
        == f"/v1/m:x?alt=sse&key={HIDDEN}&api-version=1"
    )
    assert shown_target(b"/v1?key=" + hidden).encode() == b"/v1?key=" + hidden
    assert shown_target(b"/\x1b[J" + b"x" * 5_000).startswith("/\\x1b[Jxxx")
    assert len(shown_target(b"/" + b"x" * 5_000)) < 310


def test_nothing_of_a_miss_is_obeyed_by_a_terminal():
    lines = why_not(
        Matcher([item("a")]),
        json.dumps({"\x1b[2J": "\x9b", "a\nb": "\n"}).encode(),
        path=b"/\x1b",
        method="G\x1b",
    )
    assert all(line.isprintable() for line in lines)
