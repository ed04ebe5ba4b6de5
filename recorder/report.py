"""What the recorder says of an exchange and of a recording, in a line each."""

import re

from tokentape.recorder._recording import LiveExchange, Recording


def ended(exchange: LiveExchange) -> str:
    """Return the line for an exchange that has ended."""
    request = exchange.request
    # without the query, which may hold a key, and with nothing that a terminal would obey
    path = re.sub(rb"[^\x21-\x7e]", b"?", request.path.partition(b"?")[0]).decode()
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
    """Return the line for a recording that has ended."""
    line = (
        f"recorded {_count(recording.exchanges, 'exchange')}, {_count(recording.chunks, 'piece')}, "
        f"{_count(recording.bytes, 'byte')} to {recording.path}"
    )
    if passed_over:
        line += f"; passed over {passed_over:,} that the filter does not match"
    if unfinished:
        line += f"; {_count(unfinished, 'request')} given up by the client before being sent on"
    if recording.failure is not None:
        line += "; INCOMPLETE, the file could not be written any more"
    return line


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
