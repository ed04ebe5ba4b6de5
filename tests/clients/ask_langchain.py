"""Asks with `langchain-openai`: every chunk of a message."""

import os
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any
from uuid import UUID

os.environ["LANGSMITH_TRACING"] = "false"

from asked import KEY, Job, run
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

_RUN = RunnableConfig(run_id=UUID(int=1))  # it names chunks that have no id; else each run has its own


@cache
def _model(url: str, model: str) -> ChatOpenAI:
    return ChatOpenAI(base_url=f"{url}/v1", api_key=SecretStr(KEY), model=model, timeout=30)


def _ask(job: Job) -> Iterator[Any]:
    for chunk in _model(job["url"], job["model"]).stream("Say something.", _RUN):
        yield chunk.model_dump()


async def _ask_async(job: Job) -> AsyncIterator[Any]:
    async for chunk in _model(job["url"], job["model"]).astream("Say something.", _RUN):
        yield chunk.model_dump()


run({"sync": _ask, "async": _ask_async})
