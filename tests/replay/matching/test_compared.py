import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.matching.test_matcher import item, take, why_not
from tokentape.cassette import canonical, placeholder
from tokentape.replay import Matching
from tokentape.replay.matching._compared import body_of, compared
from tokentape.replay.matching._matcher import Matcher
from tokentape.replay.matching._request_key import request_key

FORM = ((b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8"),)


def multipart(boundary, *parts, end="--"):
    """A body as clients send it, with its header. A part is its header lines and its content."""
    body = "".join(f"--{boundary}\r\n{head}\r\n\r\n{content}\r\n" for head, content in parts)
    return {
        "body": f"{body}--{boundary}{end}\r\n".encode("latin-1"),
        "headers": ((b"Content-Type", f'multipart/form-data; boundary="{boundary}"'.encode()),),
    }


MODEL = ('Content-Disposition: form-data; name="model"', "whisper-1")
FILE = (
    'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav',
    "RIFF\xff\r\n--\x00",
)


def digest(body, headers=()):
    return compared(request_key("POST", b"/", body, headers), Matching(), []).digest()


texts = st.text(st.characters(codec="utf-8"), max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values, st.booleans(), st.sampled_from([None, 0, 3]))
def test_the_spelling_of_json_does_not_matter(value, escaped, indent):
    turned = dict(reversed(value.items())) if isinstance(value, dict) else value
    spelled = json.dumps(turned, ensure_ascii=escaped, indent=indent).encode()
    assert digest(spelled) == digest(json.dumps(value).encode())


@given(values, values)
def test_bodies_are_the_same_as_they_are_to_the_other_verbs(one, other):
    bodies = [json.dumps(value).encode() for value in (one, other)]
    assert (digest(bodies[0]) == digest(bodies[1])) == (canonical(bodies[0]) == canonical(bodies[1]))


@given(st.binary(max_size=6), st.binary(max_size=6))
def test_other_bodies_are_the_same_byte_for_byte(one, other):
    assert (digest(one) == digest(other)) == (canonical(one) == canonical(other))


def test_no_body_is_the_same_as_no_body_only():
    bodies = [b"", b"{}", b"null", b'""', b"[]", b"0"]
    assert len({digest(body, FORM) for body in bodies}) == len(bodies)
    assert digest(b"", FORM) == digest(b"")


def test_forms_are_the_same_whatever_the_order_of_fields_and_their_encoding():
    matcher = Matcher([item("a", b"x=1&y=a%20b&x=2", headers=FORM)])
    assert take(matcher, b"y=a+b&x=1&x=%32", headers=FORM) == "a"
    assert take(matcher, b"y=a+b&x=2&x=1", headers=FORM) is None
    assert take(matcher, b"y=a+b&x=1&x=2") is None  # it does not say that it is a form
    assert why_not(matcher, b"x=1&x=3&y=a+b", headers=FORM)[2:] == [
        "body.x[1]: recorded '2', the request has '3'"
    ]


def test_bytes_that_are_no_text_are_told_from_text_that_spells_them():
    assert digest(b"x=%FF", FORM) != digest(b"x=%5Cxff", FORM)
    assert digest("x=é".encode(), FORM) == digest(b"x=%C3%A9", FORM)
    matcher = Matcher([item("a", b"", path=b"/a?x=%FF")])
    assert take(matcher, b"", path=b"/a?x=%5Cxff") is None
    assert why_not(matcher, b"", path=b"/a?x=%FE")[2:] == [
        r"query.x: recorded '\udcff', the request has '\udcfe'"
    ]


def test_json_is_json_whatever_its_content_type_says():
    assert digest(b'{"a":1}', FORM) == digest(b'{ "a": 1 }')


def test_multipart_bodies_are_the_same_whatever_their_boundary_and_the_order_of_fields():
    matcher = Matcher([item("a", **multipart("0123", MODEL, FILE))])
    assert take(matcher, **multipart("x y'z", FILE, MODEL)) == "a"
    assert take(matcher, **multipart("b", MODEL, (FILE[0], FILE[1] + "."))) is None
    assert take(matcher, **multipart("b", MODEL, (FILE[0].replace("a.wav", "b.wav"), FILE[1]))) is None
    assert take(matcher, **multipart("b", MODEL)) is None
    assert take(matcher, **multipart("b", MODEL, FILE, MODEL)) is None
    assert why_not(matcher, **multipart("b", FILE, (MODEL[0], "whisper-2")))[2:] == [
        "body.model: recorded 'whisper-1', the request has 'whisper-2'"
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("name=a", "name=b", False),
        ("name=a", 'NAME = "a"', True),
        ('name="a"; filename=x', 'name="a"', False),
        ('name="a"; filename="x"', 'name="a"; filename=y', False),
        ("name=\"a\"; filename*=UTF-8''x", "name=\"a\"; filename*=UTF-8''y", False),
        ('name="a"; filename="; name=b"', 'filename="; name=b"; name=a', True),
    ],
)
def test_a_part_has_the_names_that_its_disposition_says(one, other, same):
    parts = [f"Content-Disposition: form-data; {names}" for names in (one, other)]
    matcher = Matcher([item("a", **multipart("0", (parts[0], "1")))])
    assert (take(matcher, **multipart("1", (parts[1], "1"))) == "a") is same


def test_a_name_in_another_header_is_not_the_name_of_a_part():
    kind = 'Content-Type: text/plain; name="c"\r\nContent-Disposition: form-data; name='
    matcher = Matcher([item("a", **multipart("0", (kind + "a", "1")))])
    assert take(matcher, **multipart("1", (kind + "b", "1"))) is None


def test_of_a_binary_file_its_size_is_said():
    lines = why_not(Matcher([item("a", **multipart("0", FILE))]), **multipart("1", (FILE[0], FILE[1] + ".")))
    assert lines[2] == "body.file.content.bytes: recorded 10, the request has 11"


def test_json_in_a_part_is_compared_as_json_and_fields_can_be_ignored():
    head = 'Content-Disposition: form-data; name="options"\r\nContent-Type: application/json; charset=utf-8'
    matcher = Matcher(
        [item("a", **multipart("1", (head, '{"n":1,"id":5}'), MODEL))],
        Matching(ignore=("$.options.id", "$.model")),
    )
    assert take(matcher, **multipart("2", (head, '{ "n": 1.0 }'))) == "a"
    assert take(matcher, **multipart("2", (head, '{ "n": 2 }'))) is None


def test_a_placeholder_in_a_field_stands_for_any_text():
    secret = placeholder("api-key").decode()
    part = 'Content-Disposition: form-data; name="api_key"'
    matcher = Matcher(
        [
            item("multipart", **multipart("1", (part, secret), MODEL)),
            item("form", b"api_key=" + placeholder("api-key", in_url=True) + b"&x=1", headers=FORM),
        ]
    )
    assert take(matcher, **multipart("2", (part, "mine"), MODEL)) == "multipart"
    assert take(matcher, b"x=1&api_key=mine", headers=FORM) == "form"


@pytest.mark.parametrize("end", ["", "-", "x--"])
def test_a_multipart_body_that_is_cut_is_bytes(end):
    whole = multipart("1", MODEL)
    body = multipart("1", MODEL, end=end) if end else {**whole, "body": whole["body"][:-9]}
    assert body_of(request_key("POST", b"/", **body)).kind == "bytes"
    assert body_of(request_key("POST", b"/", **whole)).kind == "multipart"


def test_a_multipart_body_with_a_part_that_has_no_content_is_bytes():
    whole = multipart("1", MODEL)
    body = whole["body"].replace(b"\r\n\r\n", b"\r\n")
    assert body_of(request_key("POST", b"/", body, whole["headers"])).kind == "bytes"


def test_what_is_nested_too_deeply_is_bytes_and_answered():
    deep = b"[" * 100_000 + b"]" * 100_000
    matcher = Matcher([item("wild", json.dumps([placeholder("openai-key").decode()]).encode())])
    assert take(matcher, deep) is None
    assert why_not(matcher, deep)[2:] == [
        "body: recorded JSON, the request has 200000 bytes that is not JSON"
    ]
    for depth in range(50, 2_000, 50):
        body = b"[" * depth + b"]" * depth
        assert take(matcher, body) is None
        assert why_not(matcher, body)
