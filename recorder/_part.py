"""A part of a recording: it stamps what happens with its clock and writes it, in that order, at once.

What it is given it writes before it returns, so a piece is in the file before the client has it. It
knows nothing of mitmproxy. When the file cannot be written any more the recording ends with a loud line,
and the exchanges go on without it: the user's traffic is worth more than the record of it.
"""

import errno
import socket
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from os import PathLike

from msgspec.structs import replace

from tokentape import cassette
from tokentape.recorder._loss import Loss
from tokentape.recorder._sync import Syncer
from tokentape.recorder.redaction import Redactor

_APART_NS = 10**9  # a wall clock that was set, or a machine that slept, moves the clocks apart by so much


class Part:
    """Writes one section of a cassette: a whole recording, or one part of it.

    `redactor` takes secrets out before anything is written, by the default rules unless one is given.
    `clock` gives ns of a monotonic clock, `wall` Unix time in ns. `exchanges`, `chunks` and `bytes` count
    what was written; `loss` what went unrecorded, and why, if something did (shared with other parts).
    Raises what `cassette.Writer` raises if the file cannot be begun.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        proxy: str,
        overwrite: bool = False,
        append: bool = False,
        labels: Mapping[str, str] | None = None,
        loss: Loss | None = None,
        redactor: Redactor | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.exchanges = 0
        self._taken_up = 0
        self.chunks = 0
        self.bytes = 0
        self.loss = loss or Loss(clock)
        self.live: dict[int, LiveExchange] = {}
        self.clock = clock
        self.start_ns = clock()
        self.wall_ns = wall()
        self._wall = wall
        self._apart_ns = 0  # how far the clocks are known to have moved apart
        self.redactor = redactor or Redactor()
        section = cassette.Section(
            version=cassette.FORMAT_VERSION,
            wall_ns=self.wall_ns,
            mono_ns=self.start_ns,
            writer=f"tokentape {version('tokentape')}",
            proxy=proxy,
            host=socket.gethostname(),
            labels=dict(labels or {}),
        )
        self._retired = False
        self._closed = False
        self.writer = cassette.Writer(
            path, self.redactor.section(section), overwrite=overwrite, append=append
        )
        self._syncer = Syncer(self.writer.sync, self.fail)

    @property
    def path(self) -> str:
        """Where the cassette is."""
        return self.writer.path

    @property
    def finished(self) -> bool:
        """Whether nothing more happens: the last exchange has ended, and the file is synced and closed."""
        return self._closed and not self._syncer.alive

    def now(self) -> int:
        """Return ns since the section's start."""
        return self.clock() - self.start_ns

    def of_wall(self, unix_s: float) -> int:
        """Return ns since the section's start of a wall-clock time not long ago.

        Both clocks are read for it, so what they went apart since the section began does not matter.
        """
        return self.now() - (self._wall() - round(unix_s * 1e9))

    def begin(self, request: cassette.Request) -> "LiveExchange":
        """Write a request (its number and redactions are set here) and return its exchange."""
        self._compare_clocks()
        request = self.redactor.request(replace(request, exchange=self._taken_up, redactions=0))
        self._taken_up += 1
        exchange = LiveExchange(self, request, offset=self.writer.size)
        self.live[exchange.number] = exchange
        try:
            written = self.write(request)
        except cassette.RecordTooLarge as error:
            written = self.write(replace(request, body=b""))
            self.remark(exchange, f"body not kept: {error}")
        self.exchanges += written
        exchange.written(written)
        return exchange

    def note(self, text: str) -> bool:
        """Write a remark of the section, and say whether it is in the file."""
        return self.write(cassette.Note(t=self.now(), text=text))

    def remark(self, exchange: "LiveExchange", text: str) -> bool:
        """Write a remark of an exchange, and say whether it is in the file."""
        return self.write(cassette.Note(t=self.now(), text=text, exchange=exchange.number))

    def write(
        self,
        record: cassette.Close | cassette.End | cassette.Note | cassette.Request | cassette.Response,
    ) -> bool:
        """Write a record now and say whether it is in the file: after a failure, nothing is any more."""
        if self._closed or self.loss.error is not None:
            return False
        if type(record) is cassette.Note:
            record = self.redactor.note(record)
        try:
            self.writer.write(record)
        except OSError as error:
            self.fail(error)
            return False
        return True

    def sync_soon(self) -> None:
        """Have what was written survive a power failure, as soon as the disk can."""
        self._syncer.soon()

    def check_file(self) -> None:
        """Fail if the file was removed: all that is written to it would be gone with its last descriptor."""
        if not self._closed and self.writer.removed:
            self.fail(OSError(errno.ENOENT, "the file was removed", self.path))

    def retire(self) -> None:
        """Close when the last of the live exchanges has ended; nothing waits for it."""
        self._retired = True
        self.after_an_end()

    def after_an_end(self) -> None:
        """Close if this was what a retired part waited for."""
        if self._retired and not self.live:
            self._finish()

    def stop(self) -> None:
        """End every live exchange as stopped by the recorder, and the recording. May be called again."""
        for exchange in list(self.live.values()):
            exchange.end("recorder-stopped")
        self._finish()

    def close(self) -> None:
        """Stop, and wait until the file is synced and closed."""
        self.stop()
        self._syncer.join()

    def fail(self, error: OSError) -> None:
        """Stop recording, loudly; the first time counts."""
        self.loss.fail(self.path, error)

    def _finish(self) -> None:
        if self._closed:
            return
        self.check_file()
        self.write(
            cassette.Close(t=self.now(), exchanges=self.exchanges, chunks=self.chunks, bytes=self.bytes)
        )
        self._closed = True
        self._syncer.finish(self.writer.close)  # in its thread: the last sync may take as long as the disk

    def _compare_clocks(self) -> None:
        apart_ns = self._wall() - self.wall_ns - self.now()
        if abs(apart_ns - self._apart_ns) >= _APART_NS:
            self._apart_ns = apart_ns
            self.note(f"the wall clock is {apart_ns / 1e9:.3f} s ahead of wall_ns + t")


class LiveExchange:
    """One exchange of a recording, from its complete request to its end.

    `offset` is where its request is in the cassette, in bytes from the start of the file.
    """

    __slots__ = (
        "_clock",
        "_loss",
        "_lost",
        "_start_ns",
        "_write",
        "bytes",
        "chunks",
        "detail",
        "end_ns",
        "first_piece_ns",
        "number",
        "offset",
        "part",
        "reason",
        "request",
        "status",
        "whole",
    )

    def __init__(self, part: Part, request: cassette.Request, *, offset: int) -> None:
        self.part = part
        self.offset = offset
        self._loss = part.loss
        self._lost = False  # something of it went unrecorded
        self._clock = part.clock
        self._start_ns = part.start_ns
        self._write = part.writer.write
        self.number = request.exchange
        self.request = request
        self.status: int | None = None
        self.whole = False  # all of it is in the file
        self.first_piece_ns: int | None = None
        self.end_ns: int | None = None
        self.reason: cassette.EndReason | None = None
        self.detail = ""
        self.chunks = 0
        self.bytes = 0

    def respond(self, response: cassette.Response) -> None:
        """Write status and headers (the number and redactions are set here)."""
        self.status = response.status
        self.written(
            self.part.write(
                self.part.redactor.response(replace(response, exchange=self.number, redactions=0))
            )
        )

    def piece(self, data: bytes) -> bytes:
        """Stamp and write a piece of the body as it passes, and return it.

        Every piece waits for this on its way to the client: it goes straight to the writer.
        """
        if data and self.end_ns is None:
            if self._loss.error is not None:
                self._lose_piece()
                return data
            t = self._clock() - self._start_ns
            try:
                self._write(cassette.Chunk(exchange=self.number, t=t, data=data))
            except OSError as error:
                self.part.fail(error)
                self._lose_piece()
            else:
                if not self.chunks:
                    self.first_piece_ns = t
                self.chunks += 1
                self.bytes += len(data)
        return data

    def end(
        self, reason: cassette.EndReason, detail: str = "", trailers: cassette.Headers | None = None
    ) -> None:
        """Write how it ended. Only the first ending counts."""
        part = self.part
        if part.live.pop(self.number, None) is None:
            return
        self.end_ns = part.now()
        part.chunks += self.chunks
        part.bytes += self.bytes
        end = cassette.End(
            exchange=self.number,
            t=self.end_ns,
            reason=reason,
            detail=detail,
            trailers=trailers,
            chunks=self.chunks,
            bytes=self.bytes,
        )
        end = part.redactor.end(end)
        self.reason, self.detail = reason, end.detail
        self.whole = part.write(end)
        self.written(self.whole)
        part.sync_soon()
        part.after_an_end()

    def written(self, whole: bool) -> None:
        """Take note of a record that is in the file, or is not."""
        if not whole and not self._lost:
            self._lost = True
            self._loss.exchange()

    def _lose_piece(self) -> None:
        self.written(whole=False)
        self._loss.piece()
