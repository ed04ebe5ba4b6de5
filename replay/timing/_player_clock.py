"""The clock that replays run by: it can stand still, and go faster or slower than the system's.

It is a pair of a time of the system and the playing time at it, and the rate since then. Each change takes
the pair again, at that moment: nothing that was played before moves, and errors do not add up but for less
than 1 ns a change. Invariant: playing time never goes back.
"""

from collections import deque
from fractions import Fraction

_REMEMBERED = 1_000  # spans of one rate; only what is late by more than one of them asks for those before


class PlayerClock:
    """Turns times of the system (in ns, as `time.monotonic_ns`) into playing times, and back.

    Until something is changed the two are the same.
    """

    def __init__(self) -> None:
        self._system_ns = 0
        self._playing_ns = 0
        self._rate = Fraction(1)
        self._numerator, self._denominator = 1, 1
        self._earlier: deque[tuple[int, int, int]] = deque(maxlen=_REMEMBERED)  # begin, then the rate of then
        self.paused = False

    @property
    def rate(self) -> Fraction:
        """How much faster than the system's time playing time goes when it is not paused."""
        return self._rate

    def playing_ns(self, system_ns: int) -> int:
        """Return the playing time at a time of the system, not before the last change."""
        if self.paused:
            return self._playing_ns
        since_ns = system_ns - self._system_ns
        if since_ns < 0:
            return self._playing_ns
        return self._playing_ns + since_ns * self._numerator // self._denominator

    def system_ns(self, playing_ns: int) -> int:
        """Return the first time of the system at which it is so late, by the rate of now.

        While it is paused: the time at which it would have been, had it gone on. A time before the last
        change is so much before it as it was by the rates of then, without the pauses.
        """
        since_ns = playing_ns - self._playing_ns
        if since_ns < 0:
            return self._system_ns - self._took_ns(playing_ns)
        return self._system_ns - (-since_ns * self._denominator // self._numerator)

    def pause(self, now_ns: int) -> None:
        """Stand still from now on."""
        self._anchor(now_ns)
        self.paused = True

    def resume(self, now_ns: int) -> None:
        """Go on from where it stood."""
        self._anchor(now_ns)
        self.paused = False

    def set_rate(self, rate: Fraction, now_ns: int) -> None:
        """Go at another rate, a positive one, from now on."""
        self._anchor(now_ns)
        self._rate = rate
        self._numerator, self._denominator = rate.as_integer_ratio()

    def _took_ns(self, playing_ns: int) -> int:
        """Return how long it went on from a playing time to the last change."""
        took_ns = 0
        end_ns = self._playing_ns
        for begin_ns, numerator, denominator in reversed(self._earlier):
            from_ns = max(begin_ns, playing_ns)
            took_ns += (end_ns - from_ns) * denominator // numerator
            end_ns = from_ns
            if end_ns == playing_ns:
                break
        return took_ns

    def _anchor(self, now_ns: int) -> None:
        playing_ns = self.playing_ns(now_ns)
        if playing_ns > self._playing_ns:
            self._earlier.append((self._playing_ns, self._numerator, self._denominator))
        self._playing_ns = playing_ns
        self._system_ns = max(now_ns, self._system_ns)
