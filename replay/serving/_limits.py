"""What a server puts up with from its clients: sizes, and how long it waits for them."""

from dataclasses import dataclass

from tokentape.cassette import MAX_RECORD_BYTES

_S = 1_000_000_000
_BYTES_PER_S = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a request may hold, in bytes, and how long a client may keep a connection waiting, in seconds.

    `idle_s` is how long a connection may stay without a request, new or kept open; `request_s` how long
    a request may take from its first byte to its last, with a second more for each 16 KiB of it; `unread_s`
    how long a client may take nothing of what was written for it. None is for ever. How long an answer takes
    has no limit. Raises ValueError for what is no positive number.
    """

    max_head_bytes: int = 64 * 1024
    max_body_bytes: int = MAX_RECORD_BYTES  # no longer body can be in a cassette
    idle_s: float | None = 75.0
    request_s: float | None = 60.0
    unread_s: float | None = 60.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}: expected a positive number, found {value!r}")

    def request_ns(self, received_bytes: int) -> int | None:
        """Return how long a request may take of which so many bytes have come."""
        if self.request_s is None:
            return None
        return int(self.request_s * _S) + received_bytes * _S // _BYTES_PER_S

    @property
    def idle_ns(self) -> int | None:
        """`idle_s` in ns."""
        return None if self.idle_s is None else int(self.idle_s * _S)

    @property
    def unread_ns(self) -> int | None:
        """`unread_s` in ns."""
        return None if self.unread_s is None else int(self.unread_s * _S)
