"""A cassette that was recorded without redaction, and what is left of its secrets after it."""

import gzip
import json
import re
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.cassette.tapes import CLOSE, SECTION, raw, write
from tests.recorder.redaction.secrets import everywhere, letters, parts
from tests.replay.recordings import SSE_HEADERS, as_exchange, exchange, tape
from tokentape import cassette
from tokentape.cassette._framing import frame
from tokentape.recorder.redaction import Redacted, Redactor, default_rules, pattern_rules, redact_cassette
from tokentape.recorder.redaction._answers import redacted_answer

KINDS = everywhere()
OURS = pattern_rules(["customer=ACME-[0-9]{6}", "who=张三|bob"]) + default_rules()


def redacted(source: Path, rules=OURS) -> tuple[list[cassette.Exchange], Redacted]:
    target = source.with_name("out.tape")
    with cassette.Rewriter(target, overwrite=True) as out:
        found = redact_cassette(lambda: cassette.open(source, lenient=True), out, Redactor(rules))
    with cassette.open(target) as reader:
        return list(cassette.exchanges(reader)), found


def events(*texts: str, choice: int = 0) -> list[bytes]:
    chunks = [
        {
            "id": "c",
            "model": "m",
            "choices": [{"delta": {"content": text}, "index": choice, "finish_reason": None}],
        }
        for text in texts
    ]
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]


def contents(body: bytes, choice: int = 0) -> str:
    chunks = [json.loads(line[6:]) for line in body.split(b"\n\n") if line.startswith(b"data: {")]
    return "".join(c["choices"][0]["delta"]["content"] for c in chunks if c["choices"][0]["index"] == choice)


def answer_of(
    pieces: list[bytes], headers: cassette.Headers = SSE_HEADERS, rules=OURS
) -> tuple[bytes, list[bytes]]:
    found = as_exchange(
        exchange(pieces=[(index + 2, data) for index, data in enumerate(pieces)], headers=headers)
    )
    answer = redacted_answer(Redactor(rules).finder, found, {})
    assert answer.unreadable is None
    return b"".join(pieces), answer.pieces or pieces


@pytest.mark.parametrize(("name", "text", "secret"), KINDS, ids=lambda value: value[:12])
def test_every_kind_is_found_in_an_answer_whole_across_pieces_and_across_events(name, text, secret):
    said = f"it is {text} ok?"
    whole = events(said)
    by_letter = events(*said)
    for pieces in (
        whole,
        [whole[0][index : index + 7] for index in range(0, len(whole[0]), 7)],
        by_letter,
        [b"".join(by_letter)],
        [b'{"choices": [{"message": {"content": ', json.dumps(said).encode(), b"}}]}"],
    ):
        _, after = answer_of(pieces)
        assert [len(piece) for piece in after] == [len(piece) for piece in pieces]
        left = b"".join(after)
        for part in parts(secret):
            assert part.encode() not in left
            if b"data: {" in left:
                assert part not in contents(left)
        assert re.search(
            r"\[redacted [a-z-]+\**\]|\*{10,}", contents(left) if b"data: {" in left else left.decode()
        )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.lists(st.integers(1, 60), min_size=1))
def test_wherever_events_and_pieces_are_cut_nothing_is_left_and_sizes_stay(in_events, in_pieces):
    secret = "sk-" + "a7" * 20
    said = f'héllo "{secret}"\n{"ACME-" + "123456"} 张三.'
    texts, position = [], 0
    while position < len(said):
        size = in_events[len(texts) % len(in_events)]
        texts.append(said[position : position + size])
        position += size
    body = b"".join(events(*texts))
    pieces, position = [], 0
    while position < len(body):
        size = in_pieces[len(pieces) % len(in_pieces)]
        pieces.append(body[position : position + size])
        position += size
    _, after = answer_of(pieces)
    assert [len(piece) for piece in after] == [len(piece) for piece in pieces]
    text = contents(b"".join(after))
    assert "a7a7" not in text
    assert "123456" not in text
    assert "张三" not in text
    assert text.startswith('héllo "')
    assert text.endswith(".")


def test_choices_that_come_in_turns_are_not_mixed():
    one, other = events(*"key sk-" + "a7" * 20), events(*"key sk-" + "b8" * 20, choice=1)
    pieces = [piece for pair in zip(one, other, strict=True) for piece in pair]
    _, after = answer_of(pieces)
    for choice in (0, 1):
        assert re.fullmatch(r"key \[redacted openai-key\*+\]", contents(b"".join(after), choice))


@pytest.mark.parametrize(
    "tell", ["output_index", "content_index", "summary_index", "item_id", "index", "type"]
)
def test_parts_of_different_items_are_not_mixed(tell):
    texts = ["sk-" + "a7" * 20, ". a, b. c, d. e, f. g, h. i, j. k, l. m, n."]
    pieces = [
        b"data: " + json.dumps({"delta": text[start : start + 9], tell: f"{which}"}).encode() + b"\n\n"
        for start in range(0, 43, 9)
        for which, text in enumerate(texts)
    ]
    _, after = answer_of(pieces)
    assert b"a7" not in b"".join(after)
    assert after[1::2] == pieces[1::2]


def test_other_dialects_bring_text_in_parts_too():
    secret = "sk-" + "a7" * 20
    anthropic = [
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"'
        + part.encode()
        + b'"}}\n\n'
        for part in (secret[:9], secret[9:])
    ]
    ollama = [b'{"message":{"role":"assistant","content":"' + part.encode() + b'"},"done":false}\n'
              for part in (secret[:2], secret[2:])]  # fmt: skip
    plain = [b"event: output\ndata: " + part.encode() + b"\n\n" for part in (secret[:5], secret[5:])]
    for pieces in (anthropic, ollama, plain):
        before, after = answer_of(pieces)
        assert secret[9:].encode() not in b"".join(after)
        assert b"".join(after) != before
        assert len(b"".join(after)) == len(before)


def test_a_stream_that_is_one_array_brings_text_in_parts_too():
    secret = "sk-" + "a7" * 20
    for indent in (None, 2):
        said = [secret[:2], secret[2:9], secret[9:], " ok"]
        stream = [
            {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}}]} for text in said
        ]
        before, after = answer_of([json.dumps(stream, indent=indent).encode()])
        texts = [each["candidates"][0]["content"]["parts"][0]["text"] for each in json.loads(b"".join(after))]
        assert re.fullmatch(r"\[redacted openai-key\*+\] ok", "".join(texts))
        assert len(b"".join(after)) == len(before)
    _, after = answer_of([json.dumps(["sk-", "a7" * 20]).encode()])
    assert json.loads(b"".join(after)) == ["sk-", "a7" * 20]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_an_event_may_have_several_lines_of_data(newline):
    secret = "sk-" + "a7" * 20
    pieces = []
    for count, text in enumerate((secret[:2], secret[2:9], secret[9:])):
        lines = json.dumps({"n": "x" * count, "delta": {"text": text}}, indent=1).encode().split(b"\n")
        pieces.append(b"".join(b"data: " + line + newline for line in lines) + newline)
    before, after = answer_of(pieces)
    left = [json.loads(piece.replace(b"data: ", b"")) for piece in after]
    assert re.fullmatch(r"\[redacted openai-key\*+\]", "".join(each["delta"]["text"] for each in left))
    assert [each["n"] for each in left] == ["", "x", "xx"]
    assert len(b"".join(after)) == len(before)


def test_the_tokens_that_spell_what_was_replaced_are_blank_and_that_is_said(tmp_path):
    secret = "sk-" + "a7" * 20
    tokens = [secret[index : index + 3] for index in range(0, len(secret), 3)]
    content = [
        {"token": token, "logprob": -0.5, "bytes": [*token.encode()], "top_logprobs": []}
        for token in [*tokens, '"\n']
    ]
    chat = {"choices": [{"message": {"content": secret}, "logprobs": {"content": content}}]}
    legacy = {"choices": [{"text": secret, "logprobs": {"tokens": tokens, "token_logprobs": [-1.0]}}]}
    for number, answer in enumerate((chat, legacy)):
        body = json.dumps(answer).encode()
        source = tape(tmp_path / f"{number}.tape", exchange(pieces=[(2, body)]))
        (after,), found = redacted(source)
        assert len(after.body) == len(body)
        logprobs = json.loads(after.body)["choices"][0]["logprobs"]
        for token in tokens[1:-1]:
            assert token not in json.dumps(logprobs)
        for each in logprobs.get("content", []):
            assert not any(each["bytes"])
            assert each["logprob"] == -0.5
        assert [line for line in found.lost if "logprobs" in line]
    body = json.dumps(chat).replace(secret, "nothing").encode()
    assert answer_of([body])[1] == [body]


def test_what_is_shorter_than_a_placeholder_is_asterisks():
    _, after = answer_of(events("say bob."))
    assert contents(b"".join(after)) == "say ***."


ENCODERS = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstandard.compress,
}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_an_answer_with_a_content_encoding_is_encoded_again_piece_by_piece(tmp_path, encoding):
    secret = "sk-" + letters(40)
    body = b"".join(events("my key is ", secret[:9], secret[9:], " ok"))
    packed = ENCODERS[encoding](body)
    pieces = [packed[index : index + 20] for index in range(0, len(packed), 20)]
    headers = ((b"content-encoding", encoding), (b"Content-Length", b"%d" % len(packed)))
    source = tape(tmp_path / "in.tape", exchange(pieces=[(2, piece) for piece in pieces], headers=headers))
    (after,), found = redacted(source)
    decoded, problem = cassette.decoded(after)
    assert problem is None
    assert len(after.chunks) == len(pieces)
    assert all(chunk.data for chunk in after.chunks)
    assert secret[9:].encode() not in b"".join(decoded)
    assert contents(b"".join(decoded)).startswith("my key is [redacted openai-key*")
    assert found.reencoded == 1
    assert after.response
    assert after.response.headers[1] == (b"Content-Length", b"%d" % len(after.body))


def test_sizes_counts_and_times_say_what_is_there(tmp_path):
    secret = "sk-" + letters(40)
    packed = gzip.compress(b"".join(events(secret)))
    *records, end = exchange(
        pieces=[(2, packed[:30]), (3, packed[30:])], headers=((b"content-encoding", b"gzip"),)
    )
    records.append(replace(end, bytes=len(packed)))
    close = replace(CLOSE, bytes=len(packed))
    (after,), _ = redacted(write(tmp_path / "in.tape", SECTION, *records, close))
    before = as_exchange(records)
    assert [chunk.t for chunk in after.chunks] == [chunk.t for chunk in before.chunks]
    assert after.end
    assert after.end.bytes - before.end.bytes == len(after.body) - len(before.body)
    with cassette.open(tmp_path / "out.tape") as reader:
        *_, close = reader
    assert close.bytes == after.end.bytes == len(after.body)


def test_requests_heads_and_labels_are_redacted_too_and_counted_by_place(tmp_path):
    secret = "sk-" + letters(40)
    source = tape(
        tmp_path / "in.tape",
        exchange(
            body=json.dumps({"a": secret}).encode(),
            path=b"/v1?key=" + secret.encode(),
            headers=((b"set-cookie", b"a=b"), *SSE_HEADERS),
            detail=f"at {secret}",
            pieces=[(2, secret.encode())],
        ),
    )
    (after,), found = redacted(source)
    assert secret.encode() not in (tmp_path / "out.tape").read_bytes()
    assert found.counts == {
        ("openai-key", "request target"): 1,
        ("openai-key", "request body"): 1,
        ("cookie", "response header"): 1,
        ("openai-key", "response body"): 1,
        ("openai-key", "end"): 1,
    }
    assert after.request.redactions == 2
    assert after.section.redaction[0] == SECTION.redaction[0]
    assert {"customer", "openai-key"} <= set(after.section.redaction)


def test_what_has_no_secret_is_copied_byte_for_byte(tmp_path):
    source = tape(tmp_path / "in.tape", exchange(0), exchange(1))
    with cassette.open(source) as reader:
        before = [entry.payload for entry in reader.entries()]
    redacted(source)
    with cassette.open(tmp_path / "out.tape") as reader:
        assert [entry.payload for entry in reader.entries()][1:] == before[1:]


def test_redacting_twice_changes_nothing(tmp_path):
    secret = "sk-" + letters(40)
    source = tape(tmp_path / "in.tape", exchange(pieces=[(2, piece) for piece in events("bob ", *secret)]))
    redacted(source)
    once = (tmp_path / "out.tape").read_bytes()
    _, found = redacted((tmp_path / "out.tape").rename(tmp_path / "in.tape"))
    assert found.total == 0
    assert (tmp_path / "out.tape").read_bytes() == once


def test_what_cannot_be_looked_into_and_what_is_damaged_is_said(tmp_path):
    broken = exchange(pieces=[(2, b"no gzip")], headers=((b"content-encoding", b"gzip"),))
    source = tape(tmp_path / "in.tape", broken)
    secret = ("sk-" + letters(40)).encode()
    payload = b"\x92\xcc\xc8\xc4" + bytes([len(secret)]) + secret
    with source.open("ab") as file:
        file.write(b"damage" + frame(payload))
    _, found = redacted(source)
    assert [line.split(": ")[1][:20] for line in found.lost] == [
        "the answer is copied",
        "a record of unknown ",
        "6 bytes damaged at b",
    ]
    assert not any("sk-" in line for line in found.lost)


def two_sections(*, interrupted: bool = False) -> tuple[list[list[cassette.Record]], list[bytes]]:
    """Two sections with an exchange of the same number in each, and the answers without their secrets."""
    sections, said = [], []
    for first, piece in ((b"one", b"sk-" + b"a1" * 20), (b"and two", b"xoxb-" + b"1234567890-" + b"b2" * 12)):
        records = exchange(pieces=[(2, first + b" "), (3, piece), (4, b" " + first)])
        sections.append([SECTION, *records] if interrupted else [SECTION, *records, CLOSE])
        said.append(first)
    return sections, said


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_section_leaves_no_secret_and_every_answer_its_own_words(tmp_path, lost, interrupted):
    sections, said = two_sections(interrupted=interrupted)
    secrets = [section[4].data for section in sections]
    del sections[lost][0]
    source = tmp_path / "in.tape"
    source.write_bytes(raw(*sections[0], *sections[1]))
    found, report = redacted(source)
    assert [each.body.split(b" ")[0] for each in found] == [words.split(b" ")[0] for words in said]
    for each, words, secret in zip(found, said, secrets, strict=True):
        assert each.body.startswith(words + b" ")
        assert each.body.endswith(b" " + words)
        assert secret not in each.body
    stand_ins = [line for line in report.lost if "a stand-in is in its place" in line]
    assert len(stand_ins) == (not interrupted or lost == 0)
