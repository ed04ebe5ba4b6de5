from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tokentape.cassette import utc

WALL_NS = st.integers(0, 2**63 - 1)
NS = st.integers(-(2**60), 2**60)


@given(WALL_NS, NS)
def test_every_time_of_a_record_is_the_last_microsecond_before_it(wall_ns: int, t: int):
    at = utc(wall_ns + t)
    assert at.tzinfo is UTC
    assert (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == (wall_ns + t) // 1_000
