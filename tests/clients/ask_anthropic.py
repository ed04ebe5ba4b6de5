"""Asks with the `anthropic` of this environment: every event, as the SDK makes it of what arrives.

The API "events" yields what the SDK's decoder of event streams finds, before it is taken for JSON.
"""

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

import anthropic
from asked import KEY, MESSAGES, Job, run


@cache
def _client(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key=KEY, timeout=30)


@cache
def _async_client(url: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=url, api_key=KEY, timeout=30)


def _call(client: Any, job: Job) -> Any:
    return client.messages.create(model=job["model"], messages=MESSAGES, max_tokens=99, stream=True)


def _ask(job: Job) -> Iterator[Any]:
    with _call(_client(job["url"]), job) as stream:
        if job["api"] == "events":
            yield from (_event(event) for event in stream._iter_events())  # the SDK shows it nowhere else
        else:
            yield from (event.to_dict(warnings=False) for event in stream)


async def _ask_async(job: Job) -> AsyncIterator[Any]:
    async with await _call(_async_client(job["url"]), job) as stream:
        if job["api"] == "events":
            async for event in stream._iter_events():
                yield _event(event)
        else:
            async for event in stream:
                yield event.to_dict(warnings=False)


def _event(event: Any) -> list[Any]:
    return [event.event, event.data, event.id]


run({"sync": _ask, "async": _ask_async})
