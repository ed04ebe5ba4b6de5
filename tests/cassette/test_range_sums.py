import random
import zlib

from hypothesis import given
from hypothesis import strategies as st

from tokentape.cassette._range_sums import BLOCK, RangeSums, after_zeros

DATA = random.Random(1).randbytes(5 * BLOCK + 123)
POSITIONS = st.integers(0, len(DATA))


@given(st.integers(0, 2**32 - 1), st.one_of(st.integers(0, 300), st.sampled_from([BLOCK, 100_001, 2**20])))
def test_zeros_make_of_a_sum_what_they_make_of_it_in_zlib(crc, count):
    zeros = bytes(count)
    assert after_zeros(crc, count) == zlib.crc32(zeros, crc) ^ zlib.crc32(zeros)


@given(st.lists(st.tuples(POSITIONS, POSITIONS), min_size=1, max_size=5), st.integers(0, 10**9))
def test_the_sum_of_any_stretch_is_that_of_its_bytes(stretches, base):
    sums = RangeSums()
    for pair in stretches:
        start, end = sorted(pair)
        assert sums.of(DATA, base, start, end) == zlib.crc32(DATA[start:end])


@given(st.lists(st.tuples(st.integers(0, 2 * BLOCK), st.integers(0, 3 * BLOCK)), min_size=1, max_size=6))
def test_the_window_may_move_on_by_any_steps(steps):
    sums = RangeSums()
    base = 0
    for forward, length in steps:
        base = min(base + forward, len(DATA))
        window = DATA[max(0, base - BLOCK) :]
        start = min(base, BLOCK)
        end = min(start + length, len(window))
        assert sums.of(window, max(0, base - BLOCK), start, end) == zlib.crc32(window[start:end])
