"""What is answered under `/-/`: the state of a server, what it counted and saw, and changes of it.

Invariant: an answer is bounded, however much was served: lists come in pages, bodies that change something
are small. So a server that is watched goes on pacing its streams.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from tokentape.replay._openai_error import error_response
from tokentape.replay._reply import Ending, Reply
from tokentape.replay._whole_response import whole_response
from tokentape.replay.control._access import Access
from tokentape.replay.control._prometheus import CONTENT_TYPE, metrics
from tokentape.replay.control._steered import Steered, at_once
from tokentape.replay.faults import WrongFault
from tokentape.replay.matching._secrets import printable
from tokentape.replay.serving._requests import IncomingRequest
from tokentape.replay.timing._quantities import parse_factor

CONTROL = b"/-/"
PAGE = 100  # items of a list in one answer: what takes a millisecond to make
MAX_BODY_BYTES = 64 * 1024
_MAX_SHOWN = 100
_MAX_REASON = 300


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
_Do: TypeAlias = Callable[[IncomingRequest], Awaitable[_Answer]]


class Steering:
    """Answers requests under `/-/` for what is `steered`."""

    def __init__(self, steered: Steered, access: Access) -> None:
        self._steered = steered
        self._access = access
        self._paths: Mapping[str, Mapping[str, _Do]] = {
            "/-/health": {"GET": self._health},
            "/-/stats": {"GET": self._stats},
            "/-/metrics": {"GET": self._metrics},
            "/-/requests": {"GET": self._requests},
            "/-/reset": {"POST": lambda _: self._changed(steered.reset)},
            "/-/pause": {"POST": lambda _: self._changed(steered.pause)},
            "/-/resume": {"POST": lambda _: self._changed(steered.resume)},
            "/-/speed": {"PUT": self._set_speed},
            "/-/faults": {
                "GET": self._faults,
                "PUT": self._set_faults,
                "DELETE": lambda _: self._have_faults(()),
            },
        }

    def reply_to(self, request: IncomingRequest) -> Reply:
        """Return the answer to a request for a path under `/-/`, of a server that is alone."""
        return Reply(now=at_once(self.response_to(request)), ending=ending_of(request))

    async def response_to(self, request: IncomingRequest) -> bytes:
        """Return the whole response to a request for a path under `/-/`."""
        try:
            answer = await self._do(request)
        except _Refused as refused:
            return refusal(request, refused.status, str(refused), *refused.fields)
        return whole_response(
            200,
            (answer if isinstance(answer, str) else json.dumps(answer) + "\n").encode(),
            content_type=CONTENT_TYPE if isinstance(answer, str) else "application/json",
            with_body=request.method != "HEAD",
            close=ending_of(request) == "close",
        )

    async def _do(self, request: IncomingRequest) -> _Answer:
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
        if len(request.body) > MAX_BODY_BYTES:
            raise _Refused(413, f"{path}: expected a body of at most {MAX_BODY_BYTES} bytes")
        try:
            return await do(request)
        except TimeoutError:
            raise _Refused(
                503, f"{path}: expected every worker to answer soon, found one that does not"
            ) from None

    async def _health(self, request: IncomingRequest) -> _Answer:
        _numbers(request)
        return await self._now()

    async def _stats(self, request: IncomingRequest) -> _Answer:
        page = _numbers(request, offset=0, limit=PAGE)
        tally = await self._steered.tally()
        stats = tally.stats.as_json(offset=page["offset"], limit=min(page["limit"], PAGE))
        return {"now": await self._now(), **stats}

    async def _metrics(self, request: IncomingRequest) -> _Answer:
        _numbers(request)
        return metrics(await self._steered.tally(), await self._steered.health())

    async def _requests(self, request: IncomingRequest) -> _Answer:
        asked = _numbers(request, after=-1, limit=PAGE)
        found = await self._steered.requests(asked["after"], min(asked["limit"], PAGE))
        return {"requests": [asdict(each) for each in found]}

    async def _set_speed(self, request: IncomingRequest) -> _Answer:
        try:
            speed = parse_factor(msgspec.json.decode(request.body, type=_NewSpeed).speed)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise _Refused(
                400, f'/-/speed: expected a body such as {{"speed": 2}}: {_reason(request, error)}'
            ) from None
        try:
            await self._steered.set_speed(speed)
        except ValueError as error:
            raise _Refused(409, f"/-/speed: {error}") from None
        return await self._now()

    async def _faults(self, request: IncomingRequest) -> _Answer:
        _numbers(request)
        return [*await self._steered.faults()]

    async def _set_faults(self, request: IncomingRequest) -> _Answer:
        try:
            faults = msgspec.json.decode(request.body, type=list[str])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            reason = _reason(request, error)
            raise _Refused(
                400, f'/-/faults: expected a body such as ["truncate@event=5"]: {reason}'
            ) from None
        return await self._have_faults(faults)

    async def _have_faults(self, faults: Sequence[str]) -> _Answer:
        try:
            await self._steered.set_faults(faults)
        except WrongFault as error:
            raise _Refused(400, f"/-/faults: {error}") from None
        return [*await self._steered.faults()]

    async def _changed(self, change: Callable[[], Awaitable[None]]) -> _Answer:
        await change()
        return await self._now()

    async def _now(self) -> dict[str, Any]:
        return asdict(await self._steered.health())


def ending_of(request: IncomingRequest) -> Ending:
    """Return what becomes of the connection after the answer to a request."""
    return "close" if not request.keep_alive or request.http_version == "1.0" else "open"


def refusal(request: IncomingRequest, status: int, message: str, *fields: str) -> bytes:
    """Return the response to a request that is not done, with a line that says why."""
    return error_response(
        status,
        message,
        kind="invalid_request_error",
        code="control",
        fields=fields,
        with_body=request.method != "HEAD",
        close=ending_of(request) == "close",
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


def _reason(request: IncomingRequest, error: Exception) -> str:
    """Return a line of bounded length about a body that is not what is expected."""
    if not request.body.strip():
        return "found an empty body"
    with suppress(ValueError, RecursionError):
        json.loads(request.body)
        if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
            return "found an escape such as \\ud800, which is half of a character"
    reason = printable(str(error))
    return reason if len(reason) <= _MAX_REASON else reason[:_MAX_REASON] + "..."


def _shown(text: str) -> str:
    return repr(printable(text[:_MAX_SHOWN]))
