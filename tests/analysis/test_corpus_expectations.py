"""Each recorded stream of a real provider, against what a reader of the file found in it.

`corpus_expectations.jsonl` has a line a file: where what begins and ends (indices of events, from 0), how
many tokens were billed and where that is from, and the hash of each kind of text. It was made without this
code. An index that is not there (null, or no key) is of something that never came.
"""

import csv
import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.analysis.tapes import recording
from tests.corpus import ABSENT, IS_HERE

EXPECTED = {
    line["file"]: line
    for line in map(
        json.loads, Path(__file__).with_name("corpus_expectations.jsonl").read_text().splitlines()
    )
}
PATHS = {
    "openai-chat": b"/v1/chat/completions",
    "openai-completions": b"/v1/completions",
    "openai-responses": b"/v1/responses",
    "anthropic-messages": b"/v1/messages",
    "gemini": b"/v1beta/models/g:streamGenerateContent?alt=sse",
    "cohere": b"/v2/chat",
    "ollama": b"/api/chat",
    "sse": b"/other",
}
KINDS = ("reasoning", "content", "tool_call", "refusal", "audio")
WITHOUT_A_CHUNK = (
    "higress/ollama-log-no-blank-lines.sse",
    "google-gemini/stream-no-blank-lines.sse",
    "moonshot/error-shapes-handwritten.jsonl",
)
"""What has no event of its dialect in it: only the path tells."""


def loaded(corpus, folder, name, path):
    body = (corpus / name).read_bytes()
    options = {"encoding": "gzip"} if name.endswith(".gz") else {}
    if name.startswith("ollama/"):
        options["content_type"] = "application/x-ndjson"
    elif name.endswith(".jsonl"):  # the source kept the chunks and lost their framing
        body = b"".join(b"data: " + line + b"\n\n" for line in body.splitlines() if line)
    return recording(folder, [(1, body)], path=path, **options)


def first(events, kind):
    found = [row.event for row in events.itertuples() if kind in row.carries.split("+")]
    return found[0] if found else None


def text_of_kind(events, kind):
    tokens = events[events["is_token"]]
    texts = [row.text for row in tokens.itertuples() if row.carries.split("+")[0] == kind]
    text = "".join(texts)
    return (len(text), sha256(text.encode()).hexdigest()[:16]) if texts else None


def test_no_file_of_the_corpus_is_without_an_expectation(corpus):
    with (corpus / "INDEX.tsv").open(newline="") as index:
        assert sorted(row["file"] for row in csv.DictReader(index, delimiter="\t")) == sorted(EXPECTED)


@pytest.mark.skipif(not IS_HERE, reason=ABSENT)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_stream_is_read_as_a_reader_of_it_does(corpus, tmp_path, name):
    expected = EXPECTED[name]
    made = loaded(corpus, tmp_path, name, PATHS[expected["dialect"]])
    events, rows = made.events, made.as_dict()["streams"]
    assert {row["dialect"] for row in rows} == {expected["dialect"]}
    assert {row["outcome"] for row in rows} == {expected["outcome"]}
    assert {row["events"] for row in rows} == {expected["events"]}
    assert events["event"].tolist()[:1] == [expected["first_event"]]
    assert first(events, "done") == expected["done"]
    assert [row["choice"] for row in rows] == [each["choice"] for each in expected["streams"]] or (
        not expected["streams"] and rows[0]["token_events"] == 0
    )
    for row, each in zip(rows, expected["streams"], strict=False):
        own = events[events["choice"] == each["choice"]]
        tokens = own[own["is_token"]]["event"].tolist()
        assert (tokens[0], tokens[-1], len(tokens)) == (
            each["first_token"],
            each["last_token"],
            each["token_events"],
        )
        for kind in KINDS:
            found = each.get(kind, {})
            assert first(own, kind) == found.get("first"), kind
            assert text_of_kind(own, kind) == ((found and (found["chars"], found["sha256"])) or None), kind
        assert (first(own, "finish"), row["finish_reason"]) == (each.get("finish"), each.get("finish_reason"))
        assert (row["output_tokens"], row["tokens_from"]) == (each["output_tokens"], each["tokens_from"])


@pytest.mark.skipif(not IS_HERE, reason=ABSENT)
@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in WITHOUT_A_CHUNK])
def test_the_first_events_tell_the_dialect_where_the_path_does_not(corpus, tmp_path, name):
    made = loaded(corpus, tmp_path, name, b"/gateway")
    assert set(made.streams["dialect"]) == {EXPECTED[name]["dialect"]}
