import gzip

import msgspec
import pytest

from tests.cassette.tapes import CHUNKS, REQUEST, RESPONSE, SECTION
from tests.streams import STREAMS
from tokentape import cassette
from tokentape.dialects import requested_model, transcript


def exchange(*pieces: bytes, headers: cassette.Headers = RESPONSE.headers) -> cassette.Exchange:
    return cassette.Exchange(
        section_index=0,
        section=SECTION,
        number=0,
        request=REQUEST,
        response=msgspec.structs.replace(RESPONSE, headers=headers),
        chunks=[cassette.Chunk(exchange=0, t=100 * n, data=piece) for n, piece in enumerate(pieces, 1)],
    )


def chunk(text: str) -> bytes:
    return b'data: {"model":"m-1","choices":[{"index":0,%s}]}\n\n' % text.encode()


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_the_text_of_every_stream_is_put_together_by_choice(stream):
    headers = tuple((name.encode(), value.encode()) for name, value in stream.headers)
    said = transcript(exchange(*stream.pieces, headers=headers)).choices
    for choice, text in stream.texts.items():
        runs = said[choice].runs if text else []
        assert "".join(run for kind, run in runs if kind == "content") == text


def test_each_event_has_the_time_of_the_piece_that_completed_it():
    first, second = chunk('"delta":{"content":"a"}'), chunk('"delta":{"content":"b"}')
    found = transcript(exchange(first + second[:20], second[20:]))
    assert [line.t for line in found.lines] == [100, 200]
    assert found.model == "m-1"


def test_runs_of_different_kinds_are_kept_apart():
    found = transcript(
        exchange(
            chunk('"delta":{"reasoning_content":"th"}'),
            chunk('"delta":{"reasoning_content":"ink"}'),
            chunk('"delta":{"content":"say"},"finish_reason":"stop"'),
        )
    )
    assert found.choices[0].runs == [("reasoning", "think"), ("content", "say")]
    assert found.choices[0].finish == "stop"


def test_an_answer_that_was_not_streamed_says_something_without_lines():
    body = b'{"model":"m","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
    found = transcript(exchange(body, headers=()))
    assert found.lines == []
    assert found.choices[0].runs == [("content", "hi")]


def test_content_encodings_are_undone_and_what_cannot_be_is_said():
    encoded = gzip.compress(chunk('"delta":{"content":"a"}'))
    headers = ((b"content-encoding", b"gzip"),)
    assert transcript(exchange(encoded[:9], encoded[9:], headers=headers)).choices[0].runs == [
        ("content", "a")
    ]
    broken = transcript(exchange(b"no gzip", headers=headers))
    assert broken.undecodable
    assert broken.choices == {}


def test_an_error_in_the_stream_is_kept():
    assert transcript(exchange(b'data: {"error": {"message": "overloaded"}}\n\n')).error


def test_the_requested_model_is_read_from_the_body():
    assert requested_model(REQUEST) == "m"
    assert requested_model(msgspec.structs.replace(REQUEST, body=CHUNKS[0].data)) is None
