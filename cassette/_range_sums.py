"""The CRC-32 of any stretch of bytes in nearly constant time, once they were gone over.

A CRC is linear: by appending n bytes it becomes what n zeros make of it, xor the CRC of these bytes. So the
sum of a stretch follows from the sums up to its beginning and up to its end, and what 2^k zeros make of
a CRC is a table. That keeps a file full of places that look like long frames from costing more than its
length: each byte is summed once for all of them, and each place costs two blocks more.
"""

from functools import cache

from tokentape.cassette._crc32 import crc32

BLOCK = 1 << 14
"""Shorter stretches are better summed as they are."""

_Tables = tuple[list[int], ...]


class RangeSums:
    """Sums over a window of a file that moves on.

    Its invariant: `_sums[k]` is that of the bytes from `_start` to `_start + k * BLOCK`, in the file.
    """

    def __init__(self) -> None:
        self._start = 0
        self._sums = [0]

    def of(self, window: bytes, base: int, start: int, end: int) -> int:
        """Return the CRC-32 of `window[start:end]`; `base` is where the window begins in the file.

        The window has the block before `start`, unless it begins later in the file.
        """
        if self._start + (len(self._sums) - 1) * BLOCK < base:
            self._start, self._sums = base, [0]  # what is between was not gone over, and is gone
        ahead = base - self._start
        view = memoryview(window)
        return self._up_to(view, ahead, end) ^ after_zeros(self._up_to(view, ahead, start), end - start)

    def _up_to(self, view: memoryview, ahead: int, position: int) -> int:
        """Return the sum from `_start` to a position in the window, which begins `ahead` bytes later."""
        block = (ahead + position) // BLOCK
        while len(self._sums) <= block:
            begin = (len(self._sums) - 1) * BLOCK - ahead
            self._sums.append(crc32(view[begin : begin + BLOCK], self._sums[-1]))
        return crc32(view[block * BLOCK - ahead : position], self._sums[block])


def after_zeros(crc: int, count: int) -> int:
    """Return what a CRC becomes by `count` zero bytes, but for what they come to by themselves."""
    power = 0
    while count:
        if count & 1:
            crc = _apply(_zeros(power), crc)
        count >>= 1
        power += 1
    return crc


def _apply(tables: _Tables, crc: int) -> int:
    one, two, three, four = tables
    return one[crc & 255] ^ two[crc >> 8 & 255] ^ three[crc >> 16 & 255] ^ four[crc >> 24]


@cache
def _zeros(power: int) -> _Tables:
    """Return, for each byte of a CRC, what 2**power zero bytes make of its values."""

    def step(crc: int) -> int:
        if power == 0:
            return crc32(b"\0", crc) ^ crc32(b"\0")
        half = _zeros(power - 1)
        return _apply(half, _apply(half, crc))

    return tuple([step(value << shift) for value in range(256)] for shift in (0, 8, 16, 24))
