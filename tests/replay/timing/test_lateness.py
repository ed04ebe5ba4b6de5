from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay.timing._lateness import Lateness, LatenessSummary


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


@given(st.lists(st.integers(0, 3 * 10**9)), st.lists(st.integers(0, 3_000), unique=True).map(sorted))
def test_a_histogram_counts_what_is_at_most_each_bound(late_ns, bounds_ms):
    lateness = Lateness()
    for each in late_ns:
        lateness.add(each)
    rounded = [each - each % (1_000 if each < 10**9 else 1_000_000) for each in late_ns]
    bounds_ns = [bound * 1_000_000 for bound in bounds_ms]
    found = lateness.histogram(bounds_ns)
    assert found.at_most == tuple(sum(each <= bound for each in rounded) for bound in bounds_ns)
    assert (found.pieces, found.sum_ns) == (len(late_ns), sum(rounded))


def test_what_was_cleared_is_forgotten():
    lateness = Lateness()
    lateness.add(5_000)
    lateness.held += 1
    lateness.clear()
    assert lateness.summary() == LatenessSummary()
    lateness.add(1_000)
    assert lateness.summary().max_ns == 1_000
