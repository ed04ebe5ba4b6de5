"""What other tools take for a token, and an answer as one of them sees it: values in, values out.

Each is a test of one choice of a chunk, as in the source of the tool: aiperf 0.13
(`endpoints/openai_chat.py`), guidellm 0.8.1 (`backends/openai/request_handlers.py`), servebench 1.1.3
(`client.py`) and vLLM 0.33 (`benchmarks/lib/endpoint_request_func.py`). They read OpenAI's two streams of
chunks; of any other API an answer stays as it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

import msgspec

from tokentape.analysis.measuring._answer import Answer
from tokentape.analysis.measuring._columns import ints, occurring
from tokentape.cassette import Exchange, decoded, events
from tokentape.dialects import CONTENT, TOKEN

IsToken: TypeAlias = Callable[[dict[str, Any]], bool]
"""Whether a choice of a chunk is a token."""

_CHUNKED = ("openai-chat", "openai-completions")


def aiperf(choice: dict[str, Any]) -> bool:
    """Reasoning, content, or a tool call's name or arguments."""
    return _says(choice, "reasoning_content", "reasoning", "content") or any(
        function.get("name") or function.get("arguments") for function in _functions(choice)
    )


def guidellm(choice: dict[str, Any]) -> bool:
    """Reasoning, content, or a tool call, also one that says nothing yet."""
    return _says(choice, "reasoning", "reasoning_content", "content", "tool_calls")


def servebench(choice: dict[str, Any]) -> bool:
    """Content or reasoning; no tool calls."""
    return _says(choice, "content", "reasoning_content", "reasoning")


def vllm(choice: dict[str, Any]) -> bool:
    """Content, `reasoning` or calls; an empty content without a role; of legacy completions any choice."""
    if "delta" not in choice:
        return True
    delta = _delta(choice)
    is_empty_token = delta.get("content") == "" and "role" not in delta
    return is_empty_token or _says(choice, "content", "reasoning", "tool_calls", "function_call")


def as_seen(answer: Answer, exchange: Exchange, is_token: IsToken) -> Answer:
    """Return the answer with those events as tokens that a tool takes for such, and no others."""
    if not answer.is_stream or answer.dialect is None or answer.dialect.name not in _CHUNKED:
        return answer
    seen = dict(_verdicts(exchange, is_token))
    rows = answer.rows
    carries = [
        _mask(mask, seen.get((event, choice)))
        for mask, event, choice in zip(
            rows.carries.tolist(), rows.event.tolist(), rows.choice.tolist(), strict=True
        )
    ]
    as_they_are, masks = rows.carries, ints(carries)
    lost = as_they_are & ~masks & TOKEN
    overlooked = {choice: reduce(or_, occurring(lost[rows.choice == choice]), 0) for choice in answer.choices}
    return replace(answer, rows=replace(rows, carries=masks), overlooked=overlooked)


def has_error_event(exchange: Exchange) -> bool:
    """Whether the stream has an `event: error`, over which all tools stumble; most pass by a bare error."""
    pieces, _ = decoded(exchange)
    return any(event.event == "error" for event in events(pieces))


def _mask(mask: int, is_token: bool | None) -> int:
    if is_token is None or is_token == bool(mask & TOKEN):
        return mask
    return mask | CONTENT if is_token else mask & ~TOKEN


def _verdicts(exchange: Exchange, is_token: IsToken) -> Iterator[tuple[tuple[int, int], bool]]:
    pieces, _ = decoded(exchange)
    for number, event in enumerate(events(pieces)):
        try:
            chunk = msgspec.json.decode(event.data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        choices = chunk.get("choices") if isinstance(chunk, dict) else None
        for position, choice in enumerate(choices if isinstance(choices, list) else ()):
            if isinstance(choice, dict):
                index = choice.get("index")
                yield (number, index if type(index) is int else position), is_token(choice)


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    delta = choice.get("delta")
    return delta if isinstance(delta, dict) else {}


def _says(choice: dict[str, Any], *names: str) -> bool:
    delta = _delta(choice)
    return any(delta.get(name) for name in names) or bool(choice.get("text"))


def _functions(choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    calls = _delta(choice).get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield function
