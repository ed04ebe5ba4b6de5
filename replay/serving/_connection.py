"""One client's connection: requests in, answers out, in order and one at a time.

Invariant: at most one answer is on its way; requests that came meanwhile (pipelining) wait, and the
clock of their answers starts when their turn comes, as a proxy's would.
"""

import asyncio
import logging
import socket
import struct
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import cast

from tokentape.replay._openai_error import error_response
from tokentape.replay._reply import Ending, Relayed, Reply
from tokentape.replay.serving._limits import Limits
from tokentape.replay.serving._patience import Overdue, Patience
from tokentape.replay.serving._requests import Incoming, IncomingRequest, Refusal, RequestReader, SeenRequests
from tokentape.replay.timing._pacer import Clock, Pacer, Stream

_log = logging.getLogger("tokentape.replay")
_KEEPALIVE_S = 60
_KEEPALIVE_AGAIN_S = 15
_LINGER_S = 2.0  # how long a client that was refused is read from before the connection is closed


class Connection(asyncio.Protocol):
    """The protocol of a connection; `opened` and `lost` are told when it begins and when it is over.

    Connections may share what their readers have `seen`. `remark` is told what whoever runs the server should
    know.
    """

    def __init__(
        self,
        *,
        answer: Callable[[IncomingRequest], Reply],
        pacer: Pacer,
        clock: Clock,
        limits: Limits,
        opened: Callable[["Connection"], None],
        lost: Callable[["Connection"], None],
        remark: Callable[[str], None],
        seen: SeenRequests | None = None,
    ) -> None:
        self._answer = answer
        self._pacer = pacer
        self._clock = clock
        self._opened = opened
        self._lost = lost
        self._remark = remark
        self._reader = RequestReader(limits, seen=seen)
        self._patience = Patience(limits, clock())
        self._waiting: deque[Incoming] = deque()
        self._stream: Stream | None = None
        self._live: Relayed | None = None
        self._write_paused = False
        self._ending: Ending = "open"  # what follows the answer that is on its way
        self._answering = False
        self._refused = False
        self._takes_requests = True
        self._half_closed = False  # the client sends no more
        self._linger: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way or a request waits for its own."""
        return self._playing or bool(self._waiting)

    @property
    def _playing(self) -> bool:
        return self._stream is not None or self._live is not None

    def finish(self) -> None:
        """Take no more requests, and close after the answer that is on its way."""
        self._takes_requests = False
        self._waiting.clear()
        if not self._playing:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, whatever is on its way."""
        self._transport.abort()

    def end_if_overdue(self, now_ns: int) -> Overdue | None:
        """Close if the client has kept the connection waiting for too long, and return what for.

        Nothing is answered to a part of a request: a 408 would be retried by SDKs, as is a closed connection.
        """
        if self._has_vanished():
            self._transport.abort()
            return None
        unread = self._transport.get_write_buffer_size()
        overdue = self._patience.overdue(now_ns, unread=unread, busy=self.busy)
        if overdue == "idle":
            self._transport.close()
        elif overdue is not None:
            self._transport.abort()
        return overdue

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin. asyncio has set TCP_NODELAY, without which pieces would wait for each other."""
        self._transport = cast("asyncio.Transport", transport)
        if found := self._socket():
            # A client whose machine is gone says nothing; while an answer pauses, the system asks for it.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_KEEPIDLE"):  # else after two hours
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
            if hasattr(socket, "TCP_KEEPINTVL"):  # else 75 s on most
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_AGAIN_S)
        self._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Play nothing more: the client vanished, or the connection was closed."""
        if self._stream is not None:
            self._pacer.halt(self._stream)
            self._stream = None
        self._halt_live()
        if self._linger is not None:
            self._linger.cancel()
        self._takes_requests = False
        self._waiting.clear()
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        """Read requests, and answer if no answer is on its way."""
        if self._takes_requests:
            arrived_ns = self._clock()
            found = self._reader.feed(data)
            self._patience.received(len(data), arrived_ns, complete=bool(found), begun=self._reader.begun)
            self._waiting += found
            self._answer_waiting(arrived_ns)

    def eof_received(self) -> bool:
        """Stay open while busy: a client that sends no more may still read (RFC 9112, 9.6).

        An answer of the API costs: it is not gone on with for a client that may well be gone.
        """
        self._half_closed = True
        self._takes_requests = False
        if self._live is not None and not self._live.stays:
            self._halt_live()
            return False
        return self.busy

    def pause_writing(self) -> None:
        """Hold back this stream, and no other: the client does not read as fast as pieces come due."""
        self._write_paused = True
        if self._stream is not None:
            self._pacer.hold(self._stream)
        elif self._live is not None:
            self._live.hold()

    def resume_writing(self) -> None:
        """Go on with the stream: the client has caught up."""
        self._write_paused = False
        if self._stream is not None:
            self._pacer.release(self._stream)
        elif self._live is not None:
            self._live.release()
        elif self._waiting:
            self._answer_waiting(self._clock())

    def _answer_waiting(self, now_ns: int) -> None:
        if self._answering:
            return  # an answer that ended while it began: the loop below goes on with the next
        self._answering = True
        try:
            # What is answered to requests without end, of a client that reads none of it, is bounded too.
            while self._waiting and not self._playing and not self._write_paused:
                self._answer_next(now_ns)
        finally:
            self._answering = False
        if self._waiting:
            self._transport.pause_reading()  # who sends far ahead waits
        elif not self._playing and not self._takes_requests:
            self._end_connection()
        else:
            self._transport.resume_reading()
            if not self._playing and self._reader.take_expectation():
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer_next(self, now_ns: int) -> None:
        incoming = self._waiting.popleft()
        if isinstance(incoming, Refusal):
            self._takes_requests = False
            self._refused = True
            if incoming.remark:
                self._remark(incoming.remark)
            self._write(
                error_response(
                    incoming.status,
                    incoming.message,
                    kind="invalid_request_error",
                    code="bad_request",
                    close=True,
                )
            )
            return
        if not incoming.keep_alive:
            self._takes_requests = False
        try:
            reply = self._answer(incoming)
        except Exception:  # noqa: BLE001  (whatever it is, it is said)
            # This connection's alone: the turn may be the pacer's, or that of data of another connection.
            _log.exception("a request could not be answered")
            self._takes_requests = False
            self._waiting.clear()
            self._transport.abort()
            return
        if reply.live is not None:
            self._live = reply.live
            again = incoming if reply.again else None
            self._live.begin(self._write, partial(self._live_ended, again))
        elif reply.parts:
            self._ending = reply.ending
            stream = Stream(
                reply.parts,
                anchor_ns=now_ns,
                write=self._write,
                ended=self._stream_ended,
                recorded_ns=reply.recorded_ns,
            )
            self._stream = stream
            self._pacer.play(stream)
        else:
            self._write(reply.now)
            if reply.ending != "open":  # as the answer says: what follows it is not read
                self._takes_requests = False
                self._waiting.clear()

    def _live_ended(self, again: Incoming | None, ending: Ending) -> None:
        self._live = None
        self._ending = ending
        if again is not None:
            self._waiting.appendleft(again)
        self._stream_ended()

    def _halt_live(self) -> None:
        if self._live is not None:
            self._live.halt()
            self._live = None

    def _stream_ended(self) -> None:
        self._stream = None
        if self._ending != "open":
            self._takes_requests = False
            self._waiting.clear()
        if self._ending == "reset":
            self._reset()
        else:
            now_ns = self._clock()
            self._patience.answered(now_ns)
            self._answer_waiting(now_ns)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _reset(self) -> None:
        """End the connection with a TCP reset; what the system has not sent yet is lost, as in a real one."""
        if found := self._socket():
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _has_vanished(self) -> bool:
        """Whether nobody is left at the other end of a connection that was closed from there.

        A client that sends no more and one that has closed look the same until something is written, and
        asyncio does not look at the socket any more. But the system asks at times, and keeps what it is told.
        """
        found = self._socket() if self._half_closed else None
        return found is not None and found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def _socket(self) -> socket.socket | None:
        found: socket.socket | None = self._transport.get_extra_info("socket")
        return found

    def _end_connection(self) -> None:
        if self._refused and self._linger is None and self._transport.can_write_eof():
            # Closing with unread bytes of the client's makes a reset, which may overtake the answer:
            # say that nothing more comes, and let the client finish (RFC 9112, 9.6).
            self._transport.write_eof()
            self._linger = asyncio.get_running_loop().call_later(_LINGER_S, self._transport.abort)
        else:
            self._transport.close()
