import asyncio

import pytest

from tests.replay.serving.test_secured import Noted, on_a_loop
from tokentape.replay.serving._entrance import Entrance, Stage


class Chosen(asyncio.Protocol):
    def __init__(self, told):
        self.told = told

    def connection_made(self, transport):
        self.told.append("made")

    def data_received(self, data):
        self.told.append(data)


class Switching(Noted):
    def set_protocol(self, protocol):
        self.protocol = protocol

    def get_protocol(self):
        return self.protocol


def entered(look, **options):
    """An entrance, the transport below it, and what everybody was told."""
    told = []
    entrance = Entrance(
        lambda came: look(came, told),
        opened=lambda _: told.append("party"),
        lost=lambda _: told.append("no party"),
        **options,
    )
    raw = Switching()
    raw.protocol = entrance
    entrance.connection_made(raw)
    return entrance, raw, told


def after_four(came, told):
    return Stage(Chosen(told), came[2:], b"hello") if len(came) >= 4 else None


@pytest.mark.parametrize("pieces", [[b"abcdef"], [b"ab", b"cdef"], [b"a", b"b", b"c", b"def"]])
@on_a_loop
def test_the_protocol_that_is_chosen_gets_every_byte_and_is_known_before_the_entrance_is_not(pieces):
    entrance, raw, told = entered(after_four)
    for piece in pieces:
        entrance.data_received(piece)
    assert isinstance(raw.protocol, Chosen)
    assert raw.writes == [b"hello"]
    assert told == ["party", "made", "no party", b"cdef"]


@on_a_loop
def test_what_is_refused_is_told_so_and_closed():
    entrance, raw, told = entered(lambda _, __: Stage(None, say=b"no"))
    entrance.data_received(b"x")
    entrance.data_received(b"more")
    assert (raw.writes, raw.done) == ([b"no"], ["close"])
    entrance.connection_lost(None)
    assert told == ["party", "no party"]


@on_a_loop
def test_an_end_before_the_choice_is_the_end():
    entrance, raw, told = entered(after_four)
    entrance.data_received(b"abc")
    assert not entrance.eof_received()
    entrance.connection_lost(None)
    assert told == ["party", "no party"]
    assert raw.writes == []


@pytest.mark.parametrize(("sent", "done"), [(b"abc", ["abort"]), (b"abcd", [])])
def test_a_client_that_never_says_what_it_wants_is_given_up(sent, done):
    async def main():
        silent, raw, _ = entered(after_four, wait_s=0.001)
        silent.data_received(sent)
        _, other, _ = entered(after_four, wait_s=0.002)
        for _ in range(1000):
            if other.done:
                break
            await asyncio.sleep(0.001)
        assert other.done == ["abort"]
        assert raw.done == done

    asyncio.run(main())
