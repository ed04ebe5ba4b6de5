"""What the recorder says of an exchange and of a recording, in a line each."""

import re
from functools import partial

from tokentape.cassette import counted
from tokentape.recorder._part import LiveExchange
from tokentape.recorder._recording import Recording

_count = partial(counted, grouped=True)


def ended(exchange: LiveExchange) -> str:
    """Return the line for an exchange that has ended."""
    request = exchange.request
    # without the query and the fragment, which may hold a key, and with nothing that a terminal would obey
    # (cli's safe_text goes by what standard output can show; this is for standard error and for logs)
    path = re.sub(rb"[^\x21-\x7e]", b"?", re.split(rb"[?#]", request.path)[0]).decode()
    parts = [
        f"#{exchange.number} {request.method} {request.host}{path}",
        str(exchange.status) if exchange.status is not None else "no response",
    ]
    if exchange.first_piece_ns is not None:
        parts.append(f"first byte {(exchange.first_piece_ns - request.t_end) / 1e6:,.0f} ms")
    parts.append(f"{_count(exchange.chunks, 'piece')}, {_count(exchange.bytes, 'byte')}")
    if exchange.end_ns is not None:
        parts.append(f"{(exchange.end_ns - request.t_end) / 1e9:.2f} s")
    parts.append(f"{exchange.reason}: {exchange.detail}" if exchange.detail else str(exchange.reason))
    if exchange.end_ns is not None and not exchange.whole:
        parts.append("NOT WHOLLY RECORDED")
    return "  ".join(parts)


def summary(recording: Recording, passed_over: int, unfinished: int = 0) -> str:
    """Return the line for a recording that has ended, over all of its parts."""
    counts, loss = recording.counts, recording.loss
    last = f" ... {recording.current.path} ({recording.count} parts)" if recording.count > 1 else ""
    line = (
        f"recorded {_count(counts.exchanges, 'exchange')}, {_count(counts.chunks, 'piece')}, "
        f"{_count(counts.bytes, 'byte')} to {recording.first_path}{last}"
    )
    if passed_over:
        line += f"; passed over {passed_over:,} that the filter does not match"
    if unfinished:
        line += f"; {_count(unfinished, 'request')} given up by the client before being sent on"
    for part in recording.held_open:
        line += (
            f"; {part.path} was still open for {_count(part.exchanges, 'exchange')} that began in it, "
            f"the oldest {part.age_ns / 1e9:,.0f} s ago"
        )
    if loss.error is not None:
        line += (
            "; INCOMPLETE, the file could not be written any more: "
            f"{_count(loss.exchanges, 'exchange')} and {_count(loss.pieces, 'piece')} went unrecorded"
        )
    return line
