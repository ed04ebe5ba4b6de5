"""Secrets that were planted where a recorder once overlooked them, each in a way of its own."""

import base64
import gzip
import json
import zlib
from collections.abc import Iterable

import brotli
import pytest
import zstandard
from msgspec.structs import replace

from tests.cassette.tapes import REQUEST
from tests.recorder.redaction.secrets import letters
from tests.replay.recordings import as_exchange, exchange
from tokentape import cassette
from tokentape.recorder.redaction import Redactor, default_rules
from tokentape.recorder.redaction._answers import redacted_answer
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
        f"bob:{WORD}/{OTHER}",
        f"bob:{WORD}?{OTHER}",
        f"bob:{WORD}/x@{OTHER}",
    ],
)
def test_userinfo_goes_up_to_the_last_at_before_the_host(userinfo: str):
    for text in (f"redis://{userinfo}@db.example:6379/0", f"use postgres://{userinfo}@db now"):
        left = left_of(body=said(text))
        assert_gone(left, (WORD, OTHER))
        assert b"@db" in left


def test_an_at_behind_the_host_is_none_of_userinfo():
    assert b"@db/x?mail=a@b.c" in left_of(body=said(f"postgres://bob:{WORD}@db/x?mail=a@b.c"))


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


@pytest.mark.parametrize(
    "head",
    [
        'form-data; filename="k"; name="api_key"',
        'form-data; filename="a; name=b"; name="api_key"',
        'form-data; NAME="api_key"',
        'form-data; name = "api_key"',
        "form-data; name='api_key'",
        "form-data; name=api_key",
        "form-data; name*=utf-8''api%5Fkey",
        'form-data;name="api_key";x="y"',
    ],
)
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize(
    "boundary", ["boundary=b-1", "boundary = b-1", 'boundary="b-1"', "Boundary=b-1", "x=1"]
)
def test_a_part_of_a_multipart_body_is_named_in_many_ways(head: str, newline: str, boundary: str):
    lines = ["--b-1", f"Content-Disposition: {head}", "X: y", "", WORD, "--b-1"]
    lines += ['Content-Disposition: form-data; name="prompt"', "", "stays", "--b-1--", ""]
    header = (b"content-type", f"multipart/form-data; {boundary}".encode())
    left = left_of(headers=(header,), body=newline.join(lines).encode())
    assert_gone(left, [WORD])
    assert b"stays" in left


def test_a_name_inside_of_a_file_name_is_none():
    part = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a; name=password"\r\n\r\nstays\r\n--b--'
    )
    before = replace(BLANK, headers=((b"content-type", b"multipart/form-data; boundary=b"),), body=part)
    assert Redactor().request(before) == before


def test_a_form_that_is_sent_as_plain_text_is_one():
    for text in (f"api_key={WORD}", f"api_key={WORD}&a=stays\n", f"a=stays&password={WORD}"):
        assert_gone(left_of(headers=((b"content-type", b"text/plain"),), body=text.encode()), [WORD])


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_of_wide_characters_is_looked_into_whatever_it_is_called(charset: str):
    key = "sk-" + letters(40)
    for content_type in (b"text/plain", b""):
        left = left_of(headers=((b"content-type", content_type),), body=f"key: {key}".encode(charset))
        assert_gone(left.replace(b"\0", b""), [key])


def test_what_has_zeros_and_is_no_text_stays():
    before = replace(BLANK, body=b"\0\0\0\x20ftypmp42" + bytes(range(256)))
    assert Redactor().request(before) == before


def _gzip(data: bytes, flag: int, more: bytes) -> bytes:
    packed = gzip.compress(data)
    return packed[:3] + bytes([flag]) + packed[4:10] + more + b"\0" + packed[10:]


KEY = "sk-" + letters(40)
ODD = {
    "gzip, a name": (b"gzip", lambda data: _gzip(data, 8, KEY.encode())),
    "gzip, a comment": (b"gzip", lambda data: _gzip(data, 16, KEY.encode())),
    "deflate, what follows": (b"deflate", lambda data: zlib.compress(data) + KEY.encode()),
    "zstd, a frame to skip": (
        b"zstd",
        lambda data: (
            b"\x50\x2a\x4d\x18" + len(KEY).to_bytes(4, "little") + KEY.encode() + zstandard.compress(data)
        ),
    ),
    "two": (b"gzip, br", lambda data: brotli.compress(_gzip(data, 8, KEY.encode()))),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("text", ["nothing", f"api_key={WORD}"])
def test_what_decoding_leaves_out_is_left_out(odd: str, text: str):
    encoding, encode = ODD[odd]
    headers = ((b"content-encoding", encoding),)
    after = Redactor().request(replace(BLANK, headers=headers, body=encode(text.encode())))
    assert after.redactions >= 1
    plain = after.body
    for name in reversed(encoding.decode().split(", ")):
        assert_gone(plain, [KEY, WORD])
        plain = cassette.decode_content(plain, name, max_bytes=10**6)
    assert plain.startswith(b"nothing" if text == "nothing" else b"api_key=[redacted"[:8])
    assert_gone(plain, [KEY, WORD])
    told = as_exchange(exchange(pieces=[(2, encode(text.encode()))], headers=headers))
    answer = redacted_answer(Redactor().finder, told, {})
    assert answer.reencoded
    assert_gone(b"".join(answer.pieces or [KEY.encode()]), [KEY])


def test_a_fragment_has_parameters_too():
    long = letters(12)
    left = left_of(
        path=f"/v1#access_token={WORD}&a=b".encode(),
        headers=((b"X-Note", f"see https://h/cb#access_token={long}".encode()),),
        body=said(f"see https://h/cb#access_token={long}"),
    )
    assert_gone(left, [WORD, long])
    assert_gone(left_of(path=f"/v1?q=x#access_token={WORD}".encode()), [WORD])


@pytest.mark.parametrize(
    "value",
    [
        "https://h.example/a?api_key={}",
        "/v1?api_key={}&b=1",
        "//h/v1?b=1&key={}",
        "https://h/cb#access_token={}",
        '<https://h/v1?key={}>; rel="next"',
        "0; url=https://h/v1?key={}",
    ],
)
@pytest.mark.parametrize("name", [b"Referer", b"X-Original-URL", b"Location", b"X-Any"])
def test_a_url_in_a_header_is_looked_at_as_the_target_is(name: bytes, value: str):
    assert_gone(left_of(headers=((name, value.format("s3c").encode()),)), ["s3c"])


def test_a_headers_name_may_be_a_secret():
    (name, value), other = Redactor().headers(((KEY.encode(), b"1"), (b"x-a", b"b")))
    assert (name, value, other) == (b"redacted-openai-key", b"1", (b"x-a", b"b"))


LINES = [letters(64) for _ in range(3)] + [letters(20)]
ARMOUR = ["-----BEGIN " + "RSA PRIVATE KEY-----", *LINES, "-----END " + "RSA PRIVATE KEY-----"]
QUOTED = {
    "mail": lambda lines: "\n".join("> " + line for line in lines),
    "list": json.dumps,
    "list, indented": lambda lines: json.dumps(lines, indent=4),
    "break": "<br>".join,
    "break, new line": "<br />\n".join,
    "removed": lambda lines: "\n".join("-" + line for line in lines),
    "added": lambda lines: "\n".join("+" + line for line in lines),
    "literals": lambda lines: " +\n".join(f'    "{line}\\n"' for line in lines),
    "literals, single": lambda lines: "\n".join(f"    '{line}\\n'" for line in lines),
    "comment": lambda lines: "\n".join("# " + line for line in lines),
    "one line": "".join,
}


@pytest.mark.parametrize("quoted", QUOTED)
@pytest.mark.parametrize("lines", [ARMOUR, ARMOUR[:-2]], ids=["whole", "cut"])
def test_a_private_key_may_be_quoted(quoted: str, lines: list[str]):
    text = QUOTED[quoted](lines)
    for body in (text.encode(), said(text), said(json.dumps({"a": text}))):
        assert_gone(left_of(body=body), lines[1:])
    assert json.loads(Redactor().request(replace(BLANK, body=said(text))).body)


@pytest.mark.parametrize("plain", ["user:pass", "userlong:passlong", "me@corp.example:open sesame"])
def test_basic_credentials_need_no_digit(plain: str):
    secret = base64.b64encode(plain.encode()).decode()
    for spelled in (secret, secret.rstrip("=")):
        assert_gone(left_of(body=said(f"Authorization: Basic {spelled}")), [secret.rstrip("=")])


def test_an_encrypted_token_may_have_no_second_part():
    parts = [letters(20), letters(60), letters(22)]
    token = "eyJ" + letters(40) + ".." + ".".join(parts)
    assert_gone(left_of(body=said(f"see {token} ok")), [*parts, token[:20]])


@pytest.mark.parametrize(
    "name",
    [
        "X-Key",
        "X-Credential",
        "X-Credentials",
        "Private-Key",
        "X-Amz-Signature",
        "X-Secret-Key-1",
        "X-Session-Id",
        "My-Private-Key-Pem",
        "X-Password-2",
        "X-Api-Key-2",
    ],
)
def test_a_header_of_such_a_name_is_replaced(name: str):
    assert_gone(left_of(headers=((name.encode(), WORD.encode()),)), [WORD])


@pytest.mark.parametrize(
    "name",
    [
        "X-Session-Affinity",
        "Idempotency-Key",
        "X-Keyboard",
        "Sec-WebSocket-Key",
        "Surrogate-Key",
        "X-Cache-Key",
        "Access-Control-Allow-Credentials",
    ],
)
def test_a_header_of_another_name_stays(name: str):
    before = replace(BLANK, headers=((name.encode(), b"true"),))
    assert Redactor().request(before) == before


@pytest.mark.parametrize("value", [f"sid={WORD}; theme=dark", f"theme=darkish; sid={WORD}", f"a=b={WORD}"])
def test_a_cookie_may_be_a_field(value: str):
    for name in ("cookie", "Cookie", "set-cookie"):
        assert_gone(left_of(body=json.dumps({"headers": {name: value}}).encode()), [WORD])


INNOCENTS = [
    "Basic understanding, Basic authentication credentials, basic abcdefgh, BASIC internationalizations",
    "from -----BEGIN RSA PRIVATE KEY----- over some words of prose to -----END RSA PRIVATE KEY----- it goes",
    '{"cookie": "chocolate chip", "cookies": "are = sweet"}',
    "eyJ is the begin of one, eyJhbGciOiJkaXIifQ.. is cut",
    "{url:'https://x.example',email:'a@b.c'} {url:'https://x.example:8080',email:'a@b.c'}",
    "[site](https://x.example:8080),(mailto:a@b.c) http://localhost:8080,me@x.example",
    "https://x.example/@user https://x.example:443/@user ssh://git@x.example:22/a.git",
]


@pytest.mark.parametrize("text", INNOCENTS)
def test_what_is_only_near_to_these_stays(text: str):
    for body in (text.encode(), said(text), said(json.dumps([text]))):
        assert Finder(default_rules()).find(body) == []
    assert cassette.REDACTED.search(text.encode()) is None
