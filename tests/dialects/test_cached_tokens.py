"""Prompt tokens that came from a provider's cache, in each place where one says so."""

import pytest

from tests.dialects.reading import read_all
from tokentape.dialects import Usage, named

CHAT = {"prompt_tokens": 9, "completion_tokens": 2}
RESPONSES = {"input_tokens": 9, "output_tokens": 2}


def chat(**bill):
    return {"choices": [], "usage": {**CHAT, **bill}}


@pytest.mark.parametrize(
    ("dialect", "event", "cached"),
    [
        ("openai-chat", chat(prompt_tokens_details={"cached_tokens": 7}), 7),
        ("openai-chat", chat(prompt_tokens_details={"cached_tokens": 0}, cached_tokens=3), 0),
        ("openai-chat", chat(prompt_cache_hit_tokens=0, prompt_cache_miss_tokens=9), 0),
        ("openai-chat", chat(cached_tokens=6), 6),
        ("openai-chat", {"choices": [], "x_groq": chat(prompt_tokens_details={"cached_tokens": 4})}, 4),
        ("openai-chat", chat(prompt_tokens_details=None), None),
        ("openai-chat", chat(prompt_tokens_details={}, cached_tokens="7"), None),
        ("openai-chat", chat(cached_tokens=True), None),
        (
            "openai-responses",
            {
                "type": "response.completed",
                "response": {"usage": {**RESPONSES, "input_tokens_details": {"cached_tokens": 5}}},
            },
            5,
        ),
        (
            "gemini",
            {"candidates": [], "usageMetadata": {"promptTokenCount": 9, "cachedContentTokenCount": 3}},
            3,
        ),
        (
            "cohere",
            {"type": "message-end", "delta": {"usage": {"tokens": RESPONSES, "cached_tokens": 8}}},
            8,
        ),
    ],
)
def test_cached_tokens_are_a_part_of_the_prompt_as_billed(dialect, event, cached):
    *_, row = read_all(dialect, event)
    assert (row.usage.prompt, row.usage.cached) == (9, cached)


def test_a_bill_with_every_chunk_of_text_has_them_too():
    choice = {"index": 0, "delta": {"content": "a"}}
    for more, cached in (({}, None), ({"cached_tokens": 6}, 6), ({"prompt_cache_hit_tokens": 6}, 6)):
        (row,) = read_all("openai-chat", {**chat(**more), "choices": [choice]})
        assert row.usage == Usage(9, 2, None, cached)


def test_anthropic_bills_them_beside_the_prompt_and_they_are_put_together():
    start = {"input_tokens": 1, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 6}
    end = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 2}}
    rows = read_all("anthropic-messages", {"type": "message_start", "message": {"usage": start}}, end)
    assert [row.usage for row in rows] == [Usage(9, None, None, 6), Usage(9, 2, None, 6)]
    body = b'{"type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,'
    (row,) = named("anthropic-messages").read_answer(
        body + b'"output_tokens":2,"cache_read_input_tokens":8}}'
    )
    assert row.usage == Usage(9, 2, None, 8)
