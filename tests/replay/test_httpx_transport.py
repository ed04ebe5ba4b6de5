"""The transports of httpx and httpx2: what the clients see is what they see of a server, in no time."""

import asyncio
import importlib
import importlib.util
import subprocess
import sys

import openai
import pytest

from tests.replay.recordings import exchange, tape
from tests.replay.testing.cassettes import chat, event, request
from tokentape import replay

MS = 1_000_000


@pytest.fixture(params=["httpx", "httpx2"])
def library(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"needs {request.param}")
    return importlib.import_module(request.param)


@pytest.fixture
def made(library):
    return getattr(replay, f"{library.__name__}_transport")


def post(client, transport, content="hi", **options):
    headers = {"content-type": "application/json"}
    return client.stream(
        "POST", transport.base_url + "/chat/completions", content=request(content), headers=headers, **options
    )


def test_pieces_come_at_their_recorded_times_and_at_once(library, made, tmp_path):
    transport = made(chat(tmp_path / "a.tape", "hi", ttft_ms=3_600_000))
    begin = transport.now_ns
    with library.Client(transport=transport, timeout=None) as client, post(client, transport) as answer:
        assert transport.now_ns - begin == 10 * MS
        seen = [(piece, transport.now_ns - begin) for piece in answer.iter_raw()]
    assert seen == [(event("ih"), 3_600_000 * MS), (b"data: [DONE]\n\n", 3_600_000 * MS)]
    assert transport.stats.hits == 1


def test_asynchronous_clients_see_the_same(library, made, tmp_path):
    transport = made(chat(tmp_path / "a.tape", "hi", "ho"), speed=2)
    begin = transport.now_ns

    async def main(content):
        async with (
            library.AsyncClient(transport=transport) as client,
            post(client, transport, content) as answer,
        ):
            return [piece async for piece in answer.aiter_raw()]

    async def both():
        return await asyncio.gather(main("hi"), main("ho"))

    done = b"data: [DONE]\n\n"
    assert asyncio.run(both()) == [[event("ih"), done], [event("oh"), done]]
    assert transport.now_ns - begin >= 100 * MS


def test_others_run_between_two_pieces_of_an_asynchronous_client(library, made, tmp_path):
    transport = made(chat(tmp_path / "a.tape", "hi"))
    seen = []

    async def other():
        while True:
            seen.append("other")
            await asyncio.sleep(0)

    async def main():
        running = asyncio.create_task(other())
        async with library.AsyncClient(transport=transport) as client, post(client, transport) as answer:
            pieces = aiter(answer.aiter_raw())
            await anext(pieces)
            before = len(seen)
            await anext(pieces)
            assert len(seen) > before
        running.cancel()

    asyncio.run(main())


def test_a_piece_that_would_be_too_late_is_a_read_timeout(library, made, tmp_path):
    transport = made(chat(tmp_path / "a.tape", "hi", ttft_ms=7_000))
    begin = transport.now_ns
    with (
        library.Client(transport=transport, timeout=5) as client,
        post(client, transport) as answer,
        pytest.raises(library.ReadTimeout),
    ):
        answer.read()
    assert transport.now_ns - begin == 10 * MS + 5_000 * MS


@pytest.mark.parametrize("reached", [False, True], ids=["before the head", "in the body"])
def test_what_was_cut_is_cut_again(library, made, tmp_path, reached):
    pieces = [(40, event("ih"))]
    status = 200 if reached else None
    cut = exchange(body=request(), status=status, pieces=pieces, end_ms=50, end_reason="client-closed")
    transport = made(tape(tmp_path / "a.tape", cut))
    with (
        library.Client(transport=transport) as client,
        pytest.raises(library.RemoteProtocolError, match="the connection was closed"),
        post(client, transport) as answer,
    ):
        assert reached
        answer.read()


def test_instant_has_the_same_pieces_all_due_at_once(library, made, tmp_path):
    transport = made(chat(tmp_path / "a.tape", "hi", ttft_ms=3_600_000), speed="instant")
    begin = transport.now_ns
    with library.Client(transport=transport) as client, post(client, transport) as answer:
        assert list(answer.iter_raw()) == [event("ih"), b"data: [DONE]\n\n"]
    assert transport.now_ns == begin


def test_timing_and_matching_are_those_of_a_server(library, made, tmp_path):
    path = chat(tmp_path / "a.tape", "hi")
    timing = replay.Timing.of(ttft="7s", delay="1s")
    matching = replay.Matching(match=("path",), exhausted="error")
    transport = made(path, timing=timing, matching=matching)
    begin = transport.now_ns
    with library.Client(transport=transport, timeout=None) as client:
        with post(client, transport, "something else") as answer:
            assert next(answer.iter_raw()) == event("ih")
            assert transport.now_ns - begin == 8_000 * MS
        with post(client, transport) as answer:
            assert answer.status_code == 404
    with pytest.raises(ValueError, match="expected either speed or timing"):
        made(path, speed=2, timing=timing)


def test_a_miss_is_a_404_with_the_difference(library, made, tmp_path):
    transport = made(chat(tmp_path / "a.tape", "hi"))
    with library.Client(transport=transport) as client, post(client, transport, "hello") as answer:
        assert answer.status_code == 404
        assert "recorded 'hi', the request has 'hello'" in answer.read().decode()
    assert transport.stats.misses == len(transport.explanations) == 1
    assert [seen.explanation for seen in transport.requests] == list(transport.explanations)
    transport.reset()
    assert (transport.stats.misses, transport.requests, transport.explanations) == (0, (), ())


def test_bodies_and_headers_are_those_of_the_recording(library, made, tmp_path):
    headers = (
        (b"Content-Type", b"text/plain"),
        (b"Content-Length", b"2"),
        (b"X-Twice", b"1"),
        (b"X-Twice", b"2"),
    )
    whole = exchange(
        method="GET", path=b"/v1/models", body=b"", headers=headers, pieces=[(2, b"ok")], end_ms=3
    )
    transport = made(tape(tmp_path / "a.tape", whole), speed="instant")
    with library.Client(transport=transport) as client:
        answer = client.get(transport.base_url + "/models")
    assert answer.text == "ok"
    assert answer.headers.get_list("x-twice") == ["1", "2"]
    assert answer.reason_phrase == "OK"


def test_the_openai_client_streams_from_it(library, made, tmp_path):
    if library.__name__ != ("httpx2" if int(openai.__version__.partition(".")[0]) >= 3 else "httpx"):
        pytest.skip(f"openai {openai.__version__} uses the other")
    transport = made(chat(tmp_path / "a.tape", "hi", ttft_ms=60_000))
    client = openai.OpenAI(
        base_url=transport.base_url, api_key="none", http_client=library.Client(transport=transport)
    )
    message = {"role": "user", "content": "hi"}
    with client:
        stream = client.chat.completions.create(model="m", stream=True, messages=[message])
        assert [chunk.choices[0].delta.content for chunk in stream] == ["ih"]


def test_no_client_library_is_imported_before_it_is_asked_for():
    program = "import sys; from tokentape.replay import load\nprint({'httpx', 'httpx2'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
