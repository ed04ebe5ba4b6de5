"""The bodies of the latest answers, for mitmproxy to show: it keeps none of what it streams.

The invariant: those of answers under way and those given to flows are together never larger than the limit,
so a proxy that runs for a week holds no more than one that runs for an hour. The oldest are taken back
first; of answers under way, which nobody can look at yet, the longest.
"""

from collections import deque
from collections.abc import Callable, Iterable

from mitmproxy import http

DEFAULT_MIB = 32
MOST_FLOWS = 500  # since a flow is held as long as its body: it is larger than a short one


class Bodies:
    """The bodies of answers under way and of the latest flows, together no more than the limit."""

    def __init__(self) -> None:
        self._limit = DEFAULT_MIB << 20
        self._size = 0
        self._under_way: dict[str, list[bytes]] = {}
        self._given: deque[tuple[http.HTTPFlow, bytes]] = deque()

    def limit(self, max_bytes: int) -> None:
        """Keep no more than this from now on; 0 keeps nothing."""
        self._limit = max_bytes
        self._make_room()

    def keeping(
        self, of: http.HTTPFlow, then: Callable[[bytes], bytes | Iterable[bytes]]
    ) -> Callable[[bytes], bytes | Iterable[bytes]]:
        """Return a stream function that keeps what passes."""
        if not self._limit:
            return then
        pieces = self._under_way[of.id] = []

        def keep(data: bytes) -> bytes | Iterable[bytes]:
            if data and self._under_way.get(of.id) is pieces:
                pieces.append(data)
                self._size += len(data)
                if self._size > self._limit:
                    self._make_room()
            return then(data)

        return keep

    def ended(self, of: http.HTTPFlow) -> None:
        """Give a flow what was kept of its answer."""
        pieces = self._under_way.pop(of.id, None)
        if of.response is not None and callable(of.response.stream):
            of.response.stream = True  # a flow that mitmproxy keeps is not to keep what it was passed through
        if pieces is not None:
            body = b"".join(pieces)
            self._size -= len(body)
            if of.response is not None and of.response.raw_content is None:
                self.give(of, body)

    def give(self, of: http.HTTPFlow, body: bytes) -> None:
        """Let mitmproxy show this body; the flow is a latest one now."""
        if of.response is not None and len(body) <= self._limit:
            of.response.raw_content = body
            self._given.append((of, body))
            self._size += len(body)
            self._make_room()

    def _make_room(self) -> None:
        while self._given and (self._size > self._limit or len(self._given) > MOST_FLOWS):
            of, body = self._given.popleft()
            self._size -= len(body)
            if of.response is not None and of.response.raw_content is body:  # not what a user has edited
                of.response.raw_content = None
        while self._under_way and self._size > self._limit:
            longest = max(self._under_way, key=lambda each: sum(map(len, self._under_way[each])))
            dropped = self._under_way.pop(longest)
            self._size -= sum(map(len, dropped))
            dropped.clear()
