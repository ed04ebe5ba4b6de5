"""What was missed, for the one who reads stderr: each different miss once, however often it comes."""

import logging
from collections import Counter

from tokentape.replay._stats import Missed
from tokentape.replay.matching._matcher import Miss
from tokentape.replay.matching._request_key import RequestKey

_log = logging.getLogger("tokentape.replay")  # warnings reach stderr where nobody configured logging
MAX_KINDS = 1_000
_MAX_EXPLAINED = 100


class Misses:
    """Counts misses, and logs those that say something new."""

    def __init__(self) -> None:
        self.count = 0
        self._by_request: Counter[tuple[str, str, int]] = Counter()
        self._logged: set[tuple[str, ...]] = set()
        self._explained: list[str] = []

    def add(self, key: RequestKey, miss: Miss) -> None:
        """Take in a miss of a request."""
        asked = (key.method, key.shown_path, miss.status)
        self.count += 1
        if asked in self._by_request or len(self._by_request) < MAX_KINDS:
            self._by_request[asked] += 1
        if len(self._explained) < _MAX_EXPLAINED:
            self._explained.append("\n".join(miss.lines))
        if miss.lines in self._logged or len(self._logged) > MAX_KINDS:
            return
        self._logged.add(miss.lines)
        if len(self._logged) > MAX_KINDS:
            _log.warning("more than %d different misses: no further ones are shown", MAX_KINDS)
        else:
            _log.warning("%s: %s", miss.code.replace("_", " "), "\n  ".join(miss.lines))

    @property
    def explanations(self) -> tuple[str, ...]:
        """What was said of the first hundred misses, in their order; from any thread."""
        return tuple(self._explained)

    @property
    def kinds(self) -> tuple[Missed, ...]:
        """What was missed by method and path, the first thousand; from any thread."""
        return tuple(
            Missed(method=method, path=path, times=times, status=status)
            for (method, path, status), times in self._by_request.copy().items()
        )
