"""What a cassette that is still being written holds of an exchange, and what is so of every exchange."""

import time
from pathlib import Path

from tokentape import cassette


def all_of(path: Path) -> list[cassette.Exchange]:
    """Return the exchanges of a cassette, in the order in which they were taken up."""
    with cassette.open(path, lenient=True) as tape:
        found = sorted(cassette.exchanges(tape), key=lambda exchange: exchange.number)
        assert all(damage.torn for damage in tape.damage), tape.damage
    return found


def ended(path: Path, target: bytes, timeout_s: float = 30) -> cassette.Exchange:
    """Wait for the exchange with this request target to have ended, and return it."""
    deadline = time.monotonic() + timeout_s
    while True:
        for exchange in all_of(path):
            if exchange.request and exchange.end and exchange.request.path == target:
                check(exchange)
                return exchange
        assert time.monotonic() < deadline, f"{path} has no end of {target!r}"
        time.sleep(0.01)


def check(exchange: cassette.Exchange) -> None:
    """Check that times never go backwards within an exchange, and that its end counts what it has."""
    assert exchange.request
    times = [exchange.request.t, exchange.request.t_end]
    if exchange.response:
        times.append(exchange.response.t)
        if connect := exchange.response.connect:
            steps = [connect.tcp_start, connect.tcp_end, connect.tls_end]
            known = [step for step in steps if step is not None]
            assert known == sorted(known)
            assert known[-1] <= exchange.response.t
    times += [chunk.t for chunk in exchange.chunks]
    if exchange.end:
        times.append(exchange.end.t)
        assert exchange.end.chunks == len(exchange.chunks)
        assert exchange.end.bytes == len(exchange.body)
    assert times == sorted(times)
    assert times[0] >= 0
    assert all(chunk.data for chunk in exchange.chunks)
