"""A client for the control of a server that runs elsewhere: another process, or another machine.

::

    from tokentape.replay import Control

    control = Control("http://127.0.0.1:8090")
    control.set_speed(2)
    print(control.stats().hits)

It keeps nothing: every call is one request (a long list takes several) on a connection of its own, so that it
never waits behind an answer that is on its way. Invariant: what goes wrong outside is a `ControlError`.
"""

import json
import ssl
from collections.abc import Callable, Iterable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, TypeVar
from urllib.parse import urlsplit

from msgspec import convert

from tokentape.replay._errors import ControlError
from tokentape.replay._journal import SeenRequest
from tokentape.replay._stats import Stats
from tokentape.replay.control._steered import Health
from tokentape.replay.control._steering import PAGE
from tokentape.replay.faults import Faulty

T = TypeVar("T")


class Control:
    """Steers the server at a URL, of which only scheme, host and port count.

    `context` says which certificates are trusted where the URL is https. Proxies of the environment are not
    used. Each method raises `ControlError` if the server is not there, does not do it, or is another one.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"expected the URL of a replay such as http://127.0.0.1:8090, found {url!r}")
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._scheme, self._host, self._port = parts.scheme, parts.hostname, parts.port
        self._timeout_s = timeout_s
        self._context = context

    def health(self) -> Health:
        """Return how the server is now."""
        return self._ask("GET", "/-/health", _health)

    def stats(self) -> Stats:
        """Return what was done so far; of what was missed, the first thousand kinds."""
        found = page = self._stats_from(0)
        while PAGE in (len(page["served"]), len(page["missed"])):
            page = self._stats_from(max(len(found["served"]), len(found["missed"])))
            found = page | {name: found[name] + page[name] for name in ("served", "missed")}
        return Stats.from_json(found)

    def metrics(self) -> str:
        """Return the metrics in Prometheus' text format."""
        return self._text("GET", "/-/metrics")

    def requests(self) -> tuple[SeenRequest, ...]:
        """Return the last thousand requests in the order in which they came, and what became of each."""
        found: list[SeenRequest] = []
        while page := self._requests_after(found[-1].number if found else 0):
            found += page
        return tuple(found)

    def reset(self) -> None:
        """Begin again: every request gets its first answer, and nothing was served, missed, seen or late."""
        self._ask("POST", "/-/reset", _health)

    def pause(self) -> None:
        """Let all answers stand still, those on their way and those of requests that come, until `resume`."""
        self._ask("POST", "/-/pause", _health)

    def resume(self) -> None:
        """Go on with all answers from where they stood."""
        self._ask("POST", "/-/resume", _health)

    def set_speed(self, speed: float) -> None:
        """Play what is left of all answers, and those that come, `speed` times faster than recorded."""
        self._ask("PUT", "/-/speed", _health, {"speed": speed})

    def faults(self) -> tuple[str, ...]:
        """Return what goes wrong with answers, as it is spelled, in the order in which it is applied."""
        return self._ask("GET", "/-/faults", _faults)

    def set_faults(self, faults: Iterable[Faulty]) -> None:
        """Have these faults, and no others, from the next request on; all that they count begins anew.

        They are `Fault` values or their spellings.
        """
        self._ask("PUT", "/-/faults", _faults, [str(fault) for fault in faults])

    def _stats_from(self, offset: int) -> dict[str, Any]:
        """Return a page of the statistics that can be read as such."""

        def read(found: dict[str, Any]) -> dict[str, Any]:
            Stats.from_json(found)
            return found

        return self._ask("GET", f"/-/stats?limit={PAGE}&offset={offset}", read)

    def _requests_after(self, number: int) -> list[SeenRequest]:
        def read(found: dict[str, Any]) -> list[SeenRequest]:
            return convert(found["requests"], list[SeenRequest])

        return self._ask("GET", f"/-/requests?limit={PAGE}&after={number}", read)

    def _ask(self, method: str, path: str, read: Callable[[Any], T], body: object = None) -> T:
        """Return what `read` makes of the JSON that is answered."""
        text = self._text(method, path, body)
        try:
            return read(json.loads(text))
        except (LookupError, TypeError, ValueError) as error:
            raise self._other_server(method, path) from error

    def _text(self, method: str, path: str, body: object = None) -> str:
        content = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"} if content else {}
        connection = self._connection()
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            status, text = response.status, response.read().decode("utf-8", "replace")
        except (OSError, HTTPException) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or repr(error)
            raise ControlError(
                f"{self.url}: expected a replay to steer, found none: {reason}; "
                "`tokentape replay` says where it listens"
            ) from error
        finally:
            connection.close()
        if status != 200:
            raise self._refused(method, path, status, text)
        return text

    def _connection(self) -> HTTPConnection:
        if self._scheme == "https":
            return HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._context)
        return HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _refused(self, method: str, path: str, status: int, text: str) -> ControlError:
        try:
            error = json.loads(text)["error"]
            message, code = str(error["message"]), error["code"]
        except (ValueError, TypeError, LookupError):
            return self._other_server(method, path, status)
        if code != "control":
            return self._other_server(method, path, status)
        return ControlError(f"{self.url}: {message}", status=status)

    def _other_server(self, method: str, path: str, status: int | None = None) -> ControlError:
        answered = "another answer" if status is None else f"status {status}"
        return ControlError(
            f"{self.url}: {method} {path}: expected the answer of a replay's control, found {answered}; "
            "is it another server, or was it started with --no-control?",
            status=status,
        )


def _health(found: Any) -> Health:
    return convert(found, Health)


def _faults(found: Any) -> tuple[str, ...]:
    return convert(found, tuple[str, ...])
