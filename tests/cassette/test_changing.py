"""A file that grows, shrinks or is replaced while it is read gives what was whole when it was reached."""

import io
import os
import threading
from collections.abc import Callable

import msgspec
import pytest

from tests.cassette.tapes import CHUNKS, CLOSE, RECORDS, REQUEST, SECTION, write
from tokentape import cassette
from tokentape.cassette._framing import MAGIC, frame
from tokentape.cassette._records import encode

WHOLE = MAGIC + b"".join(frame(encode(record)) for record in RECORDS)
OTHERS = (SECTION, *(msgspec.structs.replace(CHUNKS[0], t=number) for number in range(9)), CLOSE)
OTHER = MAGIC + b"".join(frame(encode(record)) for record in OTHERS)


class Changing(io.BytesIO):
    """A file that something is done to when so many bytes of it were read, or when its end was met."""

    def __init__(self, data: bytes, change: Callable[["Changing"], object], *, at: int | None = None) -> None:
        super().__init__(data)
        self._change: Callable[[Changing], object] | None = change
        self._at = at

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(7)
        if self._change is not None and (self.tell() >= self._at if self._at is not None else not data):
            change, self._change = self._change, None
            change(self)
        return data

    def put(self, data: bytes) -> None:
        """Have other contents, and read on from where one is."""
        here = self.tell()
        self.seek(0)
        self.truncate()
        self.write(data)
        self.seek(here)


def read(stream: io.BytesIO) -> tuple[list[cassette.Record], list[cassette.Damage]]:
    reader = cassette.Reader(stream, lenient=True)
    return list(reader), reader.damage


def test_the_end_that_a_reader_has_met_stays_the_end():
    for cut in range(1, len(WHOLE)):
        grown = Changing(WHOLE[:cut], lambda file: file.put(WHOLE))
        assert read(grown) == read(io.BytesIO(WHOLE[:cut]))


def test_what_has_grown_before_its_end_is_met_is_read_whole():
    for cut in range(8, len(WHOLE)):
        grown = Changing(WHOLE[:cut], lambda file: file.put(WHOLE), at=cut // 2)
        assert read(grown) == (list(RECORDS), [])


@pytest.mark.parametrize("step", [1, 5])
def test_what_shrinks_is_cut_where_it_ends_or_where_it_had_been_read_to(step):
    for cut in range(12, len(WHOLE), step):
        for at in range(12, len(WHOLE), 31):
            found, damage = read(Changing(WHOLE, lambda file, cut=cut: file.put(WHOLE[:cut]), at=at))
            assert tuple(found) == RECORDS[: len(found)]
            assert all(each.torn for each in damage)
            assert len(damage) <= 1


def test_what_is_written_over_gives_records_of_either_and_one_damage_at_most():
    for at in range(7, len(WHOLE)):
        found, damage = read(Changing(WHOLE, lambda file: file.put(OTHER), at=at))
        assert [record for record in found if record not in RECORDS + OTHERS] == []
        assert len(damage) <= 1


def test_a_name_that_is_given_to_another_file_changes_nothing(tmp_path):
    path, other = write(tmp_path / "a.tape", *RECORDS), write(tmp_path / "b.tape", *OTHERS)
    with cassette.open(path) as reader:
        os.replace(other, path)
        assert tuple(reader) == RECORDS
    with cassette.open(path) as reader:
        assert tuple(reader) == OTHERS


def test_readers_of_a_file_that_a_writer_writes_find_a_beginning_of_it_and_no_damage_but_a_cut(tmp_path):
    path = tmp_path / "a.tape"
    written = [SECTION, REQUEST]
    written += [cassette.Chunk(exchange=0, t=number, data=b"x" * (number % 3000)) for number in range(3000)]
    writer = cassette.Writer(path, SECTION)

    def write_all() -> None:
        with writer:
            for record in written[1:]:
                writer.write(record)

    thread = threading.Thread(target=write_all, daemon=True)
    thread.start()
    sizes = []
    while True:
        alive = thread.is_alive()
        with cassette.open(path, lenient=True) as reader:
            found = list(reader)
        assert found == written[: len(found)]
        assert all(damage.torn for damage in reader.damage)
        sizes.append(len(found))
        if not alive:
            break
    thread.join(timeout=30)
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(written)
