"""Cases sent in real time from one end and read at the other, with the moments at which both ends saw them.

Whatever is between the two must have had each piece after it was sent and before it was received. On one
machine all processes read one monotonic clock, so these bounds hold however late anything is scheduled.
"""

import http.client
import json
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from urllib.parse import urlsplit

from tests.analysis.truth import HEADERS_MS, Case

_NS_PER_MS = 1_000_000
_WITHIN_S = 30


@dataclass(slots=True)
class Witnessed:
    """One case as both ends saw it, in ns of the monotonic clock."""

    case: Case
    asked_ns: int = 0
    """Before the client sent the request."""
    got_ns: int = 0
    """When the upstream had all of it."""
    sent_ns: dict[int, int] = field(default_factory=dict)
    """Before each piece was sent, and the headers, by the milliseconds of the case."""
    ended_ns: int = 0
    headers_ns: int = 0
    received: list[tuple[int, int]] = field(default_factory=list)
    """How many bytes of the body the client had, and when."""

    def earliest_ns(self, ms: int) -> int:
        """Return when what the case sends at a moment was sent."""
        return self.sent_ns[ms]

    def latest_ns(self, ms: int) -> int:
        """Return when the client had it."""
        if ms == HEADERS_MS:
            return self.headers_ns
        ends = dict(
            zip(
                (at for at, _ in self.case.pieces),
                accumulate(len(piece) for _, piece in self.case.pieces),
                strict=True,
            )
        )
        return self.received[bisect_left(self.received, (ends[ms], 0))][1]

    def clock_ms(self, ms: int) -> tuple[float, float]:
        """Return the least and the most that a clock can show for it, counted from the complete request."""
        least = self.earliest_ns(ms) - self.got_ns
        most = self.latest_ns(ms) - self.asked_ns
        return least / _NS_PER_MS, most / _NS_PER_MS

    def span_ms(self, first: int, last: int) -> tuple[float, float]:
        """Return the least and the most that can lie between two pieces; not below 0."""
        least = self.earliest_ns(last) - self.latest_ns(first)
        most = self.latest_ns(last) - self.earliest_ns(first)
        return max(least, 0) / _NS_PER_MS, most / _NS_PER_MS


@contextmanager
def timed_upstream(cases: Mapping[str, Witnessed]) -> Iterator[str]:
    """Answer with the case that the request's `model` names, each piece at its deadline; yields the URL."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = _WITHIN_S

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen = cases[json.loads(body)["model"]]
            seen.got_ns = time.monotonic_ns()
            self._wait_for(seen, HEADERS_MS)
            seen.sent_ns[HEADERS_MS] = time.monotonic_ns()
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            with suppress(OSError):  # a client may leave
                for ms, piece in seen.case.pieces:
                    self._wait_for(seen, ms)
                    seen.sent_ns[ms] = time.monotonic_ns()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self._end(seen)

        def _wait_for(self, seen: Witnessed, ms: int) -> None:
            """Wait for a moment that is counted from the request: what is late makes nothing later."""
            while (left_ns := seen.got_ns + ms * _NS_PER_MS - time.monotonic_ns()) > 0:
                time.sleep(left_ns / 1e9)

        def _end(self, seen: Witnessed) -> None:
            match seen.case.ending:
                case "complete":
                    self._wait_for(seen, seen.case.end_ms)
                    seen.ended_ns = time.monotonic_ns()
                    self.wfile.write(b"0\r\n\r\n")
                case "upstream-error":
                    self._wait_for(seen, seen.case.end_ms)
                    seen.ended_ns = time.monotonic_ns()
                    self.close_connection = True
                case "client-closed":
                    self.connection.recv(1)  # until it is closed

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(_WITHIN_S)
        server.server_close()


def ask(url: str, seen: Witnessed) -> None:
    """Ask for a case and read it to its end; leave after the last piece if the case is one of that."""
    parts = urlsplit(url)
    body = json.dumps({"model": seen.case.name, "stream": True, "messages": []})
    whole = sum(len(piece) for _, piece in seen.case.pieces)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_WITHIN_S)
    try:
        seen.asked_ns = time.monotonic_ns()
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        response = connection.getresponse()
        seen.headers_ns = time.monotonic_ns()
        size = 0
        with suppress(http.client.HTTPException, ConnectionError):  # of a case that is cut
            while piece := response.read1(1 << 16):
                size += len(piece)
                seen.received.append((size, time.monotonic_ns()))
                if seen.case.ending == "client-closed" and size == whole:
                    break
        if seen.case.ending == "client-closed":
            seen.ended_ns = time.monotonic_ns()
        response.close()
        assert size == whole, f"{seen.case.name}: {size} of {whole} bytes"
    finally:
        connection.close()
