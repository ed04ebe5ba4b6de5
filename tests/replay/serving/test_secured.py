"""TLS between two ends in one thread: a transport that notes what is done with it, and a client's TLS."""

import asyncio
import ssl
from contextlib import suppress
from functools import wraps

import pytest
import trustme

from tokentape.replay.serving._secured import Secured

CA = trustme.CA()
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CA.issue_cert("api.example").configure_cert(CONTEXT)


class Noted(asyncio.Transport):
    """A socket's transport that notes what is done with it."""

    def __init__(self):
        super().__init__({"peername": "peer"})
        self.done = []
        self.writes = []

    def write(self, data):
        self.writes.append(bytes(data))

    def is_closing(self):
        return bool({"close", "abort"} & set(self.done))

    def can_write_eof(self):
        return True

    def __getattribute__(self, name):
        if name in ("close", "abort", "write_eof", "pause_reading", "resume_reading"):
            return lambda: self.done.append(name)
        return super().__getattribute__(name)


class Inner(asyncio.Protocol):
    """What is inside TLS."""

    def __init__(self, told, *, stays):
        self.told = told
        self.stays = stays

    def connection_made(self, transport):
        self.transport = transport
        self.told.append("made")

    def connection_lost(self, exc):
        self.told.append("lost")

    def data_received(self, data):
        self.told.append(data)

    def eof_received(self):
        self.told.append("eof")
        return self.stays

    def pause_writing(self):
        self.told.append("pause")

    def resume_writing(self):
        self.told.append("resume")


class Ends:
    """Both ends. `told` is what everybody was told, in order."""

    def __init__(self, *, stays=False, trusting=True, **options):
        self.told = []
        self.raw = Noted()
        self.inner = Inner(self.told, stays=stays)
        self.secured = Secured(
            CONTEXT,
            inner=lambda: self.inner,
            opened=lambda _: self.told.append("party"),
            lost=lambda _: self.told.append("no party"),
            failed=self.told.append,
            **options,
        )
        context = ssl.create_default_context()
        if trusting:
            CA.configure_trust(context)
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = context.wrap_bio(self._into, self._out, server_hostname="api.example")
        self.secured.connection_made(self.raw)

    def send(self, step=1 << 20):
        """Give the server what the client has to say, in pieces of a size."""
        data = self._out.read()
        for start in range(0, len(data), step):
            self.secured.data_received(data[start : start + step])

    def receive(self):
        """Give the client what was written, and return what it reads of that."""
        for data in self.raw.writes:
            self._into.write(data)
        self.raw.writes.clear()
        found = b""
        with suppress(ssl.SSLWantReadError):
            while data := self.client.read(1 << 20):
                found += data
        return found

    def shake_hands(self, step=1 << 20):
        while True:
            try:
                self.client.do_handshake()
            except ssl.SSLWantReadError:
                self.send(step)
                for data in self.raw.writes:
                    self._into.write(data)
                self.raw.writes.clear()
            else:
                self.send(step)
                assert self.receive() == b""
                return self


def on_a_loop(test):
    @wraps(test)
    def run(*args, **kwargs):
        async def main():
            test(*args, **kwargs)

        asyncio.run(main())

    return run


HANDS = ["party", "made", "no party"]


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@on_a_loop
def test_bytes_that_come_in_any_pieces_are_the_same(step):
    ends = Ends().shake_hands(step)
    assert ends.told == HANDS
    ends.client.write(b"hello")
    ends.send(step)
    assert ends.told == [*HANDS, b"hello"]


@on_a_loop
def test_what_came_with_the_end_of_the_handshake_is_handed_on():
    ends = Ends()
    with suppress(ssl.SSLWantReadError):
        ends.client.do_handshake()
    ends.send()
    for data in ends.raw.writes:
        ends._into.write(data)
    ends.client.do_handshake()
    ends.client.write(b"at once")
    ends.send()
    assert ends.told == [*HANDS, b"at once"]


@pytest.mark.parametrize("size", [1, 100, 16 * 1024 + 1, 300_000])
@on_a_loop
def test_a_piece_is_one_write_and_written_before_the_call_returns(size):
    ends = Ends().shake_hands()
    for _ in range(3):
        ends.inner.transport.write(b"x" * size)
        assert len(ends.raw.writes) == 1
        assert ends.receive() == b"x" * size


@on_a_loop
def test_nothing_is_written_for_nothing():
    ends = Ends().shake_hands()
    ends.inner.transport.write(b"")
    assert ends.raw.writes == []


@pytest.mark.parametrize("how", ["close", "write_eof"])
@on_a_loop
def test_the_end_is_said_within_tls_too(how):
    ends = Ends().shake_hands()
    ends.inner.transport.write(b"last")
    getattr(ends.inner.transport, how)()
    ends.inner.transport.write(b"too late")
    assert ends.raw.done == [how]
    assert ends.receive() == b"last"
    assert ends.client.read() == b""  # and no error: it was not cut off
    ends.client.write(b"more")
    ends.send()
    assert ends.told == HANDS


@on_a_loop
def test_a_farewell_of_the_peer_is_an_end_that_is_told_once():
    ends = Ends(stays=True).shake_hands()
    ends.client.write(b"last")
    with suppress(ssl.SSLWantReadError):
        ends.client.unwrap()
    ends.send()
    assert ends.secured.eof_received()
    assert ends.told == [*HANDS, b"last", "eof"]
    assert ends.raw.done == []
    ends.inner.transport.write(b"an answer")
    assert len(ends.raw.writes) == 1
    ends.inner.transport.close()
    assert ends.raw.done == ["close"]


@on_a_loop
def test_whoever_has_nothing_to_say_is_closed_after_the_farewell():
    ends = Ends(stays=False).shake_hands()
    with suppress(ssl.SSLWantReadError):
        ends.client.unwrap()
    ends.send()
    assert ends.told == [*HANDS, "eof"]
    assert ends.raw.done == ["close"]


@pytest.mark.parametrize("stays", [True, False])
@on_a_loop
def test_an_end_without_a_farewell_is_an_end(stays):
    ends = Ends(stays=stays).shake_hands()
    assert ends.secured.eof_received() is stays
    assert bool(ends.raw.writes) is not stays  # our farewell
    ends.secured.connection_lost(None)
    assert ends.told == [*HANDS, "eof", "lost"]


@on_a_loop
def test_who_does_not_trust_is_told_of_and_never_connected():
    ends = Ends(trusting=False)
    with pytest.raises(ssl.SSLCertVerificationError):
        ends.shake_hands()
    ends.send()
    assert ends.told == ["party", "TLSV1_ALERT_UNKNOWN_CA"]
    assert ends.raw.done == ["close"]
    ends.secured.connection_lost(None)
    assert ends.told[2:] == ["no party"]


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x16" * 100])
@on_a_loop
def test_what_is_no_handshake_is_told_of(garbage):
    ends = Ends()
    ends.secured.data_received(garbage)
    assert len(ends.told) == 2
    assert ends.raw.done == ["close"]


@on_a_loop
def test_nothing_is_said_of_who_vanishes_in_the_handshake():
    ends = Ends()
    with suppress(ssl.SSLWantReadError):
        ends.client.do_handshake()
    ends.send()
    assert not ends.secured.eof_received()
    ends.secured.connection_lost(ConnectionResetError())
    assert ends.told == ["party", "no party"]


def test_a_handshake_that_takes_too_long_is_given_up():
    async def main():
        ends = Ends(handshake_s=0.001)
        done = Ends(handshake_s=0.001).shake_hands()
        for _ in range(1000):
            if ends.raw.done:
                break
            await asyncio.sleep(0.001)
        assert ends.raw.done == ["abort"]
        assert done.raw.done == []

    asyncio.run(main())


@on_a_loop
def test_a_damaged_record_ends_the_connection():
    ends = Ends().shake_hands()
    ends.client.write(b"hello")
    data = bytearray(ends._out.read())
    data[-1] ^= 1
    ends.secured.data_received(bytes(data))
    assert ends.told == HANDS
    assert ends.raw.done == ["abort"]
    ends.inner.transport.write(b"x")  # as a pacer would that does not know yet
    ends.secured.connection_lost(None)
    assert ends.told == [*HANDS, "lost"]


@on_a_loop
def test_back_pressure_is_handed_on_both_ways():
    ends = Ends()
    ends.secured.pause_writing()
    ends.secured.resume_writing()
    ends.shake_hands()
    ends.secured.pause_writing()
    ends.secured.resume_writing()
    assert ends.told == [*HANDS, "pause", "resume"]
    ends.inner.transport.pause_reading()
    ends.inner.transport.resume_reading()
    assert ends.raw.done == ["pause_reading", "resume_reading"]


@on_a_loop
def test_the_socket_and_the_tls_are_known_inside():
    ends = Ends().shake_hands()
    assert ends.inner.transport.get_extra_info("peername") == "peer"
    assert ends.inner.transport.get_extra_info("ssl_object").version() == "TLSv1.3"
    assert ends.inner.transport.get_extra_info("other", 5) == 5
