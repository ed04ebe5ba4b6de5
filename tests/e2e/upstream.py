"""An HTTP server that sends given bodies in given pieces, for a client or a proxy to find there."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.streams import Stream


@dataclass(slots=True)
class Upstream:
    """Answers with the stream that the request's `model` names, `gap_s` between its pieces.

    `misbehave` maps a model to what is done with its connection instead of a proper end; `seen` has the
    headers of every request, by their names in lower case.
    """

    url: str = ""
    streams: dict[str, Stream] = field(default_factory=dict)
    misbehave: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    gap_s: float = 0.002


@contextmanager
def upstream() -> Iterator[Upstream]:
    state = Upstream()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            body = b'{"object": "list", "data": []}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            model = json.loads(body)["model"]
            state.seen.append({name.lower(): value for name, value in self.headers.items()})
            stream = state.streams[model]
            self.send_response(200)
            for name, value in stream.headers:
                self.send_header(name, value)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for piece in stream.pieces:
                time.sleep(state.gap_s)
                try:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                except OSError:  # the client is gone, which some tests want
                    self.close_connection = True
                    return
            if model in state.misbehave:
                state.misbehave[model](self)
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")

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
        thread.join()
        server.server_close()
