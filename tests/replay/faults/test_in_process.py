"""Faults without a socket: a stall moves the clock, and the client sees its library's own errors."""

import asyncio
import importlib
import importlib.util

import pytest

from tests.replay.testing.cassettes import chat, event, request
from tokentape import replay

MS = 1_000_000


@pytest.fixture(params=["httpx", "httpx2"])
def library(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"needs {request.param}")
    return importlib.import_module(request.param)


@pytest.fixture
def made(library, tmp_path):
    def make(*faults, **options):
        transport = getattr(replay, f"{library.__name__}_transport")
        return transport(chat(tmp_path / "a.tape", "hi"), faults=faults, **options)

    return make


def post(client, transport, **options):
    return client.stream("POST", transport.base_url + "/chat/completions", content=request("hi"), **options)


@pytest.mark.parametrize(("speed", "ended"), [(1.0, 3_600_200), ("instant", 3_600_000)])
def test_a_stall_moves_the_clock_and_nobody_waits(library, made, speed, ended):
    transport = made("stall=1h@event=1", speed=speed)
    begin = transport.now_ns
    with library.Client(transport=transport, timeout=None) as client, post(client, transport) as answer:
        seen = [(piece, transport.now_ns - begin) for piece in answer.iter_raw()]
    assert [piece for piece, _ in seen] == [event("ih"), b"data: [DONE]\n\n"]
    assert seen[-1][1] == ended * MS
    assert [each.times for each in transport.stats.faults] == [1]


def test_a_stall_longer_than_the_clients_timeout_is_a_timeout(library, made):
    transport = made("stall=1h@event=1")
    with (
        library.Client(transport=transport, timeout=5) as client,
        post(client, transport) as answer,
        pytest.raises(library.ReadTimeout),
    ):
        answer.read()


@pytest.mark.parametrize("speed", [1.0, "instant"])
@pytest.mark.parametrize(
    ("fault", "error"), [("truncate@event=1", "RemoteProtocolError"), ("reset@event=1", "ReadError")]
)
def test_a_broken_answer_is_the_librarys_error(library, made, fault, error, speed):
    transport = made(fault, speed=speed)
    seen = []
    with (
        library.Client(transport=transport) as client,
        post(client, transport) as answer,
        pytest.raises(getattr(library, error)),
    ):
        for piece in answer.iter_raw():
            seen.append(piece)  # noqa: PERF402  (what came before the error is kept)
    assert b"".join(seen) == event("ih")


@pytest.mark.parametrize(
    ("fault", "error"), [("truncate@time=0ms", "RemoteProtocolError"), ("reset@time=0ms", "ReadError")]
)
def test_before_the_head_there_is_no_answer(library, made, fault, error):
    transport = made(fault)
    with library.Client(transport=transport) as client, pytest.raises(getattr(library, error)):
        client.post(transport.base_url + "/chat/completions", content=request("hi"))


@pytest.mark.parametrize("speed", [1.0, "instant"])
def test_every_byte_is_a_piece(library, made, speed):
    transport = made("split=1", speed=speed)
    with library.Client(transport=transport) as client, post(client, transport) as answer:
        assert {len(piece) for piece in answer.iter_raw()} == {1}


def test_asynchronous_clients_get_them_too_until_they_are_changed(library, made):
    transport = made("status=503,retry-after=1,times=1")

    async def main():
        async with library.AsyncClient(transport=transport) as client:
            url = transport.base_url + "/chat/completions"
            return [await client.post(url, content=request("hi")) for _ in range(2)]

    first, second = asyncio.run(main())
    assert (first.status_code, first.headers["retry-after"], second.status_code) == (503, "1", 200)
    transport.set_faults(["status=500"])
    assert [str(fault) for fault in transport.faults] == ["status=500"]
    assert [first.status_code for first in asyncio.run(main())] == [500, 500]
