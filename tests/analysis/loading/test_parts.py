import os
from itertools import pairwise

import pandas as pd
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, write
from tests.analysis.test_load import damaged
from tests.cassette.tapes import raw
from tokentape import cassette
from tokentape.analysis import load
from tokentape.analysis._frame import empty
from tokentape.analysis._schema import TEXT
from tokentape.analysis.loading._parts import MAX_PART_BYTES, Options, Part, gathered, load_parts, parts_of
from tokentape.cassette import STAND_IN

EXAMPLES = int(os.environ.get("TOKENTAPE_FUZZ", "15"))
TABLES = ("exchanges", "streams", "events", "reads")
CLOSE = cassette.Close(t=1, exchanges=0, chunks=0, bytes=0)


def joined(path, max_bytes, options=None):
    """The tables of the parts of a file one after the other, what was lost, and how many parts there are."""
    parts = [load_parts([each], options or Options()) for each in parts_of(str(path), max_bytes)]
    tables = {
        name: plain(pd.concat([plain(getattr(part, name)) for part in parts], ignore_index=True))
        for name in TABLES
    }
    return tables, [line for part in parts for line in part.lost], len(parts)


def plain(table):
    """The table with names instead of categories, and all text of one type: pandas 2 has several of it."""
    names = [name for name in table.columns if table[name].dtype == "category"]
    texts = [name for name in table.columns if isinstance(table[name].dtype, pd.StringDtype)]
    text = empty({"text": TEXT})["text"].dtype
    return table.astype(dict.fromkeys(names, "object") | dict.fromkeys(texts, text))


def local(table):
    """The table without the one column that depends on the exchanges of other parts."""
    return table.drop(columns="in_flight", errors="ignore")


def check(path, max_bytes, **options):
    whole = load(path, **options)
    tables, lost, count = joined(path, max_bytes, Options(**options))
    for name in TABLES:
        assert "in_flight" not in tables[name] or tables[name]["in_flight"].isna().all()
        pd.testing.assert_frame_equal(local(tables[name]), local(plain(getattr(whole, name))))
    assert tuple(lost) == whole.lost
    return count


PIECES = [
    (200 * MS, data(chunk({"content": "a"}))),
    (220 * MS, data(chunk({"content": "b"}, "stop"))),
    (221 * MS, DONE),
]


def interleaved(random, exchanges):
    """The records of all, each in its order, in turns by chance."""
    queues = [list(each) for each in exchanges]
    found = []
    while queues := [each for each in queues if each]:
        found.append(random.choice(queues).pop(0))
    return found


EXCHANGES = st.lists(
    st.tuples(
        st.integers(0, 5),  # its number, which a file made by hand may have twice
        st.integers(0, 3),  # how many pieces
        st.sampled_from(["complete", "client-closed", None, None]),
        st.sampled_from([200, 429, None]),
    ),
    max_size=6,
)
SECTIONS = st.lists(st.tuples(EXCHANGES, st.booleans(), st.booleans()), min_size=1, max_size=4)


def made(sections, random):
    found = []
    for position, (exchanges, has_section, has_close) in enumerate(sections):
        begun = [
            records(PIECES[:size], exchange=number, end=end, status=status)
            for number, size, end, status in exchanges
        ]
        found += [SECTION] if has_section or not position else []
        found += interleaved(random, begun)
        found += [cassette.Note(t=3, text="n", exchange=2)] if random.random() < 0.2 else []
        found += [CLOSE] if has_close else []
    return raw(*found)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    sections=SECTIONS,
    random=st.randoms(use_true_random=False),
    max_bytes=st.integers(1, 3000),
    flips=st.lists(st.tuples(st.integers(11, 10**6), st.integers(1, 255)), max_size=3),
    cut=st.integers(0, 300),
    compressed=st.booleans(),
)
def test_parts_one_after_the_other_are_the_whole(
    tmp_path, sections, random, max_bytes, flips, cut, compressed
):
    body = bytearray(made(sections, random))
    for at, value in flips:
        body[11 + at % (len(body) - 11)] ^= value
    del body[max(12, len(body) - cut) :]
    path = tmp_path / ("a.tape.zst" if compressed else "a.tape")
    path.write_bytes(zstandard.compress(bytes(body)) if compressed else bytes(body))
    try:
        check(path, max_bytes)
    except cassette.UnsupportedVersion:
        with pytest.raises(cassette.UnsupportedVersion):
            load(path)


def test_each_exchange_is_a_part_where_no_two_fit_into_one(tmp_path):
    path = write(tmp_path / "a.tape", *(records(PIECES, exchange=number) for number in range(5)))
    assert check(path, 1) == 5
    assert check(path, path.stat().st_size // 2) == 3
    assert check(path, MAX_PART_BYTES) == 1


def test_conditions_and_definitions_hold_in_parts(tmp_path):
    exchanges = [records(PIECES, exchange=number, status=200 + number % 2 * 229) for number in range(6)]
    path = write(tmp_path / "a.tape", *exchanges)
    assert check(path, 1, where=("status=429",), definitions="vllm", dialect="openai-chat") == 6


def test_parts_have_their_share_of_the_bytes(tmp_path):
    path = write(tmp_path / "a.tape", *(records(PIECES, exchange=number) for number in range(40)))
    parts = parts_of(str(path), 3000)
    assert {part.range.stretch[1] - part.range.stretch[0] <= 3000 for part in parts} == {True}
    assert len(parts) == pytest.approx(path.stat().st_size / 3000, abs=3)


def test_empty_cassette_is_one_part(tmp_path):
    assert check(write(tmp_path / "a.tape"), 1) == 1


def test_standard_input_is_one_part():
    assert [part.range for part in parts_of("-", 1)] == [None]


def test_damage_is_said_once(tmp_path):
    path = write(tmp_path / "a.tape", *(records(PIECES, exchange=number) for number in range(5)))
    check(damaged(path, b"asked-for"), 1)
    _, lost, count = joined(path, 1)
    assert (count, len(lost)) == (5, 2)  # the bytes, and the exchange that they were of
    assert len({*lost}) == 2


def test_file_that_was_replaced_meanwhile_is_refused(tmp_path):
    path = write(tmp_path / "a.tape", *(records(PIECES, exchange=number) for number in range(5)))
    parts = parts_of(str(path), 1)
    path.unlink()
    write(path, *(records(PIECES[:1], exchange=number) for number in range(5)))
    with pytest.raises(cassette.Unreadable, match="load it again"):
        for part in parts:
            load_parts([part], Options())
    path.unlink()
    with pytest.raises(cassette.Unreadable, match="No such file"):
        load_parts(parts[:1], Options())


def test_files_of_which_nothing_can_be_used_raise(tmp_path):
    (tmp_path / "text").write_text("hello, this is no cassette")
    with pytest.raises(cassette.NotACassette):
        parts_of(str(tmp_path / "text"), 1)
    with pytest.raises(cassette.Unreadable, match="No such file"):
        parts_of(str(tmp_path / "missing"), 1)
    with pytest.raises(ValueError, match="at least a byte"):
        parts_of("-", 0)
    with pytest.raises(ValueError, match="nope"):
        Options(dialect="nope")


def test_section_that_was_lost_has_its_place(tmp_path):
    path = tmp_path / "a.tape"
    path.write_bytes(
        raw(SECTION, *records(PIECES), CLOSE, *records(PIECES), CLOSE, STAND_IN, *records(PIECES))
    )
    assert check(path, 1) == 3


KIB = 1024
RANGE = object()  # nothing looks into it


@settings(deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 200 * KIB), st.sampled_from(["", ".zst", "part", "-"]))),
    max_bytes=st.sampled_from([0, 1, 16 * KIB, 100 * KIB, 10**7]),
)
def test_small_cassettes_are_gathered_in_their_order_and_as_many_as_there_is_room_for(sizes, max_bytes):
    parts = [
        Part(
            path="-" if kind == "-" else f"{number}.tape{kind.strip('part')}",
            range=RANGE if kind == "part" else None,
            stamp=(size, 0),
        )
        for number, (size, kind) in enumerate(sizes)
    ]
    found = gathered(parts, max_bytes)
    assert [part for several in found for part in several] == parts

    def size_of(several):
        return sum(
            max(16 * KIB, part.stamp[0] * (16 if part.path.endswith("zst") else 1)) for part in several
        )

    def is_whole(part):
        return part.range is None and part.path != "-"

    for several in found:
        assert len(several) == 1 or (all(map(is_whole, several)) and size_of(several) <= max_bytes)
    for before, after in pairwise(found):
        both = (*before, after[0])
        assert not all(map(is_whole, both)) or size_of(both) > max_bytes


def test_parts_that_are_read_together_are_as_one_after_the_other(tmp_path):
    paths = [
        str(write(tmp_path / f"{n}.tape", *(records(PIECES, exchange=e) for e in range(n)))) for n in range(4)
    ]
    damaged(tmp_path / "3.tape", b"asked-for")
    for max_bytes in (1, 10**9):
        parts = [part for path in paths for part in parts_of(path, max_bytes)]
        found, whole = load_parts(parts, Options()), load(paths)
        assert found.lost == whole.lost
        assert len(whole.lost) == 2
        for name in TABLES:
            pd.testing.assert_frame_equal(local(getattr(found, name)), local(getattr(whole, name)))
