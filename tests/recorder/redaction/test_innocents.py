"""What only looks like a secret stays as it is."""

import base64
import json
import random
from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.cassette.tapes import REQUEST
from tokentape.cassette import REDACTED
from tokentape.recorder.redaction import Redactor, default_rules
from tokentape.recorder.redaction._finding import Find, Finder, apart
from tokentape.recorder.redaction._views import text_spans, views

INNOCENTS = [
    "import sk-learn, task-force, risk-averse, desk-0123456789abcdef0123",
    "sk-" + "some-long-name-in-kebab-case-without-a-number",
    "sk-1 sk-abc sk-... sk-xxxx sk-YOUR_KEY",
    "the mask-r-cnn-resnet101-fpn-backbone-v2 and whisk-attachment-2000-deluxe",
    "model gpt-4o-mini-2024-07-18, claude-3-5-sonnet-20241022",
    "accounts/fireworks/models/llama-v3p1-8b-instruct",
    "projects: see /projects/ and /projects/tokentape/issues",
    "org-mode, org-roam-node-find, proj_dir, project-1",
    "hf_hub_download gsk_ r8_ xai-org/grok-1 pplx-api npm_config_registry fw_version",
    "AKIA, ASIA, AIDA and AKIAN people; Asia and Aida",
    "AIzawl is a city; eyJ is how a JWT begins",
    "Bearer authentication-mechanism, bearer of news, Basic understanding, Basic internationalization",
    "Authorization: Bearer <token>",
    "https://github.com/user/repo, https://medium.com/@user/post, ssh://git@github.com/a/b.git, mailto:a@b.c",
    "https://x.example/?q=key&page=2&token=5&key=value&code=200",
    '{"token": 5, "max_tokens": 100, "tokens": ["a"], "key": "value", "password": {"type": "string"}}',
    '{"token": "Hello", "logprob": -0.1, "top_logprobs": [{"token": " world"}]}',
    '{"properties": {"api_key": {"type": "string"}, "headers": {}}, "required": ["password"]}',
    '{"tokenizer": "cl100k_base", "author": "Ann", "authority": "x", "keyboard": "qwertyuiopasdfghjkl"}',
    "-----BEGIN PRIVATE KEY----- is the first line of such a file; read it with openssl.",
    "-----BEGIN CERTIFICATE-----\nMIIB" + "A" * 60 + "\n-----END CERTIFICATE-----",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "SG. is short for Singapore; hvs. ya29. xox xoxo xoxo-xoxo",
    "如何使用 sk-learn 训练模型？密钥是什么",
    "total: 100% of 20%41; C:\\users\\sk-learn; \\u0041",
]


@pytest.mark.parametrize("text", INNOCENTS)
def test_what_only_looks_like_a_secret_stays(text: str):
    for body in (text.encode(), json.dumps({"a": text}).encode(), json.dumps([json.dumps([text])]).encode()):
        assert Finder(default_rules()).find(body) == []


def test_the_heads_of_usual_requests_stay():
    headers = (
        (b"Host", b"api.openai.com"),
        (b"User-Agent", b"OpenAI/Python 2.1.0"),
        (b"X-Stainless-Runtime-Version", b"3.11.7"),
        (b"x-request-id", b"req_0123456789abcdef0123456789abcdef"),
        (b"x-ratelimit-remaining-tokens", b"149999"),
        (b"anthropic-version", b"2023-06-01"),
        (b"idempotency-key", b"stainless-python-retry-3fa85f64-5717-4562-b3fc-2c963f66afa6"),
        (b"etag", b'W/"abc-0123456789abcdef0123456789abcdef"'),
    )
    before = replace(
        REQUEST, headers=headers, path=b"/v1/messages?beta=true&api-version=2024-10-21&alt=sse", redactions=0
    )
    assert Redactor().request(before) == before


@pytest.mark.parametrize("alphabet", ["+/", "-_"])
def test_images_stay(alphabet: str):
    image = base64.b64encode(random.Random(1).randbytes(3_000_000), alphabet.encode())
    for body in (
        b'{"url": "data:image/png;base64,' + image + b'"}',
        image,
        b'{"a":"' + image.replace(b"/", rb"\/") + b'"}',
    ):
        assert Finder(default_rules()).find(body) == []


def test_what_looks_like_a_key_inside_of_data_stays():
    inside = "gAAAAAB" + "x7" * 100 + "-sk-" + "a7" * 20 + "_AKIA" + "A" * 16 + "-" + "x7" * 100
    assert Finder(default_rules()).find(json.dumps({"encrypted_content": inside}).encode()) == []
    outside = "key-sk-" + "a7" * 20
    assert Finder(default_rules()).find(json.dumps({"note": outside}).encode())


def test_the_streams_of_real_providers_stay(corpus: Path):
    found = {}
    finder = Finder(default_rules())
    for path in sorted(corpus.rglob("*")):
        if path.is_file() and path.suffix in (".sse", ".json", ".ndjson", ".txt"):
            for find in finder.find(path.read_bytes()):
                found.setdefault(find.name, []).append(path.name)
    assert found == {}


@given(st.binary(max_size=200), st.binary(max_size=30))
def test_a_view_leads_back_to_the_bytes_that_spell_it(data: bytes, more: bytes):
    spelled = data + rb"\u0073\/%2D" + more
    for view in views(spelled):
        whole = view.origin(0, len(view.text))
        assert whole == (0, len(spelled))
        ends = [view.origin(index, index + 1) for index in range(len(view.text))]
        assert all(start < end for start, end in ends)
        assert [start for start, _ in ends[1:]] == [end for _, end in ends[:-1]]


def test_a_part_of_a_view_is_where_its_escapes_are():
    (view,) = views(rb"a\u0073\/%2Db")
    assert view.text == b"as/-b"
    assert [view.origin(i, i + 1) for i in range(5)] == [(0, 1), (1, 7), (7, 9), (9, 12), (12, 13)]


def test_escapes_of_escapes_have_a_view_each():
    assert [view.text for view in views(b"a%25253Db")] == [b"a%253Db", b"a%3Db", b"a=b"]
    assert list(views(b"a%25253Db"))[-1].origin(1, 2) == (1, 8)


@given(
    st.lists(st.sampled_from([b" : ", b"x" * 5000, b"A/" * 4000, b'"', b"\\/", b"word-" * 30]), max_size=12)
)
def test_only_the_insides_of_long_runs_are_passed_over(parts: list[bytes]):
    data = b"".join(parts)
    spans = list(text_spans(data))
    assert spans[0][0] == 0
    assert spans[-1][1] == len(data)
    for (_, end), (start, _) in pairwise(spans):
        assert end < start
        passed_over = data[end - 512 : start + 512].replace(b"\\/", b"/")
        assert passed_over.strip(b"x/Aword-") == b""  # of what runs are made of


HARD = [
    b"sk-" * 2000,
    b"eyJ" * 2000,
    b"eyJ." * 2000,
    b"-----BEGIN RSA PRIVATE KEY-----" * 300,
    b"-----BEGIN " + b"A " * 3000,
    b"-----BEGIN PRIVATE KEY-----" + b"A" * 5000 + b"-" * 4000,
    b"://" * 2000,
    b"://" + b"a:" * 3000,
    b"Bearer " * 1000,
    b"Bearer " + b"A-" * 3000,
    b"\\" * 6000,
    b'"' * 6000,
    b'"a": "' * 1000,
    b'"api_key": "' + b"\\" * 5999,
    rb"\"api_key\": \"" * 500,
    b"?key=" * 1200,
    b"?a=b&" * 1200,
    (b"[redacted github-token] ghp_" + b"A1" * 18 + b" ") * 92,
    b"%25" * 2000,
    b"\\u0025" * 1000,
    b"xoxb-" + b"a-" * 3000,
    b"SG." + b"a" * 6000,
    b"hooks.slack.com/services/" * 200,
    b"aws_secret_access_key" + b" " * 6000,
    b"/projects/" * 600,
    b"hf_" + b"a" * 6000,
    b"-sk-" * 1500,
    b"basic " + b"a/" * 3000,
    b"Basic " * 1000,
    b"Basic " + b"abcd" * 1500,
    b"-----BEGIN PRIVATE KEY-----" + b"a'" * 3000,
    b"-----BEGIN PRIVATE KEY-----" + b"+ " * 3000,
    (b"-----BEGIN PRIVATE KEY-----" + b"+" * 30) * 100,
    b"://a:" + b"@" * 6000,
    b"://a:a" * 1000,
    b"://a:a" + b"@a" * 3000,
    b"://a:" + b"/" * 6000,
    b"://" + b":@" * 3000,
    b"#key=" * 1200,
    b"eyJabcdefgh.." + b"a." * 3000,
    b"eyJabcdefgh..abcdefgh." * 250,
    rb"\"api_key\": \"" + rb"\\\"" * 1500,
    (rb"\"api_key\": \"" + rb"\\\"" * 5) * 180,
]


@pytest.mark.parametrize("text", HARD, ids=lambda text: text[:20].decode())
def test_a_text_made_to_be_hard_takes_time_in_proportion_to_its_length(text: bytes):
    finder = Finder(default_rules())

    def taken_s(times: int) -> float:
        best = float("inf")
        for _ in range(3):
            start = process_time()
            finder.find(text * times)
            best = min(best, process_time() - start)
        return best

    assert taken_s(32) < 32 * 8 * max(taken_s(1), 0.0002)  # in proportion it is 32; squared, 1,024


def test_the_values_of_parameters_are_looked_at_once():
    text = b"?key=" * 20_000
    found = list(Finder(default_rules())._parameters(text, 0, len(text)))
    assert sum(each.end - each.start for each in found) < 2 * len(text)


@given(
    st.lists(
        st.sampled_from(
            [b"?key=", b"?auth[", b"client_secret", b"]=", b"abcdefgh", b"?", b"=", b" ", b"x" * 60]
        )
    )
)
@example([b"?key=", b"abcdefgh", b"?auth[", b"client_secret", b"]=", b"abcdefgh"])
def test_what_begins_inside_of_a_parameters_value_is_found_as_if_it_stood_alone(parts: list[bytes]):
    finder, text = Finder(default_rules()), b"".join(parts)
    alone = [find for at in range(len(text)) for find in finder._parameters(text, at, len(text))]
    assert apart(text, finder._parameters(text, 0, len(text))) == apart(text, alone)


def test_a_value_is_found_to_its_end_however_long_it_is():
    text = b"?url=x&key=" + b"a" * 8_190 + b"?token=" + b"b" * 30
    assert Finder(default_rules()).find(text) == [Find(11, len(text), "url-key", in_url=True)]


@given(st.lists(st.sampled_from([b"[redacted ", b"%5Bredacted%20", b"a", b"**", b"]", b"%5D", b"-"])))
def test_no_find_inside_of_a_placeholder_is_kept_and_every_other_is(parts: list[bytes]):
    text = b"".join(parts)
    spans = [found.span() for found in REDACTED.finditer(text)]
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            is_inside = any(first <= start and end <= last for first, last in spans)
            is_kept = bool(text[start:end].strip(b"*")) and not is_inside
            assert bool(apart(text, [Find(start, end, "a")])) == is_kept


def test_finds_that_overlap_are_one():
    finder = Finder(default_rules())
    text = b"Authorization: Bearer sk-" + b"a1" * 20
    assert finder.find(text) == [Find(22, len(text), "bearer-token")]
