"""What is asked of mitmproxy's connections; that they answer so is caused in tests/e2e/test_endings.py."""

import asyncio
from types import SimpleNamespace

import pytest
from mitmproxy import ctx, http
from mitmproxy.test import tflow

from tokentape.recorder import _connections


class Watchdog:
    """mitmproxy's, as far as it is used."""

    timeout = 600

    def __init__(self) -> None:
        self.given_up = 0
        self.callback = self.give_up

    async def give_up(self) -> None:
        self.given_up += 1


class Writer:
    def __init__(self, unsent: int) -> None:
        self.transport = SimpleNamespace(get_write_buffer_size=lambda: unsent)
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> dict[str, SimpleNamespace]:
    """The handlers of a mitmproxy's connections, by their client's id."""
    found: dict[str, SimpleNamespace] = {}
    addons = {"proxyserver": SimpleNamespace(connections=found)}
    monkeypatch.setattr(ctx, "master", SimpleNamespace(addons=addons), raising=False)
    return found


def connect(connections: dict[str, SimpleNamespace], made: http.HTTPFlow, unsent: int = 0) -> SimpleNamespace:
    client = made.client_conn
    io = SimpleNamespace(writer=Writer(unsent), reader=None)
    connections[client.id] = SimpleNamespace(
        client=client,
        timeout_watchdog=Watchdog(),
        transports={client: io, made.server_conn: SimpleNamespace(writer=None, reader=None)},
    )
    return connections[client.id]


@pytest.mark.parametrize(("unsent", "reason"), [(0, "upstream-error"), (1, "client-closed")])
def test_who_was_silent_is_noted_and_then_given_up(connections, unsent: int, reason: str):
    made = tflow.tflow()
    handler = connect(connections, made, unsent)
    _connections.watch_client(made.client_conn)
    _connections.watch_client(made.client_conn)
    assert _connections.timed_out(made.client_conn) is None
    asyncio.run(handler.timeout_watchdog.callback())
    assert handler.timeout_watchdog.given_up == 1
    found = _connections.timed_out(made.client_conn)
    assert found is not None
    assert found[0] == reason
    assert found[1].endswith("nothing for 600 s")


def test_a_flow_without_a_connection_has_nothing_more_to_tell(connections):
    made = tflow.tflow(resp=True)
    made.request.http_version = "HTTP/2.0"
    _connections.watch_client(made.client_conn)
    _connections.watch_upstream(made)
    assert _connections.timed_out(made.client_conn) is None
    assert _connections.broken_off(made) is None
    assert not _connections.upstream_reset_stream(made)


@pytest.mark.parametrize(
    ("headers", "told"), [({}, "Connection reset by peer"), ({"content-length": "7"}, None)]
)
def test_a_reset_cuts_only_a_body_that_its_connection_delimits(connections, headers, told):
    made = tflow.tflow(resp=True)
    assert made.response
    made.response.headers = http.Headers(**headers)
    handler = connect(connections, made)

    async def read() -> None:
        reader = handler.transports[made.server_conn].reader = asyncio.StreamReader()
        _connections.watch_upstream(made)
        reader.set_exception(ConnectionResetError("Connection reset by peer"))

    asyncio.run(read())
    assert _connections.broken_off(made) == told
    _connections.unwatch_upstream(made)
    assert made not in _connections._readers


def test_all_clients_are_closed_and_no_upstream(connections):
    handler = connect(connections, tflow.tflow())
    _connections.close_clients()
    assert handler.transports[handler.client].writer.closed
