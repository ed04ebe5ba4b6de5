"""Every kind of secret in every place of a record: none of it is left, and the record says how many were."""

import gzip
import itertools
import json
import re
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.cassette.tapes import END, NOTE, REQUEST, RESPONSE, SECTION
from tests.recorder.redaction.secrets import everywhere, letters, parts
from tokentape import cassette
from tokentape.recorder.redaction import Redactor, Rules, default_rules
from tokentape.recorder.redaction._rules import parse_rules

KINDS = everywhere()
IDS = [f"{name}-{index}" for index, (name, _, _) in enumerate(KINDS)]
BLANK = replace(REQUEST, headers=(), redactions=0)


def body(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def request(**changes: object) -> cassette.Request:
    return replace(BLANK, **changes)


def encoded(encode: Callable[[bytes], bytes], name: bytes) -> Callable[[str], cassette.Request]:
    return lambda text: request(body=encode(body(text)), headers=((b"Content-Encoding", name),))


def form(text: str) -> cassette.Request:
    header = (b"content-type", b"application/x-www-form-urlencoded")
    return request(body=b"prompt=" + quote_plus("a: " + text).encode() + b"&n=1", headers=(header,))


def multipart(text: str) -> cassette.Request:
    parts = b'--XX\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + text.encode() + b"\r\n--XX--\r\n"
    return request(body=parts, headers=((b"content-type", b"multipart/form-data; boundary=XX"),))


PLACES: dict[str, Callable[[str], cassette.Request]] = {
    "query": lambda text: request(path=b"/v1?q=" + quote(text, safe="").encode() + b"&n=1"),
    "path": lambda text: request(path=b"/v1/" + quote(text, safe="/:=@").encode() + b"/x"),
    "absolute target": lambda text: request(path=b"http://h/v1/" + quote(text, safe="").encode()),
    "header": lambda text: request(headers=((b"X-Note", b"see " + text.replace("\n", " ").encode()),)),
    "referer": lambda text: request(
        headers=((b"Referer", b"https://h/?q=" + quote(text, safe="").encode()),)
    ),
    "body": lambda text: request(body=body(f"my key: {text} and more")),
    "body, in quotes": lambda text: request(body=body(f'export KEY="{text}"\nrun')),
    "body, on a line of its own": lambda text: request(body=body(f"here:\n{text}\nthere")),
    "body, in Chinese": lambda text: request(body=body(f"密钥{text}结束")),
    "body, not escaped": lambda text: request(
        body=json.dumps({"a": f"密钥{text}结束"}, ensure_ascii=False).encode()
    ),
    "body, escaped slashes": lambda text: request(body=body(text).replace(b"/", rb"\/")),
    "body, escaped hyphens": lambda text: request(
        body=body(text).replace(b"-", rb"\u002d").replace(b"_", rb"\u005F")
    ),
    "body, JSON in JSON": lambda text: request(body=body(json.dumps({"arguments": f"a {text} b"}))),
    "body, JSON in JSON in JSON": lambda text: request(body=body(json.dumps({"a": json.dumps({"b": text})}))),
    "body, percent-encoded": lambda text: request(body=body("x=" + quote(text, safe=""))),
    "body, plain text": lambda text: request(body=f"a {text} b".encode()),
    "body, in UTF-16": lambda text: request(
        body=body(text).decode().encode("utf-16"),
        headers=((b"content-type", b"application/json; charset=utf-16"),),
    ),
    "body, in UTF-16 that is not named": lambda text: request(
        body=body(text).decode().encode("utf-16-le"), headers=((b"content-type", b"application/json"),)
    ),
    "body, in colours": lambda text: request(body=body(f"\x1b[1;32m{text}\x1b[0m")),
    "body, behind an image": lambda text: request(
        body=body("data:image/png;base64," + "iVBORw0K" * 4096 + f"\n{text}")
    ),
    "body, before an image": lambda text: request(
        body=body(f"{text}\ndata:image/png;base64," + "iVBORw0K" * 4096)
    ),
    "form": form,
    "multipart": multipart,
    "gzip": encoded(gzip.compress, b"gzip"),
    "deflate": encoded(zlib.compress, b"deflate"),
    "br": encoded(brotli.compress, b"br"),
    "zstd": encoded(zstandard.compress, b"zstd"),
    "gzip in br": encoded(lambda data: brotli.compress(gzip.compress(data)), b"gzip, br"),
}


def plain(record: cassette.Request) -> bytes:
    """All bytes of a request, its body decoded, without escapes."""
    encoding = cassette.header(record.headers, b"content-encoding")
    body = cassette.decode_content(record.body, encoding, max_bytes=10**9)
    if b"\0" in body[:4]:
        body = body.decode("utf-16").encode()
    joined = b"\n".join([record.path, *(value for _, value in record.headers), body])
    return joined.replace(rb"\u002d", b"-").replace(rb"\u005F", b"_").replace(rb"\/", b"/")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("name", "text", "secret"), KINDS, ids=IDS)
def test_every_kind_in_every_place_of_a_request_is_replaced(name: str, text: str, secret: str, place: str):
    redactor = Redactor()
    before = PLACES[place](text)
    after = redactor.request(before)
    left = plain(after)
    for part in parts(secret):
        assert part.encode() not in left
    assert after.redactions == redactor.total >= 1
    assert cassette.REDACTED.search(left)
    if "gzip" not in place and name not in {"bearer-token", "url-key", "private-key"}:
        assert name in redactor.counts, redactor.counts
    if place.startswith("body, J") or place == "body":
        json.loads(after.body)


@pytest.mark.parametrize(("name", "text", "secret"), KINDS, ids=IDS)
def test_every_kind_in_every_place_of_an_answers_head_and_end_is_replaced(name: str, text: str, secret: str):
    redactor = Redactor()
    line = text.replace("\n", " ").encode()
    headers = ((b"Location", b"https://h/?next=" + quote(text, safe="").encode()), (b"x-note", b"a " + line))
    response = redactor.response(replace(RESPONSE, headers=headers, reason=b"No " + line))
    end = redactor.end(replace(END, detail=f"cannot reach {text}", trailers=headers))
    note = redactor.note(replace(NOTE, text=f"tried {text}"))
    section = redactor.section(replace(SECTION, labels={"why": text, text: "why"}))
    left = b"".join(map(cassette.encode_like, [b"\x90"] * 4, (response, end, note, section)))
    for part in parts(secret):
        assert part.encode() not in left
    assert response.redactions >= 3


@pytest.mark.parametrize("rule", default_rules().headers, ids=lambda rule: rule.name)
def test_every_header_of_the_list_is_replaced_in_requests_answers_and_trailers(rule):
    for name in rule.headers:
        for spelled in (name, name.upper(), name.title(), name.replace("-", "_")):
            secret = letters(12).encode()
            header = (spelled.replace("*", "x").encode(), b"any " + secret)
            redactor = Redactor()
            assert cassette.REDACTED.fullmatch(redactor.request(request(headers=(header,))).headers[0][1])
            assert secret not in repr(redactor.response(replace(RESPONSE, headers=(header, header)))).encode()
            assert secret not in repr(redactor.end(replace(END, trailers=(header,)))).encode()
            assert redactor.total == 4


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (b"Bearer s3cret", b"Bearer "),
        (b"bearer s3cret", b"bearer "),
        (b"BASIC s3cret", b"BASIC "),
        (b"AWS4-HMAC-SHA256 Credential=s3cret/x, Signature=s3cret", b"AWS4-HMAC-SHA256 "),
        (b"s3cret", b""),
        (b"s3cret s3cret", b""),
    ],
)
def test_the_scheme_of_an_authorization_stays_and_nothing_else(value, kept):
    after = Redactor().request(request(headers=((b"Authorization", value),)))
    assert after.headers[0][1] == kept + b"[redacted authorization]"


@pytest.mark.parametrize("rule", default_rules().parameters, ids=lambda rule: rule.name)
def test_every_parameter_of_the_list_is_replaced_in_the_query_and_in_forms(rule):
    for parameter in rule.parameters:
        for name in {
            parameter,
            parameter.replace("-", "_"),
            parameter.upper(),
            parameter.replace("-", "%2D"),
        }:
            pair = name.replace("*", "x-").encode() + b"=" + b"s3"
            redactor = Redactor()
            after = redactor.request(request(path=b"/v1/m?a=s1&" + pair + b"&b=2"))
            assert after.path.startswith(b"/v1/m?a=s1&")
            assert re.search(rb"=%5Bredacted%20[a-z-]+%5D&b=2$", after.path)
            header = (b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")
            assert b"s3" not in redactor.request(request(body=b"a=1&" + pair, headers=(header,))).body


@pytest.mark.parametrize("rule", default_rules().fields, ids=lambda rule: f"{rule.name}-{rule.fields[0]}")
def test_every_field_of_the_list_is_replaced_in_json_and_multipart(rule):
    for field in rule.fields:
        for spelled in {field, field.replace("-", "_"), field.replace("-", ""), field.upper()}:
            name = spelled.replace("*", "my_")
            secret = letters(20)
            for text in (
                json.dumps({"a": [{name: secret, "b": 1}]}),
                json.dumps({"arguments": json.dumps({name: secret}, separators=(",", ":"))}),
                json.dumps({"a": json.dumps({"b": json.dumps({name: secret})})}, indent=2),
            ):
                redactor = Redactor()
                after = redactor.request(request(body=text.encode())).body
                assert secret.encode() not in after
                assert redactor.counts == {rule.name: 1}
                json.loads(after)
            part = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{secret}\r\n--b--'.encode()
            header = (b"content-type", b'multipart/form-data; boundary="b"')
            assert secret.encode() not in Redactor().request(request(body=part, headers=(header,))).body


def test_the_credentials_of_an_mcp_server_in_a_request_are_replaced():
    tool = {"type": "mcp", "server_url": "https://m.example/", "authorization": "s" * 9}
    tool["headers"] = {"X-Api-Key": "t" * 9, "Authorization": "Bearer " + "u" * 9}
    after = Redactor().request(request(body=json.dumps({"tools": [tool]}).encode()))
    assert after.redactions == 3
    assert json.loads(after.body)["tools"][0]["headers"]["Authorization"] == "Bearer [redacted authorization]"
    assert b"sssss" not in after.body + after.path
    assert b"ttttt" not in after.body
    assert b"uuuuu" not in after.body


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"zstd", b"deflate", b"compress", b"aws-chunked"])
def test_a_body_that_cannot_be_looked_into_is_not_kept(encoding):
    text = b"\x01 not of this encoding: " + letters(30).encode()
    after = Redactor().request(request(body=text, headers=((b"content-encoding", encoding),)))
    assert (after.body, after.redactions) == (b"[redacted unreadable-body]", 1)


def test_a_body_that_is_too_large_when_decoded_is_not_kept(monkeypatch):
    monkeypatch.setattr("tokentape.cassette.MAX_RECORD_BYTES", 10_000)
    bomb = gzip.compress(bytes(10_001))
    after = Redactor().request(request(body=bomb, headers=((b"content-encoding", b"gzip"),)))
    assert after.body == b"[redacted unreadable-body]"


def test_what_has_no_secret_stays_byte_for_byte():
    packed = gzip.compress(body("nothing"), 3)
    before = request(body=packed, headers=((b"content-encoding", b"gzip"), (b"accept", b"*/*")))
    assert Redactor().request(before) == before


def test_redacting_again_changes_nothing():
    redactor = Redactor()
    before = request(path=b"/v1?key=s3cret", body=body("sk-" + letters(40)), headers=((b"cookie", b"a=b"),))
    once = redactor.request(before)
    assert once.redactions == 3
    assert redactor.request(once) == once


def test_without_rules_nothing_is_replaced_and_none_are_named():
    redactor = Redactor(Rules())
    before = request(path=b"/v1?key=s3cret", headers=((b"cookie", b"a=b"),))
    assert redactor.request(before) == before
    assert redactor.section(replace(SECTION, redaction=())).redaction == ()


@given(
    st.lists(st.sampled_from(["%s", r"\u%04x", r"\u%04X", "%%%02x", "%%%02X", "%%25%02X"]), min_size=1),
    st.data(),
)
def test_however_the_letters_of_a_secret_are_spelled_it_is_found(spellings: list[str], data: st.DataObject):
    _, _, secret = data.draw(
        st.sampled_from([kind for kind in KINDS if kind[1] == kind[2] and "\n" not in kind[1]])
    )
    spelled = "".join(
        spelling % (letter if spelling == "%s" else ord(letter))
        for letter, spelling in zip(secret, itertools.cycle(spellings), strict=False)
    )
    redactor = Redactor()
    after = redactor.request(request(body=f'{{"a": "see {spelled} there"}}'.encode()))
    left = json.loads(after.body)["a"]
    assert re.fullmatch(r"see \[redacted [a-z-]+\] there", left), left
    assert after.redactions == 1


_any_bytes = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from(
            [
                b'"api_key"',
                b":",
                b'"',
                b"\\",
                b"sk-",
                b"a7" * 12,
                b"%",
                b"?key=",
                b"\x00",
                b"[redacted ",
                b"://",
                b"@",
            ]
        )
    ).map(b"".join),
)
_content_types = st.sampled_from(
    [
        b"",
        b"application/json",
        b"application/x-www-form-urlencoded",
        b'multipart/form-data; boundary="',
        b"charset=utf-16be",
        b"multipart/x; boundary=b",
        b"a/json; charset=UTF16-LE",
        b'x; charset="utf-32"',
        b"\xff",
    ]
)


@given(
    _any_bytes,
    _any_bytes,
    _any_bytes,
    _content_types,
    st.sampled_from([b"", b"gzip", b"identity", b",", b"br", b"x, zstd"]),
)
def test_nothing_that_comes_makes_it_fail_and_twice_is_as_once(path, value, body, content_type, encoding):
    headers = ((b"a", value), (value, b"b"), (b"authorization", value), (b"content-type", content_type))
    before = request(path=path, headers=(*headers, (b"content-encoding", encoding)), body=body)
    once = Redactor().request(before)
    if once.redactions == 0:
        assert once == before
    assert Redactor().request(replace(once, redactions=0)).path == once.path
    Redactor().end(replace(END, detail=value.decode("utf-8", "surrogateescape"), trailers=headers))


def test_a_parameter_may_have_brackets_and_several_names():
    before = request(path=b"/v1?a[b]=1&auth[token]=s3cret&api_key%5B%5D=s3cret;x=1&b=2;key=s3cret;c=3")
    after = Redactor().request(before)
    assert b"s3cret" not in after.path
    assert after.path.startswith(b"/v1?a[b]=1&auth[token]=%5B")
    assert after.path.endswith(b"&b=2;key=%5Bredacted%20url-key%5D;c=3")


def test_a_label_is_replaced_by_its_name_and_by_its_value():
    labels = {"api_key": "abc", "session_id": "monday", "note": "sk-" + letters(30)}
    after = Redactor().section(replace(SECTION, labels=labels)).labels
    assert after == {
        "api_key": "[redacted json-key]",
        "session_id": "monday",
        "note": "[redacted openai-key]",
    }


def test_the_section_names_the_rules_in_force():
    more = parse_rules(b'[[shape]]\nname = "ours"\nregex = "OURS-[0-9]{4}"\n', source="x")
    section = Redactor(default_rules() + more).section(replace(SECTION, redaction=()))
    assert {"authorization", "openai-key", "ours"} <= set(section.redaction)
    assert len(section.redaction) == len(set(section.redaction))
