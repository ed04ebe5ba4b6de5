"""What the client programs of this folder share: lines of JSON in, lines of JSON out.

They run in environments that hold the client and nothing of this project. A line on standard input is
`{"way": ..., "together": bool, "jobs": [{"id": ..., "url": ..., "api": ..., "model": ...}, ...]}`; each job
is answered by a line `{"id": ..., "yielded": [...], "error": [type, message] or null}`.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

MESSAGES = [{"role": "user", "content": "Say something."}]
KEY = "k" * 20

Job = dict[str, Any]
Way = Callable[[Job], Iterator[Any]] | Callable[[Job], AsyncIterator[Any]]


def run(ways: dict[str, Way]) -> None:
    """Do what comes on standard input, until it ends. `ways` are generators, asynchronous or not."""
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            asked = json.loads(line)
            way = ways[asked["way"]]
            if asked["together"]:
                runner.run(_all_at_once(way, asked["jobs"]))
            else:
                for job in asked["jobs"]:
                    _one(way(job), job, runner)


def _one(items: Any, job: Job, runner: asyncio.Runner) -> None:
    if hasattr(items, "__aiter__"):
        runner.run(_one_of_many(items, job))
        return
    yielded: list[Any] = []
    try:
        for item in items:
            yielded.append(item)  # noqa: PERF402  (what came before an error counts)
    except Exception as error:  # noqa: BLE001  (whatever the client makes of it is what is asked)
        _print(job, yielded, error)
    else:
        _print(job, yielded, None)


async def _all_at_once(way: Any, jobs: list[Job]) -> None:
    await asyncio.gather(*(_one_of_many(way(job), job) for job in jobs))


async def _one_of_many(items: AsyncIterator[Any], job: Job) -> None:
    yielded: list[Any] = []
    try:
        async for item in items:
            yielded.append(item)  # noqa: PERF401  (what came before an error counts)
    except Exception as error:  # noqa: BLE001  (as above)
        _print(job, yielded, error)
    else:
        _print(job, yielded, None)


def _print(job: Job, yielded: list[Any], error: Exception | None) -> None:
    said = None if error is None else [type(error).__name__, str(error)]
    sys.stdout.write(json.dumps({"id": job["id"], "yielded": yielded, "error": said}, default=str) + "\n")
    sys.stdout.flush()
