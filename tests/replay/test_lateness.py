from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay._lateness import Lateness


def summary(values):
    lateness = Lateness()
    for value in values:
        lateness.add(value)
    return lateness.summary()


@given(st.lists(st.integers(min_value=0, max_value=999_999_999), min_size=1, max_size=300))
def test_percentiles_are_exact_to_a_microsecond_and_the_maximum_to_a_nanosecond(values):
    found = summary(values)
    ordered = sorted(values)
    for percent, ns in ((50, found.p50_ns), (99, found.p99_ns)):
        exact = ordered[-(-len(values) * percent // 100) - 1]
        assert 0 <= exact - ns < 1_000
    assert found.max_ns == ordered[-1]
    assert found.pieces == len(values)


def test_without_pieces_there_is_no_lateness():
    found = summary([])
    assert (found.pieces, found.p50_ns, found.p99_ns, found.max_ns) == (0, None, None, None)


def test_memory_is_bounded_however_late_pieces_are():
    lateness = Lateness()
    for value in range(10**9, 11 * 10**9, 99_991):
        lateness.add(value)
    assert len(lateness.buckets) <= 10_000
    assert lateness.summary().max_ns > 10**10
