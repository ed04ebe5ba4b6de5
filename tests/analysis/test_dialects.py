"""Streams of each dialect with exact times, all the way to the tables."""

import json

import pytest

from tests.analysis.tapes import MS, data, recording

TOKENS_AT = [200 * MS, 220 * MS, 260 * MS]


def anthropic(text):
    return data({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}})


def responses(text):
    return data({"type": "response.output_text.delta", "delta": text})


def gemini(text, **more):
    usage = {"promptTokenCount": 5, **more}
    return data(
        {"candidates": [{"content": {"parts": [{"text": text}]}, "index": 0}], "usageMetadata": usage}
    )


def line(text, **more):
    return json.dumps({"model": "m", "message": {"content": text}, "done": False, **more}).encode() + b"\n"


def completion(text, finish=None):
    return data({"object": "text_completion", "choices": [{"text": text, "finish_reason": finish}]})


def cohere(text):
    return data({"type": "content-delta", "delta": {"message": {"content": {"text": text}}}})


ENDS = {
    "anthropic-messages": data(
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
    ),
    "openai-responses": data(
        {"type": "response.completed", "response": {"status": "completed", "usage": {"output_tokens": 7}}}
    ),
    "gemini": data(
        {
            "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": {"candidatesTokenCount": 5, "thoughtsTokenCount": 2},
        }
    ),
    "ollama": line("", done=True, done_reason="stop", eval_count=7),
    "openai-completions": data(
        {
            "object": "text_completion",
            "choices": [{"text": "", "finish_reason": "stop"}],
            "usage": {"completion_tokens": 7},
        }
    ),
    "cohere": data(
        {"type": "message-end", "delta": {"finish_reason": "DONE", "usage": {"tokens": {"output_tokens": 7}}}}
    ),
}
TEXTS = {
    "anthropic-messages": anthropic,
    "openai-responses": responses,
    "gemini": gemini,
    "ollama": line,
    "openai-completions": completion,
    "cohere": cohere,
}


def pieces_of(name):
    return [(at, TEXTS[name](text)) for at, text in zip(TOKENS_AT, ("", "ab", "c"), strict=True)]


def made(folder, name, pieces, **more):
    content_type = "application/x-ndjson" if name == "ollama" else "text/event-stream"
    return recording(folder, pieces, path=b"/gateway", content_type=content_type, **more)


@pytest.mark.parametrize("name", ENDS)
def test_times_tokens_and_outcome_are_exact(tmp_path, name):
    """The first event carries nothing: it is not the first token."""
    found = made(tmp_path, name, [*pieces_of(name), (300 * MS, ENDS[name])])
    (row,) = found.as_dict()["streams"]
    assert (row["dialect"], row["outcome"]) == (name, "complete")
    assert (row["first_event_ms"], row["ttft_ms"], row["first_content_ms"]) == (200, 220, 220)
    assert (row["last_token_ms"], row["finish_ms"], row["gap_max_ms"]) == (260, 300, 40)
    assert (row["output_tokens"], row["tokens_from"], row["text_chars"]) == (7, "usage", 3)
    assert row["hidden_tokens"] == (2 if name == "gemini" else 0)
    assert row["itl_ms"] == 40 / (6 - row["hidden_tokens"])


@pytest.mark.parametrize("name", ENDS)
def test_a_stream_without_its_end_is_truncated(tmp_path, name):
    (row,) = made(tmp_path, name, pieces_of(name)).as_dict()["streams"]
    assert (row["outcome"], row["output_tokens"], row["tokens_from"]) == ("truncated", 2, "chunks")
    assert row["e2e_ms_why"] == "truncated"


@pytest.mark.parametrize("name", ENDS)
def test_an_error_in_a_stream_is_an_error(tmp_path, name):
    error = json.dumps({"error": {"message": "m"}}).encode()
    error = error + b"\n" if name == "ollama" else b"data: " + error + b"\n\n"
    found = made(tmp_path, name, [*pieces_of(name), (300 * MS, error), (310 * MS, ENDS[name])])
    (row,) = found.as_dict()["streams"]
    assert (row["outcome"], row["ttft_ms"]) == ("error-in-stream", 220)
    assert found.exchanges["error"].tolist() == ["m"]


def test_two_lines_in_one_read_are_two_tokens_at_one_time(tmp_path):
    found = made(tmp_path, "ollama", [(200 * MS, line("a") + line("b")), (210 * MS, ENDS["ollama"][:-1])])
    (row,) = found.as_dict()["streams"]
    assert (row["token_events"], row["outcome"], row["finish_ms"]) == (2, "complete", 210)
    assert found.events["coalesced"].tolist() == [False, True, False]


def test_hidden_thoughts_are_billed_with_the_first_event_and_are_no_part_of_it(tmp_path):
    bills = [{"candidatesTokenCount": count, "thoughtsTokenCount": 40} for count in (3, 5)]
    pieces = [((200 + 10 * at) * MS, gemini("ab", **bill)) for at, bill in enumerate(bills)]
    found = made(tmp_path, "gemini", [*pieces, (300 * MS, data({"candidates": [{"finishReason": "STOP"}]}))])
    (row,) = found.as_dict()["streams"]
    assert (row["output_tokens"], row["hidden_tokens"], row["tokens_from"]) == (45, 40, "usage-per-chunk")
    assert found.events["tokens"].tolist()[:2] == [3, 2]
