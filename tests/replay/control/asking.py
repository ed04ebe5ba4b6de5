"""Requests under `/-/`, answered without a socket."""

import json
from typing import Any, NamedTuple

from tokentape.replay import Repertoire, Server, load
from tokentape.replay.control._access import Access
from tokentape.replay.control._steered import Alone
from tokentape.replay.control._steering import Steering
from tokentape.replay.serving._requests import IncomingRequest

LOOPBACK = Access("127.0.0.1", ["127.0.0.1"])
OWN_HOST = ((b"Host", b"127.0.0.1:8090"),)


class Answered(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]["message"]


def request(method="GET", target="/-/health", body=b"", *, headers=OWN_HOST, version="1.1", keep_alive=True):
    return IncomingRequest(
        method=method,
        target=target.encode(),
        http_version=version,
        body=body,
        keep_alive=keep_alive,
        headers=headers,
    )


class Steered(NamedTuple):
    server: Server
    steering: Steering


def steering(path=None, speed=1.0):
    """What answers for a server that does not listen, and that server."""
    server = Server(load(path, speed=speed) if path else Repertoire(recorded=()))
    return Steered(server, Steering(Alone(server), LOOPBACK))


def ask(of, *arguments, **options):
    reply = of.steering.reply_to(request(*arguments, **options))
    assert not reply.parts
    head, _, body = reply.now.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return Answered(int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body)
