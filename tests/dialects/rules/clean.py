"""Streams as each provider documents them, made here: a rule set finds nothing in its own."""

import json
from copy import deepcopy
from typing import Any

from tokentape.cassette import SSEDecoder
from tokentape.dialects._framing import LineDecoder
from tokentape.dialects.rules import RULE_SETS, Finding, check

Event = Any
"""An object, or text that stands for itself."""

AT = 1_790_000_000


def stepfun() -> list[Event]:
    def chunk(n: int, content: str, finish: str = "", **delta: str) -> Event:
        return {
            "id": "d7ae7c4a",
            "object": "chat.completion.chunk",
            "created": AT,
            "model": "step-1-8k",
            "choices": [
                {"index": 0, "delta": {"role": "", "content": content, **delta}, "finish_reason": finish}
            ],
            "usage": {"prompt_tokens": 83, "completion_tokens": n, "total_tokens": 83 + n},
        }

    words = ["白日", "依", "山尽", "，", "黄河"]
    chunks = [chunk(1, "", reasoning="a poem")] + [chunk(n, word) for n, word in enumerate(words, 2)]
    return [*chunks, chunk(8, "", "stop"), "[DONE]"]


def relay() -> list[Event]:
    def chunk(delta: Event, finish: str | None = None) -> Event:
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": AT,
            "model": "gpt-4o-mini",
            "system_fingerprint": "fp_1",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

    first = chunk({"role": "assistant", "content": ""})
    return [first, *[chunk({"content": word}) for word in ("He", "llo", "!")], chunk({}, "stop"), "[DONE]"]


def openai_chat() -> list[Event]:
    def chunk(*choices: Event, usage: Event = None) -> Event:
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": AT,
            "model": "gpt-4o-mini",
            "service_tier": "default",
            "system_fingerprint": "fp_1",
            "choices": list(choices),
            "usage": usage,
            "obfuscation": "x7",
        }

    def choice(index: int, finish: str | None = None, **delta: Event) -> Event:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}

    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    bill = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, "prompt_tokens_details": {}}
    return [
        chunk(choice(0, role="assistant", content="", refusal=None)),
        chunk(choice(1, role="assistant", content=None)),
        chunk(choice(0, content="Hi")),
        chunk(choice(1, tool_calls=[call])),
        chunk(choice(1, tool_calls=[{"index": 0, "function": {"arguments": "{}"}}])),
        chunk(choice(0, "stop")),
        chunk(choice(1, "tool_calls")),
        chunk(usage=bill),
        "[DONE]",
    ]


def anthropic() -> list[Event]:
    usage = {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 0}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }

    def start(index: int, **block: Event) -> Event:
        return {"type": "content_block_start", "index": index, "content_block": block}

    def delta(index: int, **delta: Event) -> Event:
        return {"type": "content_block_delta", "index": index, "delta": delta}

    def stop(index: int) -> Event:
        return {"type": "content_block_stop", "index": index}

    return [
        {"type": "message_start", "message": message},
        start(0, type="thinking", thinking="", signature=""),
        {"type": "ping"},
        delta(0, type="thinking_delta", thinking="Hm"),
        delta(0, type="signature_delta", signature="c2ln"),
        stop(0),
        start(1, type="text", text=""),
        delta(1, type="text_delta", text="Hello"),
        stop(1),
        start(2, type="tool_use", id="toolu_1", name="f", input={}),
        delta(2, type="input_json_delta", partial_json="{}"),
        stop(2),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 9},
        },
        {"type": "message_stop"},
    ]


def responses() -> list[Event]:
    at = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    part = {"type": "output_text", "text": ""}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.in_progress", "response": {"id": "resp_1"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}},
        {"type": "response.content_part.added", **at, "part": part},
        {"type": "response.output_text.delta", **at, "delta": "Hello", "logprobs": []},
        {"type": "response.output_text.delta", **at, "delta": " there", "logprobs": [], "obfuscation": "x"},
        {"type": "response.output_text.done", **at, "text": "Hello there", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": {"type": "message"}},
        {"type": "response.completed", "response": {"id": "resp_1"}},
    ]
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


def gemini() -> list[Event]:
    def chunk(text: str, tokens: int, **candidate: Event) -> Event:
        return {
            "candidates": [
                {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **candidate}
            ],
            "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9 + tokens},
            "modelVersion": "gemini",
            "responseId": "r1",
        }

    return [chunk("Hello", 1), chunk(" there", 2, finishReason="STOP")]


def cohere() -> list[Event]:
    def event(kind: str, **more: Event) -> Event:
        return {"type": kind, **more}

    def message(**message: Event) -> Event:
        return {"message": message}

    call = {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    more = {"function": {"arguments": "{}"}}
    usage = {"billed_units": {"input_tokens": 1, "output_tokens": 2}, "tokens": {"output_tokens": 2}}
    return [
        event("message-start", id="m1", delta=message(role="assistant", content=[])),
        event("tool-plan-delta", delta=message(tool_plan="I will")),
        event("content-start", index=0, delta=message(content={"type": "text", "text": ""})),
        event("content-delta", index=0, delta=message(content={"text": "Hello"})),
        event("citation-start", index=0, delta=message(citations={"text": "Hello"})),
        event("citation-end", index=0),
        event("content-end", index=0),
        event("tool-call-start", index=0, delta=message(tool_calls=call)),
        event("tool-call-delta", index=0, delta=message(tool_calls=more)),
        event("tool-call-end", index=0),
        event("message-end", delta={"finish_reason": "TOOL_CALL", "usage": usage}),
        "[DONE]",
    ]


def ollama() -> list[Event]:
    def line(content: str, *, done: bool = False, **more: Event) -> Event:
        message = {"role": "assistant", "content": content}
        return {"model": "m", "created_at": "2026-09-21T12:00:00Z", "message": message, "done": done, **more}

    return [line("Hello"), line(" you"), line("", done=True, done_reason="stop", eval_count=2)]


BILL = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}


def like_openai(
    *,
    chunk: Event = None,
    choice: Event = None,
    delta: Event = None,
    call: Event = None,
    usage: Event = None,
    beside: bool = False,
) -> list[Event]:
    """OpenAI's stream with what a provider adds: `beside`, its usage is in the chunk that finishes."""
    bill = {**BILL, **(usage or {})}

    def sent(said: Event, finish: str | None = None, **more: Event) -> Event:
        first = {"index": 0, "delta": said, "finish_reason": finish, **more.pop("choice", {})}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": AT,
            "model": "m",
            "choices": [first],
            **more,
        }

    asked = call or {"index": 0, "id": "call_1", "type": "function"}
    events = [
        sent({"role": "assistant", "content": ""}),
        sent({"content": "Hi", **(delta or {})}, choice=choice or {}, **(chunk or {})),
        sent({"tool_calls": [{**asked, "function": {"name": "f", "arguments": "{}"}}]}),
        sent({}, "tool_calls", **({"usage": bill} if beside else {})),
    ]
    return [*events, *([] if beside else [sent({}, usage=bill) | {"choices": []}]), "[DONE]"]


def azure() -> list[Event]:
    filtered = {"content_filter_results": {"hate": {"filtered": False}}}
    nobody = {"id": "", "object": "", "created": 0, "model": ""}
    offsets = {"check_offset": 44, "start_offset": 44, "end_offset": 198}
    noted = {"index": 0, "finish_reason": None, **filtered}
    noted |= {"content_filter_raw": [], "content_filter_offsets": offsets}
    events = like_openai(
        chunk={"prompt_filter_results": []},
        choice={**filtered, "content_filter_raw": [], "content_filter_offsets": offsets},
    )
    first = {**nobody, "choices": [], "prompt_filter_results": [{"prompt_index": 0, **filtered}]}
    return [first, *events[:-2], {**nobody, "choices": [noted], "usage": None}, *events[-2:]]


def without(events: list[Event], *names: str) -> list[Event]:
    """A stream without some of the fields of its chunks, and a finish reason only where there is one."""
    for event in events[:-1]:
        for name in names:
            event.pop(name, None)
        for choice in event["choices"] if "finish_reason" in names else ():
            if choice["finish_reason"] is None:
                del choice["finish_reason"]
    return events


REASONING = {"reasoning_content": "Hm"}
LIKE_OPENAI = {
    "azure-openai": azure(),
    "cerebras": without(
        like_openai(
            chunk={"time_info": {"total_time": 0.1}, "service_tier": "default"},
            delta={"reasoning": "Hm"},
            call={"id": "call_1", "type": "function"},
            beside=True,
        ),
        "finish_reason",
    ),
    "deepseek": like_openai(
        delta=REASONING,
        usage={"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5},
        beside=True,
    ),
    "groq": like_openai(
        chunk={"x_groq": {"id": "req_1"}, "service_tier": "on_demand"},
        delta={"reasoning": "Hm", "executed_tools": [], "annotations": []},
        usage={"queue_time": 0.2, "prompt_time": 0.1, "completion_time": 1, "total_time": 1.1},
        beside=True,
    ),
    "llama-cpp": like_openai(chunk={"timings": {"predicted_n": 5}}, delta=REASONING),
    "mistral": without(
        like_openai(
            delta={
                "content": [{"type": "text", "text": "Hi"}],
                "refs": [],
                "index": 0,
                "tool_call_id": None,
                "metadata": {},
            },
            call={"id": "call_1"},
            usage={"prompt_audio_seconds": None, "num_cached_tokens": 4},
            beside=True,
        ),
        "object",
        "created",
    ),
    "moonshot": like_openai(
        choice={"usage": {**BILL, "cached_tokens": 4}}, delta=REASONING, usage={"cached_tokens": 4}
    ),
    "openrouter": like_openai(
        chunk={"provider": "Acme", "openrouter_metadata": {}, "service_tier": "standard"},
        choice={"native_finish_reason": None, "error": None},
        delta={"reasoning": "Hm", "reasoning_details": []},
        usage={"cost": 0.1, "is_byok": False, "cost_details": {}},
        beside=True,
    ),
    "qwen": like_openai(delta=REASONING),
    "together": like_openai(
        chunk={"warnings": []}, choice={"seed": 7, "logprobs": -0.5}, delta={"token_id": 7}
    ),
    "vllm": like_openai(
        chunk={"prompt_token_ids": [7]},
        choice={"stop_reason": None, "token_ids": [7]},
        delta={**REASONING, "reasoning": "Hm"},
        beside=True,
    ),
    "xai": without(
        like_openai(
            chunk={"citations": []},
            delta=REASONING,
            usage={
                "num_sources_used": 1,
                "cost_in_usd_ticks": 7,
                "completion_tokens_details": {"reasoning_tokens": 3},
                "total_tokens": 17,
            },
        ),
        "finish_reason",
    ),
    "zai": without(
        like_openai(delta={**REASONING, "audio": {"id": "a"}}, beside=True), "object", "finish_reason"
    ),
}
"""Of providers that add to OpenAI's chunk: each stream has every field that is added."""

CLEAN = {
    "stepfun": stepfun(),
    "openai-relay": relay(),
    "openai-chat": openai_chat(),
    **LIKE_OPENAI,
    "openai-responses": responses(),
    "anthropic-messages": anthropic(),
    "gemini": gemini(),
    "cohere": cohere(),
    "ollama": ollama(),
}


def clean(name: str) -> list[Event]:
    """A clean stream of a rule set, to be changed."""
    return deepcopy(CLEAN[name])


def written(name: str, events: list[Event]) -> bytes:
    """The body that such events are sent as."""
    if name == "ollama":
        return b"".join(text_of(event) + b"\n" for event in events)
    named = RULE_SETS[name].framing.named == "as-type"
    return b"".join(
        (f"event: {event['type']}\n".encode() if named and type(event) is dict and "type" in event else b"")
        + b"data: "
        + text_of(event)
        + b"\n\n"
        for event in events
    )


def text_of(event: Event) -> bytes:
    return (event if type(event) is str else json.dumps(event, ensure_ascii=False)).encode()


def found_in(name: str, body: bytes | list[Event], **options: Any) -> list[Finding]:
    """What the rule set of this name finds in a body, or in events."""
    data = body if type(body) is bytes else written(name, body)
    decoder = LineDecoder() if name == "ollama" else SSEDecoder()
    events = [*decoder.feed(data), *filter(None, [decoder.end()])]
    return check(events, RULE_SETS[name], pieces=[] if name == "ollama" else [data], **options)


def codes(found: list[Finding]) -> list[tuple[str, int]]:
    """The codes of findings, each with its event."""
    return [(each.code, each.event) for each in found]
