"""A recording under way: it stamps what happens with its clock and writes it, in that order, at once.

What it is given it writes before it returns, so a piece is in the file before the client has it. It
knows nothing of mitmproxy. When the file cannot be written any more the recording ends with a loud line,
and the exchanges go on without it: the user's traffic is worth more than the record of it.
"""

import logging
import socket
import time
from collections.abc import Callable
from importlib.metadata import version
from os import PathLike

from msgspec.structs import replace

from tokentape import cassette
from tokentape.recorder._sync import Syncer
from tokentape.recorder.redaction import Redactor

logger = logging.getLogger(__name__)


class Recording:
    """Writes one cassette, in one section.

    `redactor` takes secrets out before anything is written, by the default rules unless one is given.
    `clock` gives ns of a monotonic clock, `wall` Unix time in ns. `exchanges`, `chunks` and `bytes` count
    what was written; `failure` is what ended the recording, if something did.
    Raises what `cassette.Writer` raises if the file cannot be begun.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        proxy: str,
        overwrite: bool = False,
        redactor: Redactor | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.exchanges = 0
        self._taken_up = 0
        self.chunks = 0
        self.bytes = 0
        self.failure: OSError | None = None
        self.live: dict[int, LiveExchange] = {}
        self.clock = clock
        self.start_ns = clock()
        self.wall_ns = wall()
        self.redactor = redactor or Redactor()
        section = cassette.Section(
            version=cassette.FORMAT_VERSION,
            wall_ns=self.wall_ns,
            mono_ns=self.start_ns,
            writer=f"tokentape {version('tokentape')}",
            proxy=proxy,
            host=socket.gethostname(),
        )
        self._closed = False
        self.writer = cassette.Writer(path, self.redactor.section(section), overwrite=overwrite)
        self._syncer = Syncer(self.writer.sync, self.fail)

    @property
    def path(self) -> str:
        """Where the cassette is."""
        return self.writer.path

    def now(self) -> int:
        """Return ns since the section's start."""
        return self.clock() - self.start_ns

    def of_wall(self, unix_s: float) -> int:
        """Return ns since the section's start of a wall-clock time, as far as the clocks agree."""
        return round(unix_s * 1e9) - self.wall_ns

    def begin(self, request: cassette.Request) -> "LiveExchange":
        """Write a request (its number and redactions are set here) and return its exchange."""
        request = self.redactor.request(replace(request, exchange=self._taken_up, redactions=0))
        self._taken_up += 1
        exchange = LiveExchange(self, request)
        self.live[exchange.number] = exchange
        try:
            written = self.write(request)
        except cassette.RecordTooLarge as error:
            written = self.write(replace(request, body=b""))
            self.write(cassette.Note(t=self.now(), text=f"body not kept: {error}", exchange=exchange.number))
        self.exchanges += written
        return exchange

    def write(
        self,
        record: cassette.End | cassette.Note | cassette.Request | cassette.Response,
    ) -> bool:
        """Write a record now and say whether it is in the file: after a failure, nothing is any more."""
        if self._closed or self.failure is not None:
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

    def close(self) -> None:
        """End every live exchange as stopped by the recorder, and the recording. May be called again."""
        for exchange in list(self.live.values()):
            exchange.end("recorder-stopped")
        if self._closed:
            return
        self._closed = True
        self._syncer.stop()
        try:
            if self.failure is None:
                self.writer.write(
                    cassette.Close(
                        t=self.now(), exchanges=self.exchanges, chunks=self.chunks, bytes=self.bytes
                    )
                )
            self.writer.close()
        except OSError as error:
            self.fail(error)

    def fail(self, error: OSError) -> None:
        """Stop recording, loudly; the first time counts."""
        if self.failure is None:
            self.failure = error
            logger.error(
                "%s: THE RECORDING HAS STOPPED, the traffic goes on unrecorded: %s",
                self.path,
                error.strerror or error,
            )


class LiveExchange:
    """One exchange of a recording, from its complete request to its end."""

    __slots__ = (
        "_clock",
        "_recording",
        "_start_ns",
        "_write",
        "bytes",
        "chunks",
        "detail",
        "end_ns",
        "first_piece_ns",
        "number",
        "reason",
        "request",
        "status",
        "whole",
    )

    def __init__(self, recording: Recording, request: cassette.Request) -> None:
        self._recording = recording
        self._clock = recording.clock
        self._start_ns = recording.start_ns
        self._write = recording.writer.write
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
        self._recording.write(
            self._recording.redactor.response(replace(response, exchange=self.number, redactions=0))
        )

    def piece(self, data: bytes) -> bytes:
        """Stamp and write a piece of the body as it passes, and return it.

        Every piece waits for this on its way to the client: it goes straight to the writer.
        """
        if data and self.end_ns is None and self._recording.failure is None:
            t = self._clock() - self._start_ns
            try:
                self._write(cassette.Chunk(exchange=self.number, t=t, data=data))
            except OSError as error:
                self._recording.fail(error)
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
        recording = self._recording
        if recording.live.pop(self.number, None) is None:
            return
        self.end_ns = recording.now()
        recording.chunks += self.chunks
        recording.bytes += self.bytes
        end = cassette.End(
            exchange=self.number,
            t=self.end_ns,
            reason=reason,
            detail=detail,
            trailers=trailers,
            chunks=self.chunks,
            bytes=self.bytes,
        )
        end = recording.redactor.end(end)
        self.reason, self.detail = reason, end.detail
        self.whole = recording.write(end)
        recording.sync_soon()
