"""What is answered under `/-/`: the state of a server, what it counted and saw, and changes of it.

Invariant: an answer is bounded, however much was served: lists come in pages, bodies that change something
are small. So a server that is watched goes on pacing its streams.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from tokentape.replay._openai_error import error_response
from tokentape.replay._reply import Reply
from tokentape.replay._whole_response import whole_response
from tokentape.replay.control._access import Access
from tokentape.replay.control._prometheus import CONTENT_TYPE, metrics
from tokentape.replay.faults import WrongFault
from tokentape.replay.matching._secrets import printable
from tokentape.replay.serving._requests import IncomingRequest
from tokentape.replay.timing._quantities import Speed, parse_factor

if TYPE_CHECKING:
    from tokentape.replay.serving._server import Server

CONTROL = b"/-/"
PAGE = 100  # items of a list in one answer: what takes a millisecond to make
_MAX_BODY_BYTES = 64 * 1024
_MAX_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a server is: how many exchanges it has, connections are open and answers on their way.

    `speed` is how many times faster than recorded answers are played, or "instant".
    """

    status: Literal["ok"]
    exchanges: int
    connections: int
    running: int
    paused: bool
    speed: Speed


class _NewSpeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    speed: float | str


class _Refused(Exception):
    """A request that is not done, with the status and a line that says why."""

    def __init__(self, status: int, message: str, *fields: str) -> None:
        super().__init__(message)
        self.status = status
        self.fields = fields


_Answer: TypeAlias = dict[str, Any] | list[str] | str
"""What is sent as JSON, or a text as it is."""
_Do: TypeAlias = Callable[[IncomingRequest], _Answer]


class Steering:
    """Answers requests under `/-/` for a server that listens."""

    def __init__(self, server: "Server", access: Access) -> None:
        self._server = server
        self._access = access
        self._paths: Mapping[str, Mapping[str, _Do]] = {
            "/-/health": {"GET": self._health},
            "/-/stats": {"GET": self._stats},
            "/-/metrics": {"GET": self._metrics},
            "/-/requests": {"GET": self._requests},
            "/-/reset": {"POST": lambda _: self._changed(server.reset)},
            "/-/pause": {"POST": lambda _: self._changed(server.pause)},
            "/-/resume": {"POST": lambda _: self._changed(server.resume)},
            "/-/speed": {"PUT": self._set_speed},
            "/-/faults": {
                "GET": self._faults,
                "PUT": self._set_faults,
                "DELETE": lambda _: self._have_faults(()),
            },
        }

    def reply_to(self, request: IncomingRequest) -> Reply:
        """Return the answer to a request for a path under `/-/`."""
        with_body = request.method != "HEAD"
        close = not request.keep_alive or request.http_version == "1.0"
        try:
            answer = self._do(request)
        except _Refused as refused:
            response = error_response(
                refused.status,
                str(refused),
                kind="invalid_request_error",
                code="control",
                fields=refused.fields,
                with_body=with_body,
                close=close,
            )
        else:
            response = whole_response(
                200,
                (answer if isinstance(answer, str) else json.dumps(answer) + "\n").encode(),
                content_type=CONTENT_TYPE if isinstance(answer, str) else "application/json",
                with_body=with_body,
                close=close,
            )
        return Reply(now=response)

    def _do(self, request: IncomingRequest) -> _Answer:
        if reason := self._access.why_not(request):
            raise _Refused(403, reason)
        path = request.target.partition(b"?")[0].decode("latin-1")
        methods = self._paths.get(path)
        if methods is None:
            there = "; ".join(f"{'|'.join(methods)} {known}" for known, methods in self._paths.items())
            raise _Refused(404, f"expected one of: {there}; found {_shown(path)}")
        do = methods.get("GET" if request.method == "HEAD" else request.method)
        if do is None:
            allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
            raise _Refused(
                405, f"{path}: expected {allowed}, found {printable(request.method)}", f"allow: {allowed}"
            )
        if len(request.body) > _MAX_BODY_BYTES:
            raise _Refused(413, f"{path}: expected a body of at most {_MAX_BODY_BYTES} bytes")
        return do(request)

    def _health(self, request: IncomingRequest) -> _Answer:
        _numbers(request)
        return asdict(self._now())

    def _stats(self, request: IncomingRequest) -> _Answer:
        page = _numbers(request, offset=0, limit=PAGE)
        stats = self._server.stats.as_json(offset=page["offset"], limit=min(page["limit"], PAGE))
        return {"now": asdict(self._now()), **stats}

    def _metrics(self, request: IncomingRequest) -> _Answer:
        _numbers(request)
        return metrics(self._server)

    def _requests(self, request: IncomingRequest) -> _Answer:
        asked = _numbers(request, after=-1, limit=PAGE)
        after, limit = asked["after"], min(asked["limit"], PAGE)
        journal = self._server.journal
        found = journal.last(limit) if after < 0 else journal.after(after, limit)
        return {"requests": [asdict(each) for each in found]}

    def _set_speed(self, request: IncomingRequest) -> _Answer:
        try:
            speed = parse_factor(msgspec.json.decode(request.body, type=_NewSpeed).speed)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise _Refused(400, f'/-/speed: expected a body such as {{"speed": 2}}: {error}') from None
        try:
            self._server.set_speed(speed)
        except ValueError as error:
            raise _Refused(409, f"/-/speed: {error}") from None
        return asdict(self._now())

    def _faults(self, request: IncomingRequest) -> _Answer:
        _numbers(request)
        return [str(fault) for fault in self._server.faults]

    def _set_faults(self, request: IncomingRequest) -> _Answer:
        try:
            faults = msgspec.json.decode(request.body, type=list[str])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _Refused(400, f'/-/faults: expected a body such as ["truncate@event=5"]: {error}') from None
        return self._have_faults(faults)

    def _have_faults(self, faults: Iterable[str]) -> _Answer:
        try:
            self._server.set_faults(faults)
        except WrongFault as error:
            raise _Refused(400, f"/-/faults: {error}") from None
        return [str(fault) for fault in self._server.faults]

    def _changed(self, change: Callable[[], None]) -> _Answer:
        change()
        return asdict(self._now())

    def _now(self) -> Health:
        server = self._server
        return Health(
            status="ok",
            exchanges=server.exchanges,
            connections=server.connections,
            running=server.running,
            paused=server.paused,
            speed=server.speed,
        )


def _numbers(request: IncomingRequest, **known: int) -> dict[str, int]:
    """Return what the query says of each known parameter, or what it is without one."""
    path, _, query = request.target.decode("latin-1").partition("?")
    found = known.copy()
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            expected = " and ".join(known) or "no parameters"
            raise _Refused(400, f"{path}: expected {expected}, found {_shown(name)}")
        if not (value.isascii() and value.isdigit() and len(value) < 16):
            raise _Refused(400, f"{path}: expected a whole number for {name}, found {_shown(value)}")
        found[name] = int(value)
    return found


def _shown(text: str) -> str:
    return repr(printable(text[:_MAX_SHOWN]))
