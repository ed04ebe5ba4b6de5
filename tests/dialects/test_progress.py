"""What is counted while a stream comes is what is found when it is read as a whole."""

import json
from pathlib import Path

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.corpus import ABSENT, IS_HERE
from tokentape import cassette
from tokentape.analysis import load
from tokentape.dialects import Progress

EXPECTED = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "analysis" / "corpus_expectations.jsonl")
    .read_text()
    .splitlines()
]


def progress(made):
    request, response, *chunks, end = made
    found = Progress(request)
    found.respond(response)
    for piece in chunks:
        found.feed(piece)
    return found, found.end(end)


@pytest.mark.skipif(not IS_HERE, reason=ABSENT)
@pytest.mark.parametrize(
    ("expected", "size"),
    [
        pytest.param(each, size, id=f"{each['file']}-{size}")
        for each in EXPECTED
        for size in (1, 700, 10**9)
        if size > 1 or each["events"] < 50  # the long ones take too long in single bytes
    ],
)
def test_outcome_and_tokens_of_a_recorded_stream(corpus, expected, size):
    name = expected["file"]
    body = (corpus / name).read_bytes()
    options = {"encoding": "gzip"} if name.endswith(".gz") else {}
    if name.endswith(".jsonl"):
        options["content_type"] = "application/x-ndjson"  # lines of JSON are events in every dialect
    pieces = [(at * MS, body[at : at + size]) for at in range(0, len(body), size)]
    path = b"/v1/chat/completions" if expected["dialect"] == "openai-chat" else b"/gateway"
    found, outcome = progress(records(pieces, path=path, **options))
    tokens = sum(stream["token_events"] for stream in expected["streams"])
    assert (found.events, found.tokens) == (expected["events"], tokens)
    if name != "google-gemini/stream-no-blank-lines.sse":  # only its path would tell what it is
        assert outcome == expected["outcome"]


def test_the_first_line_with_text_is_the_first_token():
    lines = [
        b'{"model":"m","message":{"content":""},"done":false}\n',
        b'{"model":"m","message":{"content":"a"},"done":false}\n',
    ]
    pieces = [(100 * MS, lines[0]), (150 * MS, lines[1][:20]), (200 * MS, lines[1][20:])]
    made = records(pieces, path=b"/api/chat", content_type="application/x-ndjson")
    found, outcome = progress(made)
    assert found.first_token - next(r for r in made if isinstance(r, cassette.Request)).t_end == 200 * MS
    assert (found.tokens, found.model, outcome) == (1, "m", "truncated")


STOP = data(chunk(finish="stop"))
ERROR = b'data: {"error":{"message":"m"}}\n\n'
OTHER = data(chunk({"content": "b"}, index=1))


@pytest.mark.parametrize(
    "pieces",
    [
        [STOP, ERROR],
        [ERROR, STOP],
        [ERROR],
        [STOP, ERROR, DONE],
        [OTHER, STOP, ERROR],
        [STOP, ERROR, OTHER],
        [STOP, OTHER, data(chunk(finish="error", index=1))],
        [STOP, data(chunk(finish="error"))],
    ],
)
def test_an_error_anywhere_fails_the_exchange_live_and_afterwards(tmp_path, pieces):
    timed = [(at * MS, piece) for at, piece in enumerate([data(chunk({"content": "a"})), *pieces])]
    made = records(timed)
    _, live = progress(made)
    assert live == "error-in-stream"
    (row,) = load(write(tmp_path / "a.tape", made)).as_dict()["exchanges"]
    assert row["outcome"] == live
