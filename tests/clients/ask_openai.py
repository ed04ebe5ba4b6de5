"""Asks with the `openai` of this environment: every chunk, as the SDK makes it of what arrives.

The API "events" yields what the SDK's decoder of event streams finds, before it is taken for JSON.
"""

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

import openai
from asked import KEY, MESSAGES, Job, run

_CALLS: dict[str, Any] = {
    "openai-chat": lambda client, model: client.chat.completions.create(
        model=model, messages=MESSAGES, stream=True
    ),
    "legacy-completions": lambda client, model: client.completions.create(
        model=model, prompt="Say something.", stream=True
    ),
    "openai-responses": lambda client, model: client.responses.create(
        model=model, input="Say something.", stream=True
    ),
}
_CALLS["events"] = _CALLS["openai-chat"]


@cache
def _client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, timeout=30)


@cache
def _async_client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, timeout=30)


def _ask(job: Job) -> Iterator[Any]:
    with _CALLS[job["api"]](_client(job["url"]), job["model"]) as stream:
        if job["api"] == "events":
            yield from (_event(event) for event in stream._iter_events())  # the SDK shows it nowhere else
        else:
            yield from (chunk.to_dict(warnings=False) for chunk in stream)


async def _ask_async(job: Job) -> AsyncIterator[Any]:
    async with await _CALLS[job["api"]](_async_client(job["url"]), job["model"]) as stream:
        if job["api"] == "events":
            async for event in stream._iter_events():
                yield _event(event)
        else:
            async for chunk in stream:
                yield chunk.to_dict(warnings=False)


def _event(event: Any) -> list[Any]:
    return [event.event, event.data, event.id]


run({"sync": _ask, "async": _ask_async})
