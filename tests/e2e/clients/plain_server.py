"""A server that nobody can doubt: the whole body in one write, with its length before it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.e2e.wire import chunk, head
from tests.streams import Stream

TELLS_NOTHING = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came, and the name of the stream that it was answered with."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    answered: str


@dataclass(slots=True)
class PlainServer:
    """Answers with the stream that the request's `model` names, or the end of its path.

    If it `cuts`, it breaks off after the first half of the pieces. `asked` has what was asked, in order of
    arrival.
    """

    streams: Mapping[str, Stream]
    cuts: bool = False
    url: str = ""
    asked: list[Asked] = field(default_factory=list)


def first_half(stream: Stream) -> tuple[bytes, ...]:
    """Return the pieces of a stream that is cut."""
    return stream.pieces[: len(stream.pieces) // 2]


@contextmanager
def plain_server(streams: Mapping[str, Stream], *, cuts: bool = False) -> Iterator[PlainServer]:
    state = PlainServer(streams, cuts)

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer(self.path.rpartition("/")[2], b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self._answer(json.loads(body)["model"], body)

        def _answer(self, name: str, asked: bytes) -> None:
            stream = state.streams.get(name)
            if stream is None:
                self.wfile.write(TELLS_NOTHING)
                return
            state.asked.append(Asked(self.command, self.path, tuple(self.headers.items()), asked, name))
            body = stream.body
            framing = ("content-length", str(len(body)))
            if state.cuts:
                body = chunk(b"".join(first_half(stream)))
                framing = ("transfer-encoding", "chunked")
                self.close_connection = True
            self.wfile.write(head("HTTP/1.1 200 OK", *stream.headers, ("x-request-id", name), framing) + body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256  # many clients may come at once; the default of 5 would turn some away

    server = Server(("127.0.0.1", 0), Answers)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
