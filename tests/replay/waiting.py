"""Waiting for what tells nobody that it has happened."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 20


async def until(condition: Callable[[], Any]) -> None:
    """Return, on an event loop, when a condition holds; fails if it does not in time."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  (see above)
            await asyncio.sleep(0.005)


def wait_until(condition: Callable[[], Any]) -> None:
    """Return when a condition holds; fails if it does not in time."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
