"""What is whole of a damaged cassette, as the entries of an undamaged one.

Payloads go through as they were read, with whatever this version does not know. Nothing is made up, with
one exception: where it is certain that a section record was lost, a stand-in takes its place, without
which readers would refuse the file or take two exchanges of one number for the same. It says in its
labels that it is one, and its clocks are 0, which is the format's "not known".
"""

from collections.abc import Iterable, Iterator

from tokentape.cassette._lost_sections import LostSections
from tokentape.cassette._reader import Entry, Reader
from tokentape.cassette._records import FORMAT_VERSION, Section, encode

STAND_IN = Section(
    version=FORMAT_VERSION,
    wall_ns=0,
    mono_ns=0,
    writer="",
    proxy="",
    host="",
    labels={"recovered": "stands for a section record that was lost"},
)


def whole_entries(reader: Reader) -> Iterator[Entry]:
    """Yield what a lenient reader finds whole, with a stand-in where a section record must have been lost.

    `LostSections` says where that is certain. A stand-in has the offset of the record that it goes before.
    """
    return with_stand_ins(reader.entries())


def with_stand_ins(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries, with a stand-in where a section record must have been lost."""
    lost = LostSections()
    for entry in entries:
        if lost.before(entry.record):
            yield Entry(entry.offset, encode(STAND_IN), STAND_IN)
        yield entry
