"""Any fault that makes sense, and answers of every shape to inject it into."""

import gzip
import string
from itertools import pairwise

from hypothesis import strategies as st

from tests.replay.recordings import as_exchange, exchange
from tokentape.replay._wire import prepare
from tokentape.replay.faults import (
    DropDone,
    Dup,
    ErrorEvent,
    Fault,
    Garble,
    KeepaliveStall,
    Merge,
    Place,
    Reset,
    Scope,
    SlowStart,
    Split,
    Stall,
    Status,
    Truncate,
)
from tokentape.replay.faults._effects import MAX_COUNT
from tokentape.replay.timing._timing import Timing

_HOUR_NS = 3_600 * 10**9
_counts = st.integers(0, 12) | st.integers(0, MAX_COUNT)
_numbers = st.integers(1, 12) | st.integers(1, MAX_COUNT)
_spans = st.integers(1, 5_000_000) | st.integers(1, _HOUR_NS)


def places():
    times = st.builds(Place, st.just("time"), st.integers(0, 5_000_000) | st.integers(0, _HOUR_NS))
    return times | st.builds(Place, st.sampled_from(["event", "piece", "byte"]), _counts)


def effects(*, most_ns=_HOUR_NS):
    spans = _spans.filter(lambda ns: ns <= most_ns)
    return st.one_of(
        st.builds(Status, status=st.integers(400, 599), retry_after_s=st.none() | st.integers(0, 3_600)),
        st.builds(Truncate, at=places()),
        st.builds(Reset, at=places()),
        st.builds(Stall, span_ns=spans, at=places()),
        st.builds(KeepaliveStall, span_ns=spans, event=_counts),
        st.builds(Garble, event=_numbers),
        st.builds(DropDone),
        st.builds(Dup, event=_numbers),
        st.builds(Split, max_bytes=_numbers),
        st.builds(Merge, bytes=_numbers),
        st.builds(SlowStart, span_ns=spans),
        st.builds(ErrorEvent, event=_counts),
    )


_patterns = st.text(string.ascii_letters + string.digits + "-_./*?[]=@é ", min_size=1, max_size=12).filter(
    lambda text: text == text.strip()
)


@st.composite
def scopes(draw):
    probability = draw(st.just(1.0) | st.floats(0, 1, exclude_min=True))
    return Scope(
        model=draw(st.none() | _patterns),
        path=draw(st.none() | _patterns),
        nth=draw(st.none() | _numbers),
        times=draw(st.none() | _numbers),
        probability=probability,
        seed=draw(st.integers(0, 10**6)) if probability < 1 else 0,
    )


def faults():
    return st.builds(Fault, effect=effects(), scope=scopes())


_EVENTS = [
    b'data: {"a":"\xe4\xbd\xa0\xe5\xa5\xbd"}\n\n',
    b"data: 1\r\n\r\n",
    b": a comment\n\n",
    b"event: ping\ndata: {}\n\n",
    b"id: 7\rdata: one\rdata: two\r\r",
    b"retry: 5\n\n",
    b"data: [DONE]\n\n",
    b"event: message_stop\ndata: {}\n\n",
    b"data\n\n",
    b"not a field\n",
    b"database: 1\n",
    b"\xff\x00\r\n",
]


@st.composite
def bodies(draw):
    """A stream, whole or cut off in the middle."""
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    body = mark + b"".join(draw(st.lists(st.sampled_from(_EVENTS), min_size=1, max_size=8)))
    return body[: draw(st.integers(1, len(body)))] if draw(st.booleans()) else body


def cut_up(draw, body):
    """Pieces of a body, cut anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=6)))
    bounds = [0, *cuts, len(body)]
    return [body[start:end] for start, end in pairwise(bounds) if end > start]


@st.composite
def recordings(draw, body=None):
    """How an answer was recorded, for `recordings.exchange`."""
    whole = draw(bodies()) if body is None else body
    headers = [(b"Content-Type", draw(st.sampled_from([b"text/event-stream", b"application/x-ndjson"])))]
    if draw(st.booleans()):
        whole = gzip.compress(whole)
        headers.append((b"Content-Encoding", b"gzip"))
    pieces = cut_up(draw, whole)
    times = sorted(draw(st.lists(st.integers(1, 9), min_size=len(pieces), max_size=len(pieces))))
    sized = draw(st.booleans())
    headers.append((b"Content-Length", b"%d" % len(whole)) if sized else (b"Transfer-Encoding", b"chunked"))
    complete = draw(st.booleans())
    if not complete:
        pieces = pieces[: draw(st.integers(0, len(pieces)))]
    return {
        "headers": tuple(headers),
        "pieces": [(t, piece) for t, piece in zip(times, pieces, strict=False)],
        "end_ms": 10,
        "end_reason": "complete" if complete else "upstream-error",
        "trailers": None if sized else draw(st.sampled_from([None, ((b"X-Sum", b"1"),)])),
    }


@st.composite
def answers(draw, body=None):
    """A prepared answer, and whether it is to be sent at once."""
    speed = draw(st.sampled_from([1.0, "instant"]))
    recorded = as_exchange(exchange(**draw(recordings(body=body))))
    return prepare(recorded, timing=Timing(speed=speed)), speed == "instant"
