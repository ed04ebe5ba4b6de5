"""The client programs, started when they are first asked, and the cassette of all that they ask."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

import pytest

from tests.e2e.clients.asking import PROGRAMS, Client, Program, is_elsewhere
from tests.e2e.clients.heard import Heard
from tests.e2e.environments import Absent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is asked by programs that are the same whatever interpreter runs the tests."""
    for item in items:
        client = getattr(getattr(item, "callspec", None), "params", {}).get("client")
        if isinstance(client, Client) and is_elsewhere(client):
            item.add_marker("once")


class Programs:
    """Those that are running. A program runs only once, and is asked one thing at a time."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._running: dict[str, Program | Absent] = {}
        self._starting = Lock()

    def of(self, client: Client) -> Program:
        """Return the program of a client. Raises `Absent`, with the reason, if it cannot be had here."""
        name = client.program
        with self._starting:
            if name not in self._running:
                try:
                    command = PROGRAMS[name]()
                except Absent as absent:
                    self._running[name] = absent
                else:
                    program = Program(command, self._folder / f"{name}.log")
                    self._running[name] = self._stack.enter_context(program)
            match self._running[name]:
                case Absent() as absent:
                    raise absent
                case program:
                    return program

    def or_skip(self, client: Client) -> Program:
        """Return the program of a client; the test is skipped if it cannot be had here."""
        try:
            return self.of(client)
        except Absent as absent:
            pytest.skip(str(absent))


@pytest.fixture(scope="package")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with ExitStack() as stack:
        yield Programs(tmp_path_factory.mktemp("clients"), stack)


@pytest.fixture(scope="package")
def heard(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Heard:
    return Heard(programs, tmp_path_factory.mktemp("heard"))
