"""Asks with `aiohttp`: status, headers and body."""

from base64 import b64encode
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import aiohttp
from asked import Job, run


@cache
def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=30))


async def _ask(job: Job) -> AsyncIterator[Any]:
    async with _session().post(f"{job['url']}{job['path']}", json=job["json"]) as response:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
        yield [response.status, response.reason, headers]
        yield b64encode(b"".join([part async for part in response.content.iter_any()])).decode()


run({"async": _ask})
