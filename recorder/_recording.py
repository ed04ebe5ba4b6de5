"""A recording in parts: cassettes that follow one another, by size, by time, or when told to.

An exchange is whole in the part in which it began. So a part takes up no more exchanges once the next one
has begun, and is closed when its last exchange has ended. Nothing of a closed part is kept but its counts.

Whether a part is due is looked at when an exchange begins, and every second by the addon: not with every
piece, which would cost each of them. A part may be longer than its limit by what was under way in it. The
time of a part is that of the monotonic clock, which stands still while the machine sleeps.
"""

import logging
import os
import re
from collections.abc import Callable
from typing import NamedTuple

from tokentape import cassette
from tokentape.recorder._loss import REPEAT_NS, Loss
from tokentape.recorder._part import LiveExchange, Part

logger = logging.getLogger(__name__)


class Limits(NamedTuple):
    """When the next part is due: at a size in bytes, or so long after the part began. 0 is never."""

    size_bytes: int = 0
    span_ns: int = 0


class HeldOpen(NamedTuple):
    """A part that had not been closed yet: how many exchanges were under way in it, since when the oldest."""

    path: str
    exchanges: int
    age_ns: int


class Recording:
    """One recording, from its start to its stop, in one part or several.

    `begin` begins a part in a new file, or raises what `cassette.Writer` raises; `first` is the part that
    was begun already, `path` the name after which the others are called. `say` is told of each new part.
    """

    def __init__(
        self,
        path: str,
        first: Part,
        begin: Callable[[str], Part],
        *,
        limits: Limits = Limits(),  # noqa: B008  (a tuple)
        say: Callable[[str], None] = logger.info,
    ) -> None:
        self.path = path
        self.first_path = first.path
        self.current = first
        self.limits = limits
        self.count = 1
        self.held_open: list[HeldOpen] = []
        self._begin = begin
        self._say = say
        self._earlier: list[Part] = []
        self._done = _Counts(0, 0, 0)
        self._number = max(_number_of(path, first.path), _number_of(path, newest(path)))
        self._not_before_ns = 0
        self._stopped = False

    @property
    def loss(self) -> Loss:
        """What went unrecorded, in any of the parts."""
        return self.current.loss

    @property
    def counts(self) -> "_Counts":
        """How many exchanges are in the parts, and chunks and bytes of those that have ended."""
        parts = [*self._earlier, self.current]
        return _Counts(*map(sum, zip(self._done, *map(_counts_of, parts), strict=True)))

    def live(self) -> list[LiveExchange]:
        """Return the exchanges that are under way, oldest part first."""
        return [exchange for part in (*self._earlier, self.current) for exchange in part.live.values()]

    def part(self) -> Part:
        """Return the part for an exchange that begins now."""
        if self._is_due():
            self.rotate()
        return self.current

    def check_files(self) -> None:
        """Fail if the file of a part that is open was removed."""
        for part in (*self._earlier, self.current):
            part.check_file()

    def rotate(self) -> bool:
        """Go on in the next part and say whether that is so: if it cannot be begun, this one goes on."""
        part = self._next()
        if part is None:
            return False
        earlier, self.current = self.current, part
        self.count += 1
        self._forget_finished()
        self._earlier.append(earlier)
        under_way = len(earlier.live)
        earlier.retire()
        line = f"going on in {part.path}"
        if under_way:
            verb = "ends" if under_way == 1 else "end"
            line += f"; {cassette.counted(under_way, 'exchange')} {verb} in {earlier.path}"
        self._say(line)
        return True

    def next_path(self) -> str:
        """Return a name for another part, after all that there are: their order is that of their names."""
        number = self._number + 1
        while os.path.lexists(_name(self.path, number)):
            number += 1
        return _name(self.path, number)

    @property
    def finished(self) -> bool:
        """Whether all files are synced and closed."""
        return all(part.finished for part in (*self._earlier, self.current))

    def close(self) -> None:
        """Stop, and wait until all files are synced and closed."""
        self.stop()
        for part in (*self._earlier, self.current):
            part.close()

    def stop(self) -> None:
        """End what is under way as stopped by the recorder, and the recording. May be called again."""
        if self._stopped:
            return
        self._stopped = True
        now = self.current.clock()
        self.held_open = [
            HeldOpen(part.path, len(part.live), now - _oldest_ns(part)) for part in self._earlier if part.live
        ]
        for part in (*self._earlier, self.current):
            part.stop()

    def _is_due(self) -> bool:
        part = self.current
        if self.loss.error is not None or not part.exchanges or part.clock() < self._not_before_ns:
            return False
        return bool(
            (self.limits.span_ns and part.now() >= self.limits.span_ns)
            or (self.limits.size_bytes and part.writer.size >= self.limits.size_bytes)
        )

    def _next(self) -> Part | None:
        while True:
            path = self.next_path()
            try:
                part = self._begin(path)
            except FileExistsError:  # since we looked
                continue
            except (OSError, cassette.CassetteError) as error:
                self._not_before_ns = self.current.clock() + REPEAT_NS
                reason = error.strerror if isinstance(error, OSError) and error.strerror else error
                logger.error("cannot begin %s, %s goes on: %s", path, self.current.path, reason)  # noqa: TRY400
                return None
            self._number = _number_of(self.path, path)
            return part

    def _forget_finished(self) -> None:
        finished = [part for part in self._earlier if part.finished]
        self._earlier = [part for part in self._earlier if part not in finished]
        self._done = _Counts(*map(sum, zip(self._done, *map(_counts_of, finished), strict=True)))


class _Counts(NamedTuple):
    exchanges: int
    chunks: int
    bytes: int


def newest(path: str) -> str:
    """Return the newest part of the recordings that are called after `path`, or `path` if it has none."""
    stem, ending = os.path.splitext(os.path.basename(path))
    pattern = re.compile(rf"{re.escape(stem)}-(\d{{4,}}){re.escape(ending)}")
    try:
        names = os.listdir(os.path.dirname(path) or ".")
    except OSError:
        names = []
    numbers = [int(found[1]) for name in names if (found := pattern.fullmatch(name))]
    return _name(path, max(numbers)) if numbers else path


def _name(path: str, number: int) -> str:
    """Return the name of a part: session-0002.tape, where the first is session.tape."""
    stem, ending = os.path.splitext(path)
    return f"{stem}-{number:04}{ending}"


def _number_of(path: str, part: str) -> int:
    if part == path:
        return 1
    return int(os.path.splitext(part)[0].rpartition("-")[2])


def _counts_of(part: Part) -> _Counts:
    return _Counts(part.exchanges, part.chunks, part.bytes)


def _oldest_ns(part: Part) -> int:
    """Return when the oldest live exchange of a part began, by its clock."""
    return part.start_ns + min(exchange.request.t for exchange in part.live.values())
