"""What every client yields of every body: from a plain server, and from the replay of what it asked there."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from tests.e2e.clients.asking import CLIENTS, Client, Program, Told, job
from tests.e2e.clients.bodies import Body, all_bodies
from tests.e2e.clients.environments import Absent
from tests.e2e.clients.plain_server import Asked, plain_server
from tests.e2e.clients.tapes import tape_of
from tests.e2e.processes import Process

_AT_ONCE = 3  # programs that are busy; a server is, too
_LITTLE = 6_000
"""How many bytes are sent one by one within reason: each is a packet, and a call in server and client."""


@dataclass(frozen=True, slots=True)
class Source:
    """A way of replaying: options for each set of bodies."""

    servings: tuple[tuple[tuple[str, ...], Callable[[Body], bool]], ...]


def _is_little(body: Body) -> bool:
    return len(body.stream.body) <= _LITTLE


SOURCES: Mapping[str, Source] = {
    "as recorded": Source((((), lambda _: True),)),
    "instant": Source(((("--speed", "instant"), lambda _: True),)),
    "split=1": Source(
        (
            (("--speed", "instant", "--fault", "split=1"), _is_little),
            (("--speed", "instant", "--fault", "split=61"), lambda body: not _is_little(body)),
        )
    ),
}


class Programs(Protocol):
    """Where programs come from."""

    def of(self, client: Client) -> Program:
        """Return the program of a client. Raises `Absent`."""


class Heard:
    """What was heard, by client and model; a source is listened to when somebody asks for it."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self.bodies = {body.model: body for body in all_bodies()}
        self.streams = {body.model: body.stream for body in self.bodies.values()}
        self.asked: dict[str, list[Asked]] = {}
        self.absent: dict[Client, str] = {}
        self._programs = programs
        self._folder = folder
        self._heard: dict[str, dict[Client, dict[str, Told]]] = {}

    def plain(self, client: Client) -> dict[str, Told]:
        """Return what a client yields from the plain server, by model. Raises `Absent`."""
        if "plain" not in self._heard:
            self._heard["plain"] = self._from_plain_servers()
        return self._of("plain", client)

    def replayed(self, source: str, client: Client) -> dict[str, Told]:
        """Return what a client yields from a replay, by model. Raises `Absent`."""
        self.plain(client)
        if source not in self._heard:
            self._heard[source] = self._from_replay(source)
        return self._of(source, client)

    def asked_by(self, client: Client) -> list[Asked]:
        """Return what a client asked the plain server. Raises `Absent`."""
        self.plain(client)
        return self.asked[str(client)]

    def _of(self, source: str, client: Client) -> dict[str, Told]:
        if client in self.absent:
            raise Absent(self.absent[client])
        return self._heard[source][client]

    def _from_plain_servers(self) -> dict[Client, dict[str, Told]]:
        with ExitStack() as stack:
            servers = {client: stack.enter_context(plain_server(self.streams)) for client in CLIENTS}
            heard = self._all_ask({client: server.url for client, server in servers.items()}, lambda _: True)
            self.asked = {str(client): server.asked for client, server in servers.items()}
        return heard

    def _from_replay(self, source: str) -> dict[Client, dict[str, Told]]:
        heard: dict[Client, dict[str, Told]] = {client: {} for client in CLIENTS}
        for number, (options, takes) in enumerate(SOURCES[source].servings):
            models = {model for model, body in self.bodies.items() if takes(body)}
            asked = [each for of_one in self.asked.values() for each in of_one if each.answered in models]
            path = tape_of(self._folder / f"{source.replace(' ', '-')}-{number}.tape", asked, self.streams)
            with Process.tokentape("replay", path, *options) as replay:
                for client, told in self._all_ask(dict.fromkeys(CLIENTS, replay.url), takes).items():
                    heard[client] |= told
            assert replay.returncode == 0, replay.stderr
        return heard

    def _all_ask(
        self, urls: Mapping[Client, str], takes: Callable[[Body], bool]
    ) -> dict[Client, dict[str, Told]]:
        """Let every program ask for every body that it takes, some programs at once."""
        by_program = [list(group) for _, group in groupby(CLIENTS, key=lambda client: client.program)]
        heard: dict[Client, dict[str, Told]] = {}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for told in pool.map(lambda clients: self._one_by_one(clients, urls, takes), by_program):
                heard |= told
        return heard

    def _one_by_one(
        self, clients: Iterable[Client], urls: Mapping[Client, str], takes: Callable[[Body], bool]
    ) -> dict[Client, dict[str, Told]]:
        heard: dict[Client, dict[str, Told]] = {}
        for client in clients:
            bodies = [body for body in self.bodies.values() if takes(body) and client.takes(body)]
            try:
                program = self._programs.of(client)
            except Absent as absent:
                self.absent[client] = str(absent)
                continue
            told = program.ask(client.way, [job(client, urls[client], body) for body in bodies])
            heard[client] = {body.model: each for body, each in zip(bodies, told, strict=True)}
        return heard
