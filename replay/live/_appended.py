"""What a recorder appends to a cassette while it is served: each exchange as soon as its end is written.

Invariant: an exchange is returned once, whole, and under the number that it has in the finished file.
"""

from tokentape import cassette
from tokentape.cassette import Chunk, End, Note, Record, Request, Response, Section
from tokentape.replay._errors import Unservable
from tokentape.replay._load import Recorded, recorded_of
from tokentape.replay.timing._timing import Timing


class Appended:
    """Follows one cassette. What it held when `skip` was called is passed over."""

    def __init__(self, path: str, *, timing: Timing) -> None:
        self.path = path
        self._timing = timing
        self._follower = cassette.Follower(path)
        self._section: Section | None = None
        self._section_index = -1
        self._open: dict[int, list[Record]] = {}

    def close(self) -> None:
        """Close the file."""
        self._follower.close()

    def skip(self) -> None:
        """Pass over what is there: all of it is read, to count the sections. Raises `CassetteError`."""
        self._section_index = sum(type(record) is Section for record in self._follower.poll()) - 1

    def poll(self) -> list[Recorded]:
        """Return what was appended since the last call and can be served. Raises `CassetteError`.

        What failed before there was an answer is left out: in this run it is asked again.
        """
        return [found for record in self._follower.poll() for found in self._take(record)]

    def _take(self, record: Record) -> list[Recorded]:
        match record:
            case Section():
                self._section = record
                self._section_index += 1
                self._open = {}
            case Request():
                self._open[record.exchange] = [record]
            case Response() | Chunk() | Note() if record.exchange in self._open:
                self._open[record.exchange].append(record)
            case End() if record.exchange in self._open:
                return self._whole([*self._open.pop(record.exchange), record])
            case _:
                pass
        return []

    def _whole(self, records: list[Record]) -> list[Recorded]:
        (exchange,) = cassette.exchanges(records)
        if exchange.response is None:
            return []
        exchange.section, exchange.section_index = self._section, self._section_index
        try:
            return [recorded_of(exchange, self.path, self._timing, added=True)]
        except Unservable:
            return []
