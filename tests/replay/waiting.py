"""Waiting on an event loop for what tells nobody that it has happened."""

import asyncio
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 20


async def until(condition: Callable[[], Any]) -> None:
    """Return when a condition holds; fails if it does not in time."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  (see above)
            await asyncio.sleep(0.005)
