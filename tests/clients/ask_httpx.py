"""Asks with `httpx`, or with `httpx2` if that is the argument: status, headers and body."""

import importlib
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

from asked import Job, run

httpx = importlib.import_module(sys.argv[1])


@cache
def _client() -> Any:
    return httpx.Client(timeout=30)


@cache
def _async_client() -> Any:
    return httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=None))


def _ask(job: Job) -> Iterator[Any]:
    with _client().stream("POST", f"{job['url']}{job['path']}", json=job["json"]) as response:
        yield _head(response)
        yield b64encode(b"".join(response.iter_bytes())).decode()


async def _ask_async(job: Job) -> AsyncIterator[Any]:
    async with _async_client().stream("POST", f"{job['url']}{job['path']}", json=job["json"]) as response:
        yield _head(response)
        yield b64encode(b"".join([part async for part in response.aiter_bytes()])).decode()


def _head(response: Any) -> list[Any]:
    return [response.status_code, response.reason_phrase, response.headers.multi_items()]


run({"sync": _ask, "async": _ask_async})
