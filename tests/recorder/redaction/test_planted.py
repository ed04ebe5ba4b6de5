"""Secrets that were planted where a recorder once overlooked them, each in a way of its own."""

import json
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from tests.cassette.tapes import REQUEST
from tests.recorder.redaction.secrets import letters
from tokentape import cassette
from tokentape.recorder.redaction import Redactor, default_rules
from tokentape.recorder.redaction._finding import Finder

BLANK = replace(REQUEST, headers=(), redactions=0)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def left_of(**changes: object) -> bytes:
    """Return all that is left of a request."""
    after = Redactor().request(replace(BLANK, **changes))
    assert after.redactions >= 1
    return b"\n".join([after.path, *(part for header in after.headers for part in header), after.body])


def said(text: str) -> bytes:
    return json.dumps({"content": text}).encode()


def assert_gone(left: bytes, secrets: Iterable[str]) -> None:
    for secret in secrets:
        assert secret.encode() not in left, left


WORD, OTHER = letters(9), letters(9)


@pytest.mark.parametrize(
    "userinfo",
    [
        f":{WORD}",
        f"_json_key:{WORD}",
        f"bob:{WORD},{OTHER}",
        f"bob:{WORD}|{OTHER}",
        f"bob:{WORD}'{OTHER}",
        f"bob:{WORD}#{OTHER}",
        f"bob:{WORD}@{OTHER}",
        f"bob@corp.example:{WORD}@{OTHER}",
        f"bob:1x,{WORD}",
    ],
)
def test_userinfo_goes_up_to_the_last_at_before_the_host(userinfo: str):
    for text in (f"redis://{userinfo}@db.example:6379/0", f"use postgres://{userinfo}@db now"):
        left = left_of(body=said(text))
        assert_gone(left, (WORD, OTHER))
        assert b"@db" in left


@pytest.mark.parametrize("name", ["password", "db_password", "passphrase", "passwd"])
def test_a_password_may_have_spaces(name: str):
    secret = f"correct {WORD} battery {OTHER}"
    for data in ({name: secret}, {"arguments": json.dumps({name: secret})}):
        assert_gone(left_of(body=json.dumps(data).encode()), (WORD, OTHER))


@pytest.mark.parametrize("end", ["\\", "\\\\", '"', '\\"', '"\\', '\\"\\'])
def test_a_value_of_json_in_json_may_end_with_a_backslash_or_a_quote(end: str):
    text = json.dumps({"api_key": WORD + end + OTHER + end, "next": "stays"})
    for _ in range(3):
        left = left_of(body=text.encode())
        assert_gone(left, (WORD, OTHER))
        assert b"stays" in left
        value = json.loads(left[left.index(b"\n") + 1 :])
        while "a" in value:
            value = json.loads(value["a"])
        assert value == {"api_key": "[redacted json-key]", "next": "stays"}
        text = json.dumps({"a": text})


INNOCENTS = [
    "{url:'https://x.example',email:'a@b.c'} {url:'https://x.example:8080',email:'a@b.c'}",
    "[site](https://x.example:8080),(mailto:a@b.c) http://localhost:8080,me@x.example",
    "https://x.example/@user https://x.example:443/@user ssh://git@x.example:22/a.git",
]


@pytest.mark.parametrize("text", INNOCENTS)
def test_what_is_only_near_to_these_stays(text: str):
    for body in (text.encode(), said(text), said(json.dumps([text]))):
        assert Finder(default_rules()).find(body) == []
    assert cassette.REDACTED.search(text.encode()) is None
