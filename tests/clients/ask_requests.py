"""Asks with `requests`: status, headers and body."""

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from typing import Any

import requests
from asked import Job, run


@cache
def _session() -> requests.Session:
    return requests.Session()


def _ask(job: Job) -> Iterator[Any]:
    url = f"{job['url']}{job['path']}"
    with _session().post(url, json=job["json"], stream=True, timeout=30) as response:
        yield [response.status_code, response.reason, list(response.headers.items())]
        yield b64encode(b"".join(response.iter_content(chunk_size=None))).decode()


run({"sync": _ask})
