"""Times of the wall clock, which a section has in ns since 1970, as times of a calendar."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(unix_ns: int) -> datetime:
    """Return the time in UTC, to the microsecond before it. What records can hold is always some date."""
    return _EPOCH + timedelta(microseconds=unix_ns // 1_000)
