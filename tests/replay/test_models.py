import gzip
import json

import pytest

from tests.replay.recordings import as_exchange, connected, exchange, post, read_all, tape
from tokentape.replay import Matching, serve
from tokentape.replay._models import listed, models_of

SSE = b'data: {"model":"%b","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
JSON = ((b"Content-Type", b"application/json"),)


def streamed(asked, answered, **kwargs):
    body = json.dumps({"model": asked, "stream": True}).encode()
    return exchange(body=body, pieces=[(1, SSE % answered.encode()), (2, b"data: [DONE]\n\n")], **kwargs)


def test_the_models_that_were_asked_for_and_that_answered():
    assert models_of(as_exchange(streamed("gpt-4o", "gpt-4o-2024-08-06"))) == ("gpt-4o", "gpt-4o-2024-08-06")
    assert models_of(as_exchange(streamed("m", "m"))) == ("m",)


def test_of_an_answer_that_is_no_stream_also_compressed():
    answer = json.dumps({"object": "chat.completion", "model": "b", "choices": []}).encode()
    plain = exchange(body=b'{"model":"a"}', headers=JSON, pieces=[(1, answer[:9]), (2, answer[9:])])
    packed = exchange(
        body=b'{"model":"a"}',
        headers=(*JSON, (b"Content-Encoding", b"gzip")),
        pieces=[(1, gzip.compress(answer))],
    )
    assert models_of(as_exchange(plain)) == models_of(as_exchange(packed)) == ("a", "b")


@pytest.mark.parametrize(
    "records",
    [
        streamed("m", "m", status=404),
        exchange(status=None, end_reason="upstream-error"),
        exchange(body=b"no JSON", pieces=[(1, b"\xff")]),
        exchange(body=b"", headers=(*JSON, (b"Content-Encoding", b"gzip")), pieces=[(1, b"not gzip")]),
    ],
)
def test_what_failed_or_cannot_be_read_names_none(records):
    assert models_of(as_exchange(records)) == ()


def test_the_list_and_one_of_it():
    found = listed("/v1/models", "/v1", ["a", "meta/b", "a"])
    assert found == {
        "object": "list",
        "data": [
            {"id": name, "object": "model", "created": 0, "owned_by": "tokentape"} for name in ("a", "meta/b")
        ],
    }
    for path in ("/v1/models/meta/b", "/v1/models/meta%2Fb"):
        assert listed(path, "/v1", ["a", "meta/b"]) == found["data"][1]
    assert listed("/api/models", "/api", []) == {"object": "list", "data": []}
    for path in ("/v1/models/c", "/v1/modelsa", "/models", "/x/v1/models", "/v1/models/"):
        assert listed(path, "/v1", ["a", "b"]) is None


def ask(replay, path):
    with connected(replay.url) as client:
        client.sendall(post(b"", method="GET", path=path, headers="Connection: close\r\n"))
        return read_all(client)


def test_a_server_lists_them_as_often_as_it_is_asked_and_no_miss_is_counted(tmp_path):
    path = tape(tmp_path / "a.tape", streamed("a", "b"))
    with serve(path, speed="instant", matching=Matching(order="recorded", exhausted="error")) as replay:
        for _ in range(3):
            assert b'"id": "a"' in ask(replay, "/v1/models?limit=2")
        assert ask(replay, "/v1/models/a").startswith(b"HTTP/1.1 200 OK\r\n")
        assert ask(replay, "/v1/models/c").startswith(b"HTTP/1.1 404 ")
    assert (replay.stats.models_listed, replay.stats.hits, replay.stats.misses) == (4, 0, 1)


def test_a_list_that_was_recorded_is_the_one_that_is_served(tmp_path):
    real = exchange(0, method="GET", path=b"/v1/models", body=b"", headers=JSON, pieces=[(1, b'{"real":1}')])
    with serve(tape(tmp_path / "a.tape", real), speed="instant") as replay:
        assert b"real" in ask(replay, "/v1/models")
    assert (replay.stats.models_listed, replay.stats.hits) == (0, 1)
