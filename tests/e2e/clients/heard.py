"""What every client yields of every body: from a plain server, and from the replay of what it asked there."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from tests.e2e.clients.asking import BYTEWISE, CLIENTS, Client, Program, Told, job
from tests.e2e.clients.bodies import LARGE, LITTLE, all_bodies
from tests.e2e.clients.plain_server import Asked, plain_server
from tests.e2e.clients.tapes import tape_of
from tests.e2e.environments import Absent
from tests.e2e.processes import Process

_AT_ONCE = 3  # programs that are busy; a server is, too

SOURCES: Mapping[str, tuple[str, ...]] = {
    "as recorded": (),
    "instant": ("--speed=instant",),
    # Byte by byte costs: each piece is a packet, and a call in server and client.
    "split": (
        "--speed=instant",
        f"--fault=split=1,path={BYTEWISE.path}/*",
        f"--fault=split=1,model={LITTLE}*",
        f"--fault=split=127,model={LARGE}*",
    ),
}

ByModel: TypeAlias = dict[str, Told]
ByClient: TypeAlias = dict[Client, ByModel | Absent | AssertionError]
Listening: TypeAlias = Callable[[], ByClient]


class Programs(Protocol):
    """Where programs come from."""

    def of(self, client: Client) -> Program:
        """Return the program of a client. Raises `Absent`."""


class Heard:
    """What was heard, by client and model; a source is listened to when somebody asks for it."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self.bodies = {body.model: body for body in all_bodies()}
        self.streams = {body.model: body.stream for body in self.bodies.values()}
        self._stats: dict[str, dict[str, Any]] = {}
        self._asked: dict[Client, list[Asked]] = {}
        self._programs = programs
        self._folder = folder
        self._heard: dict[str, ByClient | Exception] = {}

    def plain(self, client: Client) -> ByModel:
        """Return what a client yields from the plain server, by model. Raises `Absent`."""
        return self._of("plain", client, self._from_plain_servers)

    def replayed(self, source: str, client: Client) -> ByModel:
        """Return what a client yields from a replay, by model. Raises `Absent`."""
        return self._of(source, client, partial(self._from_replay, source))

    @cached_property
    def asked(self) -> dict[Client, list[Asked]]:
        """What each client asked the plain server."""
        self._hear("plain", self._from_plain_servers)
        return self._asked

    def stats(self, source: str) -> dict[str, Any]:
        """Return what a replay says of itself at its end."""
        self._hear(source, partial(self._from_replay, source))
        return self._stats[source]

    @cached_property
    def _tape(self) -> Path:
        asked = [each for of_one in self.asked.values() for each in of_one]
        return tape_of(self._folder / "session.tape", asked, self.streams)

    def _of(self, source: str, client: Client, listen: Listening) -> ByModel:
        match self._hear(source, listen)[client]:
            case Exception() as error:
                raise error
            case told:
                return told

    def _hear(self, source: str, listen: Listening) -> ByClient:
        """Listen once, also if it fails: all the tests that ask then fail for one reason."""
        if source not in self._heard:
            try:
                self._heard[source] = listen()
            except Exception as error:
                self._heard[source] = error
                raise
        match self._heard[source]:
            case Exception() as error:
                raise AssertionError(f"listening to {source} failed before: {error}")
            case heard:
                return heard

    def _from_plain_servers(self) -> ByClient:
        with ExitStack() as stack:
            servers = {client: stack.enter_context(plain_server(self.streams)) for client in CLIENTS}
            heard = self._all_ask({client: server.url for client, server in servers.items()})
            self._asked = {client: server.asked for client, server in servers.items()}
        return heard

    def _from_replay(self, source: str) -> ByClient:
        with Process.tokentape("replay", self._tape, "--json", *SOURCES[source]) as replay:
            heard = self._all_ask(dict.fromkeys(CLIENTS, replay.url))
        assert replay.returncode == 0, replay.stderr
        self._stats[source] = json.loads(replay.stdout)
        return heard

    def _all_ask(self, urls: Mapping[Client, str]) -> ByClient:
        """Let every program ask for every body that it takes, some programs at once."""
        by_program = [list(group) for _, group in groupby(CLIENTS, key=lambda client: client.program)]
        heard: ByClient = {}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for told in pool.map(lambda clients: self._one_by_one(clients, urls), by_program):
                heard |= told
        return heard

    def _one_by_one(self, clients: Iterable[Client], urls: Mapping[Client, str]) -> ByClient:
        heard: ByClient = {}
        for client in clients:
            bodies = [body for body in self.bodies.values() if client.takes(body)]
            try:
                program = self._programs.of(client)
                told = program.ask(client.way, [job(client, urls[client], body) for body in bodies])
            except (Absent, AssertionError) as error:  # the others are asked all the same
                heard[client] = error
            else:
                heard[client] = {body.model: each for body, each in zip(bodies, told, strict=True)}
        return heard


def difference(ours: list[Any], theirs: list[Any]) -> str:
    """Say where two first differ, shortly; "" if they do not."""
    if ours == theirs:
        return ""
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return f"item {number}: {str(one)[:300]} became {str(other)[:300]}"
    return f"{len(ours)} items became {len(theirs)}: {str(ours[-1])[:300]} became {str(theirs[-1])[:300]}"
