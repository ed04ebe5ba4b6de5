"""Several cassettes as one: their sections one after the other, in the order in which they began.

Nothing is renumbered: exchanges are numbered in their sections, and sections go through as they are. The
sections of one file keep their order, also where its clock was set back between them.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

from tokentape.cassette._reader import Entry, Reader, open  # noqa: A004
from tokentape.cassette._records import Section
from tokentape.cassette._recovery import whole_entries

if TYPE_CHECKING:
    from tokentape.cassette._framing import Damage


class Merge:
    """An iterator over the entries of cassettes, `damage` listing what each had that was not whole.

    Offsets are those in the file that an entry is from. A file is open only from the first of its sections
    to the last, so there may be thousands; one of them may be "-". Raises the errors of `open`, those of
    a file that is none before anything is yielded.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.damage: list[tuple[str, Damage]] = []
        self._order = count()
        self._waiting: list[tuple[int, int, _Source]] = []
        try:
            for path in paths:
                self._wait(_Source(path))
        except BaseException:
            self._close()
            raise

    def __iter__(self) -> Iterator[Entry]:
        try:
            while self._waiting:
                _, _, source = heapq.heappop(self._waiting)
                try:
                    yield from source.section()
                except BaseException:
                    source.close()
                    raise
                self._wait(source)
        finally:
            self._close()

    def _wait(self, source: "_Source") -> None:
        """Have a source wait until its next section is the earliest, if it has one."""
        if source.next_start_ns is not None:
            heapq.heappush(self._waiting, (source.next_start_ns, next(self._order), source))
        else:
            self.damage += [(source.path, each) for each in source.damage]

    def _close(self) -> None:
        for _, _, source in self._waiting:
            source.close()


class _Source:
    """One file, read a section at a time. Before its first and after its last it is closed.

    `next_start_ns` is the wall clock of the section that waits, None if there is none any more.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.damage: list[Damage] = []
        self.next_start_ns: int | None = None
        self._reader: Reader | None = None
        self._next: Entry | None = None
        self._entries: Iterator[Entry] = iter(())
        self._begin()
        if path != "-":
            self.close()

    def section(self) -> Iterator[Entry]:
        """Yield the section that waits."""
        if self._reader is None:
            self._begin()
        if self._next is not None:
            yield self._next
        for entry in self._entries:
            if isinstance(entry.record, Section):
                self._found(entry)
                return
            yield entry
        self._found(None)

    def close(self) -> None:
        """Close the file, and hold nothing of it."""
        if self._reader is not None:
            self._reader.close()
        self._reader, self._next, self._entries = None, None, iter(())

    def _begin(self) -> None:
        self._reader = open(self.path, lenient=True)
        self._entries = whole_entries(self._reader)
        self.damage = self._reader.damage
        try:
            self._found(next(self._entries, None))
        except BaseException:
            self.close()
            raise

    def _found(self, entry: Entry | None) -> None:
        """Keep the entry that begins the next section, or end."""
        self._next = entry
        if entry is not None and isinstance(entry.record, Section):
            self.next_start_ns = entry.record.wall_ns
        else:
            self.next_start_ns = None
            self.close()
