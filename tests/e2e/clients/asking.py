"""Client programs as processes that are asked by lines of JSON, as tests/clients/asked.py says."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from tests.e2e.clients.bodies import Body
from tests.e2e.environments import node_packages, python_of, python_with_openai
from tests.e2e.processes import ROOT

PYTHON_CLIENTS = ROOT / "tests" / "clients"
_A_LINE_WITHIN_S = 600.0 if "TOKENTAPE_FUZZ" in os.environ else 60.0

_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}
OPENAI = frozenset({"openai-chat", "legacy-completions", "openai-responses"})


def _script(python: Callable[[], str], name: str, *arguments: str) -> Callable[[], list[str]]:
    return lambda: [python(), str(PYTHON_CLIENTS / name), *arguments]


def _here() -> str:
    return sys.executable


PROGRAMS: Mapping[str, Callable[[], list[str]]] = {
    "openai-2": _script(lambda: python_with_openai(2), "ask_openai.py"),
    "openai-3": _script(lambda: python_with_openai(3), "ask_openai.py"),
    "anthropic": _script(_here, "ask_anthropic.py"),
    "langchain": _script(lambda: python_of("langchain"), "ask_langchain.py"),
    "httpx2": _script(lambda: python_with_openai(3), "ask_httpx.py", "httpx2"),
    "httpx": _script(_here, "ask_httpx.py", "httpx"),
    "aiohttp": _script(_here, "ask_aiohttp.py"),
    "requests": _script(_here, "ask_requests.py"),
    "node": lambda: ["node", str(ROOT / "tests" / "node" / "ask.mjs"), node_packages()],
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a client said of a job: what it yielded, and the type and message of its error, if any."""

    yielded: list[Any]
    error: list[str] | None


@dataclass(frozen=True, slots=True)
class Client:
    """A way of asking: a program, what of it, and of which APIs it takes answers; None is any.

    `path` is what comes before the API's in the URLs that it asks for.
    """

    program: str
    way: str
    apis: frozenset[str] | None = None
    path: str = ""

    def __str__(self) -> str:
        return f"{self.program} {self.way}"

    @property
    def decodes(self) -> bool:
        """Whether it makes something of a body; the others give it as it is."""
        return self.apis is not None

    @property
    def takes_chat(self) -> bool:
        """Whether it takes chat completions."""
        return self.apis is None or "openai-chat" in self.apis

    def comparable(self, told: Told) -> list[Any]:
        """Return items and error, without the header fields that concern only one connection."""
        if self.decodes or told.error is not None:
            return [*told.yielded, told.error]
        (status, reason, headers), body = told.yielded
        kept = [pair for pair in headers if pair[0].lower() not in _OF_THE_CONNECTION]
        return [status, reason, kept, body]

    def takes(self, body: Body) -> bool:
        return self.apis is None or body.api in self.apis


BYTEWISE = Client("openai-3", "sync", OPENAI, path="/bytewise")
"""Who gets every body byte by byte; the others get little ones so, and in `make fuzz` all of them."""

CLIENTS = (
    Client("openai-2", "sync", OPENAI),
    Client("openai-2", "async", OPENAI),
    BYTEWISE,
    Client("openai-3", "async", OPENAI),
    Client("anthropic", "sync", frozenset({"anthropic-messages"})),
    Client("anthropic", "async", frozenset({"anthropic-messages"})),
    Client("langchain", "sync", frozenset({"openai-chat"})),
    Client("httpx2", "sync"),
    Client("httpx2", "async"),
    Client("httpx", "sync"),
    Client("httpx", "async"),
    Client("aiohttp", "async"),
    Client("requests", "sync"),
    Client("node", "openai", OPENAI),
    Client("node", "fetch"),
    Client("node", "undici"),
)


def is_elsewhere(client: Client) -> bool:
    """Whether its program runs in an environment of its own, which no other interpreter here changes."""
    if client.program in ("openai-2", "openai-3", "httpx2"):
        return not version("openai").startswith(f"{2 if client.program == 'openai-2' else 3}.")
    return client.program in ("langchain", "node")


class Program:
    """A client program, entered as it starts and ended by the end of its standard input."""

    def __init__(self, command: list[str], errors: Path) -> None:
        self._command = command
        self._errors = errors
        self._lines: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Self:
        proxies = {"http_proxy", "https_proxy", "all_proxy"}
        env = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=env,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._reader.join(10)
        self._process.stdout.close()

    def ask(self, way: str, jobs: Iterable[dict[str, Any]], *, together: bool = False) -> list[Told]:
        """Return what came of each job, all of which were under way at once if `together`."""
        jobs = [job | {"id": number} for number, job in enumerate(jobs)]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"way": way, "together": together, "jobs": jobs}) + "\n")
        self._process.stdin.flush()
        found: dict[int, Told] = {}
        for _ in jobs:
            try:
                line = self._lines.get(timeout=_A_LINE_WITHIN_S)
            except queue.Empty:
                raise AssertionError(self._what_it_said()) from None
            assert line, self._what_it_said()
            said = json.loads(line)
            found[said["id"]] = Told(said["yielded"], said["error"])
        return [found[number] for number in range(len(jobs))]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _what_it_said(self) -> str:
        return f"{self._command} says no more:\n{self._errors.read_text()}"


def job(client: Client, url: str, body: Body) -> dict[str, Any]:
    """Return what a client is asked for a body."""
    if client.decodes:
        return {"url": url + client.path, "api": body.api, "model": body.model}
    path = "/v1/chat/completions" if body.api == "openai-chat" else f"/v1/{body.api}"
    return {"url": url, "path": path, "json": {"model": body.model, "stream": True, "n": 1.5}}
