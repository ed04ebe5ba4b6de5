"""The server: a port, its connections and a pacer, on the event loop that is running.

It answers every request that it can read; `_answering` says with what.
Invariant: when `stop` has returned, no connection is open and nothing more is written.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Iterable
from fractions import Fraction
from types import TracebackType
from typing import Self

from tokentape.cassette import authority, counted
from tokentape.replay._answering import Answering
from tokentape.replay._errors import CannotListen, ReplayError, check_address
from tokentape.replay._journal import Journal, SeenRequest
from tokentape.replay._load import Recorded, Repertoire
from tokentape.replay._reply import Reply
from tokentape.replay._stats import Stats
from tokentape.replay._tally import Tally
from tokentape.replay.control._access import Access
from tokentape.replay.control._relay import Relay
from tokentape.replay.control._steered import Alone
from tokentape.replay.control._steering import CONTROL, Steering
from tokentape.replay.faults import Fault, Faulty
from tokentape.replay.live._asking import Asking
from tokentape.replay.live._on_miss import OnMiss
from tokentape.replay.matching._matcher import Matcher
from tokentape.replay.matching._matching import Matching
from tokentape.replay.serving._certificates import CertificateAuthority
from tokentape.replay.serving._connection import Connection
from tokentape.replay.serving._limits import Limits
from tokentape.replay.serving._parties import Parties
from tokentape.replay.serving._proxying import Answer
from tokentape.replay.serving._reception import Reception
from tokentape.replay.serving._requests import IncomingRequest, SeenRequests
from tokentape.replay.serving._rounds import Rounds
from tokentape.replay.timing._lateness import Lateness
from tokentape.replay.timing._pacer import Clock, Pacer
from tokentape.replay.timing._quantities import Speed, parse_factor

_log = logging.getLogger("tokentape.replay")  # warnings reach stderr where nobody configured logging
_BACKLOG = 1_024  # a load test opens its connections all at once
_ACCEPTED_AT_ONCE = 32  # more would delay pieces; and asyncio logs each one that there is no file for
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  (these are no addresses to connect to on every system)
_MAX_SEEN_BYTES = 1 << 22


class Server:
    """Serves a repertoire; an async context manager that stops at the end.

    With `tls` it speaks TLS alone. With `proxy` it is a forward proxy for the recorded hosts, which have
    certificates of this authority, and the host is part of what is matched (see `Matching.with_host`).
    `on_miss` says what of an API is asked for what is not recorded; to record it needs an `output`. With
    `control` it can be steered under `/-/` (see `tokentape.replay.control`). Raises ValueError for `proxy`
    with `tls` or `on_miss`.

    The methods belong to one event loop; the properties may be read from any thread.
    """

    def __init__(
        self,
        repertoire: Repertoire,
        *,
        matching: Matching | None = None,
        faults: Iterable[Faulty] = (),
        on_miss: OnMiss | None = None,
        control: bool = True,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: CertificateAuthority | None = None,
        clock: Clock = time.monotonic_ns,
    ) -> None:
        if proxy is not None:
            if on_miss is not None:
                raise ValueError("expected either proxy or on_miss: what is missed may be for any host")
            matching = (matching or Matching()).with_host()
        self._clock = clock
        self._timing = repertoire.timing
        self._speed = repertoire.timing.speed
        if on_miss is not None:
            on_miss.check(matching, [recorded.key.path for recorded in repertoire.recorded])
        self._asking = Asking(on_miss, timing=repertoire.timing) if on_miss else None
        self._answering = Answering(repertoire, matching=matching, faults=faults, asking=self._asking)
        if on_miss is not None and not repertoire.recorded:
            self._answering.base_path = on_miss.base_path
        self._records = on_miss is not None and on_miss.how == "record"
        self._with_control = control
        self._warn_of_hidden(repertoire)
        self._steering: Steering | Relay | None = None
        self._cut_off = 0
        self._connections = Parties()
        self._reception = Reception(
            self._answering,
            steered=self._steered,
            connect=self._connection,
            opened=self._connections.opened,
            lost=self._connections.lost,
            tls=tls,
            proxy=proxy,
        )
        self._seen = SeenRequests(_MAX_SEEN_BYTES)
        self._limits = limits or Limits()
        self._rounds = Rounds(self._connections, limits=self._limits, clock=clock)
        self._listener: asyncio.Server | None = None
        self._lateness = Lateness()
        self._pacer: Pacer | None = None
        self._address = ("", 0)
        self.bound_hosts: tuple[str, ...] = ()
        """The addresses that are listened on, once it is started."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, shares_port: bool = False) -> None:
        """Accept connections when this returns. Port 0 is a free one, which `address` then has.

        If it `shares_port`, other processes of the same user may listen on it too and get some of them.
        Raises `CannotListen`, with the reason, if the system does not allow it or the address is none.
        """
        check_address(host, port)
        self._reception.prepare()
        self._pacer = Pacer(self._lateness, clock=self._clock)
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._reception.protocol,
                host,
                port,
                backlog=_ACCEPTED_AT_ONCE,  # asyncio takes one number for both
                reuse_port=shares_port or None,
            )
        except (OSError, UnicodeError) as error:
            self._pacer.close()
            raise CannotListen.because(host, port, error) from None
        for each in self._listener.sockets:
            with socket.fromfd(each.fileno(), each.family, each.type) as same:
                same.listen(_BACKLOG)
        addresses = [each.getsockname()[:2] for each in self._listener.sockets]
        self._address = addresses[0]
        self.bound_hosts = tuple(bound for bound, _ in addresses)
        access = Access(host, self.bound_hosts)
        if self._asking is not None:
            self._asking.check_not_at(addresses)
            self._asking.access = access
        if self._with_control and self._steering is None:
            self._steering = Steering(Alone(self), access)
        self._rounds.start()

    async def stop(self, *, grace_s: float = 0.0) -> None:
        """Close the port, let answers that are on their way end within `grace_s`, then cut off the rest."""
        if self._listener is None or self._pacer is None:
            return
        self._listener.close()
        self._connections.finish()
        if grace_s > 0:
            await self._connections.all_closed(grace_s)
        self._cut_off += self.running
        self._connections.abort()
        await self._connections.all_closed(None)
        if self._asking is not None:
            await self._asking.stop()
            self._answering.learn()  # what was recorded of calls that were cut off
            self._asking.close()
        self._rounds.stop()
        self._pacer.close()
        self._listener = None

    def pause(self) -> None:
        """Let all answers stand still, those on their way and those of requests that come, until `resume`."""
        self._playing().pause()

    def resume(self) -> None:
        """Go on with all answers from where they stood."""
        self._playing().resume()

    def set_speed(self, speed: float) -> None:
        """Play what is left of all answers, and those that come, `speed` times faster than recorded.

        What the timing says apart (a TTFT, a pace, a delay, a speed of TTFT or gaps) holds at the timing's
        speed, and changes in the same proportion: with `Timing(gap_speed=2)` a speed of 3 makes gaps six
        times as fast. Raises ValueError for what is no positive number, and where the timing is "instant",
        which waits for nothing.
        """
        speed = parse_factor(speed)
        if self._timing.speed == "instant":
            raise ValueError("expected a replay with a speed that is a number, found one that is instant")
        self._playing().set_rate(Fraction(speed) / Fraction(self._timing.speed))
        self._speed = speed

    def set_faults(self, faults: Iterable[Faulty]) -> None:
        """Have these faults, and no others, from the next request on; see `Answering.set_faults`."""
        self._answering.set_faults(faults)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong with answers, in the order in which it is applied."""
        return self._answering.faults

    def reset(self) -> None:
        """Begin again: every request gets its first answer, and nothing was served, missed, seen or late.

        What counts for the faults in force begins again, too. Answers on their way go on; speed and pause
        stay as they are.
        """
        self.start_again()
        self.forget()

    def start_again(self) -> None:
        """Do the part of `reset` that is done once for all processes that count together."""
        self._answering.start_again()

    def forget(self) -> None:
        """Do the part of `reset` that each of such processes does, after the other one."""
        self._answering.forget()
        self._lateness.clear()
        self._rounds.ended.clear()
        self._cut_off = 0
        if self._pacer is not None:
            self._pacer.recorded_ns = self._pacer.played_ns = 0

    @property
    def paused(self) -> bool:
        """Whether all answers stand still."""
        return self._pacer is not None and self._pacer.paused

    @property
    def speed(self) -> Speed:
        """How many times faster than recorded answers are played now.

        It is the speed of the timing, until another is set. Where the timing has a TTFT, gaps or a pace of
        their own, these are not counted in it: they are as it says at the timing's speed, and change with it.
        """
        return self._speed

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that are listened on, once it is started."""
        return self._address

    @property
    def url(self) -> str:
        """The root, such as http://127.0.0.1:8090; at localhost where all addresses are listened on."""
        host, port = self._address
        return f"{self._reception.scheme}://{authority('localhost' if host in _EVERYWHERE else host, port)}"

    @property
    def base_url(self) -> str:
        """What an SDK takes as its base URL: the root and what the recorded paths begin with, as /v1."""
        return self.url + self._answering.base_path

    @property
    def control_url(self) -> str | None:
        """What the paths of the control begin with, such as http://127.0.0.1:8090/-/; None without it."""
        return f"{self.url}/-/" if self._with_control else None

    @property
    def exchanges(self) -> int:
        """How many recorded exchanges it answers from."""
        return self._answering.exchanges

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    @property
    def running(self) -> int:
        """How many connections have an answer on its way."""
        busy = self._connections.busy
        # what is asked under /-/ waits only for other processes, as long as they take to say what they do
        return busy - (self._steering.under_way if isinstance(self._steering, Relay) else 0)

    @property
    def explanations(self) -> tuple[str, ...]:
        """What was answered to each request that matched nothing, the first hundred of them."""
        return self._answering.explanations

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The last thousand requests in the order in which they came, and what became of each."""
        return self._answering.journal.all()

    @property
    def journal(self) -> Journal:
        """The same requests, for who wants a part of them."""
        return self._answering.journal

    @property
    def stats(self) -> Stats:
        """What was done so far."""
        return self.tally().stats

    def share_counts(self) -> None:
        """Take turns together with the servers of processes that are forked from now on.

        What comes under `/-/` would steer one process of them: see `relay_control`. Raises `ReplayError`
        where what is missed is recorded: the others would not know of it.
        """
        if self._records:
            raise ReplayError("expected one process where what is missed is recorded, found several")
        self._answering.share_counts()

    def relay_control(self, relay: Relay) -> None:
        """Have what comes under `/-/` answered by somebody who knows of all processes. Before `start`."""
        if self._with_control:
            self._steering = relay

    def make_room_for_faults(self, faults: Iterable[Faulty]) -> None:
        """See `Answering.make_room_for_faults`."""
        self._answering.make_room_for_faults(faults)

    def tally(self) -> Tally:
        """Return what was counted so far, to be added to what other processes have counted."""
        return Tally(
            answered=self._answering.stats,
            lateness=self._lateness,
            cut_off=self._cut_off,
            incomplete=self._rounds.ended["incomplete"],
            unread=self._rounds.ended["unread"],
            recorded_ns=self._pacer.recorded_ns if self._pacer else 0,
            played_ns=self._pacer.played_ns if self._pacer else 0,
        )

    def _playing(self) -> Pacer:
        if self._pacer is None:
            raise RuntimeError("expected a server that was started")
        return self._pacer

    def prepare(self, repertoire: Repertoire) -> Matcher[Recorded]:
        """Return what `replace` takes; it may take long, and may be done in another thread."""
        return self._answering.prepare(repertoire)

    def replace(self, repertoire: Repertoire, prepared: Matcher[Recorded] | None = None) -> None:
        """Serve another repertoire from now on; answers that are on their way go on as they are.

        What was asked and served counts on for exchanges that are in both. What is no longer there stays
        in `stats` if it was served. `prepared` is what `prepare` made of the repertoire.
        """
        self._warn_of_hidden(repertoire)
        self._answering.replace(repertoire, prepared)

    def _warn_of_hidden(self, repertoire: Repertoire) -> None:
        hidden = sum(recorded.key.path.startswith(CONTROL) for recorded in repertoire.recorded)
        if hidden and self._with_control:
            are = "is" if hidden == 1 else "are"
            _log.warning(
                "%s under /-/ %s not served: control answers there; without control they would be",
                counted(hidden, "recorded exchange"),
                are,
            )

    def _connection(self, answer: Answer) -> Connection:
        assert self._pacer is not None  # noqa: S101  (there is one before the port is open)
        return Connection(
            answer=answer,
            pacer=self._pacer,
            clock=self._clock,
            limits=self._limits,
            opened=self._connections.opened,
            lost=self._connections.lost,
            remark=self._reception.remark,
            seen=self._seen,
        )

    def _steered(self, request: IncomingRequest) -> Reply | None:
        """Return the answer to a request that steers this server; None if it is for the recording."""
        if self._steering is not None and request.target.startswith(CONTROL):
            return self._steering.reply_to(request)
        return None
