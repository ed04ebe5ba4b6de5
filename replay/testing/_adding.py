"""What a cassette does not have is asked of the API, and recorded after what it has.

A server in front of two: every request goes to the replay, byte for byte but for a `Connection: close`, and
where the replay says that it is not recorded, or not so often, to a recorder, which is started for the first
of them.
Invariant: the API is asked for what is recorded only when that was played as often as it was recorded, and
is to be played no more often.
"""

import re
import socket
import socketserver
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock, Thread
from urllib.parse import urlsplit

from tokentape.replay._openai_error import error_response
from tokentape.replay._requests import RequestReader
from tokentape.replay.testing._recorder_process import CannotRecord

_SIZE = 65536
_UNWANTED = re.compile(rb"\r\n(?:connection|expect|keep-alive):[^\r]*(?=\r\n)", re.IGNORECASE)
_NOT_THERE = re.compile(rb'"code": "(?:not_recorded|exhausted)"')
_TIMEOUT_S = 600.0  # a silent API is the client's to give up


class Adding:
    """A running front. `begun` is whether anything was asked of the API."""

    def __init__(self, replay_url: str, start_recorder: Callable[[], str]) -> None:
        self._replay_url = replay_url
        self._start_recorder = start_recorder
        self._recorder_url = ""
        self._alone = Lock()
        self.failure: CannotRecord | None = None
        self.url = ""

    @property
    def begun(self) -> bool:
        """Whether the recorder was started."""
        return bool(self._recorder_url)

    def answer(self, client: socket.socket) -> None:
        """Answer one request, and leave the connection to be closed."""
        client.settimeout(_TIMEOUT_S)
        request = _read_request(client)
        if not request:
            return
        with _connected(self._replay_url) as replay:
            replay.sendall(request)
            head = _read_head(replay)
            if not head.startswith(b"HTTP/1.1 404 "):
                client.sendall(head)
                _pass_on(replay, client)
                return
            answer = head + b"".join(_read_all(replay))
        if not _NOT_THERE.search(answer):
            client.sendall(answer)
            return
        try:
            url = self._recorder()
        except CannotRecord as error:
            self.failure = error
            client.sendall(
                error_response(502, str(error), kind="upstream_error", code="cannot_record", close=True)
            )
            return
        with _connected(url) as recorder:
            recorder.sendall(request)
            _pass_on(recorder, client)

    def _recorder(self) -> str:
        with self._alone:
            if self.failure is not None:
                raise self.failure
            if not self._recorder_url:
                self._recorder_url = self._start_recorder()
            return self._recorder_url


@contextmanager
def adding(replay_url: str, start_recorder: Callable[[], str]) -> Iterator[Adding]:
    """Serve while the block runs. `start_recorder` returns the recorder's URL, or raises `CannotRecord`."""
    front = Adding(replay_url, start_recorder)

    class Answers(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with _unless_gone():
                front.answer(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 256

    with ExitStack() as stack:
        server = stack.enter_context(Server(("127.0.0.1", 0), Answers))
        front.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="tokentape adding")
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield front


@contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except OSError:  # somebody hung up: the other sees it as the end of the connection
        return


def _connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    found = socket.create_connection((parts.hostname, parts.port or 80), timeout=_TIMEOUT_S)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _read_request(client: socket.socket) -> bytes:
    """Return the first request on a connection as one that closes it; b"" if there is none."""
    reader = RequestReader()
    raw = b""
    while data := client.recv(_SIZE):
        raw += data
        if reader.feed(data):
            head, blank, body = raw.partition(b"\r\n\r\n")
            head = _UNWANTED.sub(b"", head + b"\r\n").removesuffix(b"\r\n")
            return head + b"\r\nConnection: close" + blank + body
        if reader.take_expectation():
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    return b""


def _read_head(source: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and (data := source.recv(_SIZE)):
        head += data
    return head


def _read_all(source: socket.socket) -> Iterator[bytes]:
    while data := source.recv(_SIZE):
        yield data


def _pass_on(source: socket.socket, client: socket.socket) -> None:
    for data in _read_all(source):
        client.sendall(data)
