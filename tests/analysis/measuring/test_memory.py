"""How much memory a load takes, by what Python and numpy were asked for: the same on every run."""

import tracemalloc

from tests.analysis.tapes import DONE, MS, chunk, data, records, usage, write
from tokentape.analysis import load

EVENTS = 1000


def tape(folder, exchanges):
    """A cassette of streams with a token and a bill in every piece, about 250 bytes each."""
    padding = "x" * 60
    pieces = [
        (position * MS, data(chunk({"content": f" {position}"}, usage=usage(5, position + 1), p=padding)))
        for position in range(EVENTS)
    ]
    pieces.append((EVENTS * MS, DONE))
    return write(
        folder / f"{exchanges}.tape", *[records(pieces, exchange=number) for number in range(exchanges)]
    )


def peak_and_tables(path):
    tracemalloc.start()
    try:
        made = load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    tables = (made.exchanges, made.streams, made.events, made.reads)
    return peak, sum(int(table.memory_usage(deep=True).sum()) for table in tables)


def test_a_load_takes_less_than_three_times_the_memory_of_its_tables(tmp_path):
    load(tape(tmp_path, 1))  # what is imported and made once
    small_peak, small_tables = peak_and_tables(tape(tmp_path, 10))
    peak, tables = peak_and_tables(tape(tmp_path, 40))
    assert tables > 3.9 * small_tables
    # What a load takes beyond what grows with the events (a window of the file, an answer) is left out.
    assert (peak - small_peak) / (tables - small_tables) < 3


def test_an_answer_is_not_held_as_objects(tmp_path):
    """One answer of many events takes what many answers take: its pieces, and columns of what they say."""
    pieces = [(position, data(chunk({"content": " a"}))) for position in range(20 * EVENTS)]
    path = write(tmp_path / "one.tape", records(pieces))
    load(tape(tmp_path, 1))
    peak, tables = peak_and_tables(path)
    assert peak / tables < 5
