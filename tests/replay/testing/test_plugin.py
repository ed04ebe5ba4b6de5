"""The fixture and the mark, in a pytest of their own: what passes, what fails, and with which words."""

import json
import subprocess
import sys

import pytest

from tests.replay.recordings import exchange, tape
from tests.replay.testing.cassettes import chat
from tests.streams import anthropic_messages

ASKS = """
    import pytest
    from client import ask

    {mark}
    def test_it(tape):
        assert ask(tape.url)[0] == 200
        assert tape.all_played
"""


@pytest.mark.parametrize(
    ("mark", "path"),
    [
        ("", "tapes/test_it.tape"),
        ("@pytest.mark.tape", "tapes/test_it.tape"),
        ("@pytest.mark.tape('weather.tape')", "weather.tape"),
        ("@pytest.mark.tape('../other/weather.tape.zst')", "other/weather.tape.zst"),
    ],
)
def test_a_cassette_is_found_beside_the_test(project, mark, path):
    base = project.folder if path.startswith("other") else project.folder / "sub"
    project.write("sub/test_it.py", ASKS.format(mark=mark))
    if path.endswith(".zst"):
        import zstandard

        plain = chat(project.folder / "plain.tape", "hi")
        (base / path).parent.mkdir()
        (base / path).write_bytes(zstandard.compress(plain.read_bytes()))
    else:
        chat(base / path, "hi")
    ran = project.run()
    assert ran.outcomes == {"passed": 1}, ran.output


def test_tests_in_classes_and_with_parameters_have_cassettes_of_their_own(project):
    project.write(
        "test_it.py",
        """
        import pytest
        from client import ask

        class TestChat:
            @pytest.mark.parametrize("content", ["hi", "a/b"])
            def test_it(self, tape, content):
                assert ask(tape.url, content)[0] == 200
                print("cassette:", tape.paths[0].name)
        """,
    )
    chat(project.folder / "tapes" / "TestChat.test_it[hi].tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"passed": 1, "error": 1}
    name = next(line for line in ran.output.splitlines() if "there is no such cassette" in line)
    chat(project.folder / "tapes" / name.partition(": there")[0].rpartition("/")[2], "a/b")
    assert project.run().outcomes == {"passed": 2}


def test_of_each_argument_the_nearest_mark_that_has_it_counts(project):
    project.write(
        "test_it.py",
        """
        import pytest
        from client import ask

        pytestmark = pytest.mark.tape("other.tape", misses="allow")

        @pytest.mark.tape("weather.tape", "more.tape")
        def test_it(tape):
            assert [ask(tape.url, content)[0] for content in ("hi", "ho", "hum")] == [200, 200, 404]
            assert tape.base_url == tape.url + "/v1"
            assert [path.name for path in tape.paths] == ["weather.tape", "more.tape"]
            assert len(tape.misses) == 1 and "messages" in tape.misses[0]
            assert tape.all_played and tape.stats.hits == 2
            assert [seen.outcome for seen in tape.requests] == ["served", "served", "missed"]
        """,
    )
    chat(project.folder / "weather.tape", "hi")
    chat(project.folder / "more.tape", "ho")
    ran = project.run()
    assert ran.outcomes == {"passed": 1}, ran.output


def test_misses_before_a_reset_are_forgotten_and_those_after_it_fail(project):
    project.write(
        "test_it.py",
        """
        from client import ask
        from tokentape.replay import Control

        def test_forgotten(tape):
            ask(tape.url, "ho")
            ask(tape.url, "hum")
            Control(tape.url).reset()

        def test_shared(tape_factory):
            with tape_factory("tapes/test_forgotten.tape") as tape:
                ask(tape.url, "ho")
                Control(tape.url).reset()
                ask(tape.url, "hum")
        """,
    )
    chat(project.folder / "tapes" / "test_forgotten.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"passed": 1, "failed": 1}, ran.output
    assert "the request has 'hum'" in ran.output
    assert "more" not in ran.output


def test_a_miss_that_the_client_swallowed_fails_the_test_with_the_difference(project):
    project.write(
        "test_it.py",
        """
        from client import ask

        def test_it(tape):
            ask(tape.url, "hello")

        def test_next():
            pass
        """,
    )
    chat(project.folder / "tapes" / "test_it.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"failed": 1, "passed": 1}
    assert "a request was not in the recording" in ran.output
    assert "nearest recorded request: POST /v1/chat/completions" in ran.output
    assert "body.messages[0].content: recorded 'hi', the request has 'hello'" in ran.output


def test_a_miss_is_explained_beside_the_error_of_the_client(project):
    project.write(
        "test_it.py",
        """
        import openai

        def test_it(tape):
            client = openai.OpenAI(base_url=tape.base_url, api_key="none")
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
        """,
    )
    chat(project.folder / "tapes" / "test_it.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"failed": 1}
    assert "NotFoundError" in ran.output
    assert "Captured tape call" in ran.output
    assert (
        "body.stream: recorded True, absent in the request" in ran.output.partition("Captured tape call")[2]
    )


def test_a_miss_before_or_after_a_test_is_of_that_test_and_no_other(project):
    project.write(
        "test_it.py",
        """
        import pytest
        from client import ask

        @pytest.fixture
        def fails(tape):
            assert ask(tape.url, "before")[0] == 200

        @pytest.fixture
        def swallows(tape):
            ask(tape.url, "before")

        @pytest.fixture
        def after(tape):
            yield
            ask(tape.url, "after")

        pytestmark = pytest.mark.tape("weather.tape")

        def test_setup(fails):
            pass

        def test_call(swallows):
            pass

        def test_teardown(after):
            pass

        def test_last():
            pass
        """,
    )
    chat(project.folder / "weather.tape", "hi")
    ran = project.run("-rfEp")
    assert ran.outcomes == {"passed": 2, "failed": 1, "error": 2}, ran.output
    summary = ran.output.partition("short test summary info")[2]
    for line in (
        "FAILED test_it.py::test_call",
        "ERROR test_it.py::test_setup",
        "ERROR test_it.py::test_teardown",
    ):
        assert line in summary
    assert ran.output.count("recorded 'hi', the request has 'before'") >= 2
    assert "recorded 'hi', the request has 'after'" in ran.output


def test_every_request_of_threads_is_counted(project):
    project.write(
        "test_it.py",
        """
        from concurrent.futures import ThreadPoolExecutor

        import pytest
        from client import ask

        @pytest.mark.tape(exhausted="cycle")
        def test_it(tape):
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(lambda _: ask(tape.url), range(40)))
            assert {status for status, _ in found} == {200}
            assert tape.stats.hits == 40
        """,
    )
    chat(project.folder / "tapes" / "test_it.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"passed": 1}, ran.output


def test_asynchronous_tests_and_clients_ask_it(project):
    project.write(
        "test_it.py",
        """
        import asyncio
        import httpx
        import openai
        import pytest

        MESSAGES = [{"role": "user", "content": "hi"}]
        BODY = {"model": "m", "stream": True, "messages": MESSAGES}

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        @pytest.mark.tape("weather.tape")
        async def test_openai(tape):
            async with openai.AsyncOpenAI(base_url=tape.base_url, api_key="none") as client:
                stream = await client.chat.completions.create(model="m", stream=True, messages=MESSAGES)
                assert [chunk.choices[0].delta.content async for chunk in stream] == ["ih"]

        @pytest.mark.anyio
        @pytest.mark.tape("weather.tape")
        async def test_httpx(tape):
            async with httpx.AsyncClient() as client:
                answer = await client.post(tape.base_url + "/chat/completions", json=BODY)
            assert answer.text.endswith("data: [DONE]\\n\\n")

        @pytest.mark.tape("weather.tape")
        def test_aiohttp(tape):
            aiohttp = pytest.importorskip("aiohttp")

            async def main():
                async with aiohttp.ClientSession() as client:
                    async with client.post(tape.base_url + "/chat/completions", json=BODY) as answer:
                        return await answer.text()

            assert asyncio.run(main()).endswith("data: [DONE]\\n\\n")
        """,
    )
    chat(project.folder / "weather.tape", "hi")
    ran = project.run()
    assert set(ran.outcomes) <= {"passed", "skipped"}, ran.output
    assert ran.outcomes["passed"] >= 2


@pytest.mark.parametrize("library", ["requests", "httpx", "httpx2"])
def test_clients_that_are_not_asynchronous_ask_it_too(project, library):
    pytest.importorskip(library)
    project.write(
        "test_it.py",
        f"""
        import {library} as library

        BODY = {{"model": "m", "stream": True, "messages": [{{"role": "user", "content": "hi"}}]}}

        def test_it(tape):
            answer = library.post(tape.base_url + "/chat/completions", json=BODY)
            assert answer.text.endswith("data: [DONE]\\n\\n")
            assert tape.all_played
        """,
    )
    chat(project.folder / "tapes" / "test_it.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"passed": 1}, ran.output


def test_anthropic_asks_the_root(project):
    project.write(
        "test_it.py",
        """
        import anthropic

        def test_it(tape):
            client = anthropic.Anthropic(base_url=tape.url, api_key="none")
            message = {"role": "user", "content": "hi"}
            with client.messages.stream(model="claude", max_tokens=9, messages=[message]) as stream:
                assert "".join(stream.text_stream)
            assert tape.all_played
        """,
    )
    message = {"role": "user", "content": "hi"}
    body = {"model": "claude", "max_tokens": 9, "messages": [message], "stream": True}
    path = project.folder / "tapes" / "test_it.tape"
    path.parent.mkdir()
    pieces = [(number, piece) for number, piece in enumerate(anthropic_messages().pieces, 2)]
    tape(path, exchange(path=b"/v1/messages", body=json.dumps(body).encode(), pieces=pieces, end_ms=900))
    ran = project.run()
    assert ran.outcomes == {"passed": 1}, ran.output


def test_a_mark_has_its_own_speed_and_others_that_of_the_option(project):
    project.write(
        "test_it.py",
        """
        import time
        import pytest
        from client import ask

        @pytest.mark.tape("weather.tape", speed=2)
        def test_mark(tape):
            begin = time.monotonic()
            ask(tape.url)
            assert time.monotonic() - begin >= 0.1

        @pytest.mark.tape("weather.tape")
        def test_option(tape):
            begin = time.monotonic()
            ask(tape.url)
            assert time.monotonic() - begin >= 0.4

        """,
    )
    chat(project.folder / "weather.tape", "hi")
    ran = project.run("--tape-speed", "0.5")
    assert ran.outcomes == {"passed": 2}, ran.output
    assert project.run("--tape-speed", "instant").outcomes == {"passed": 1, "failed": 1}


def test_the_factory_opens_several_in_one_test_and_one_for_a_module(project):
    project.write(
        "sub/test_it.py",
        """
        import pytest
        from client import ask

        @pytest.fixture(scope="module")
        def shared(tape_factory):
            with tape_factory("weather.tape", exhausted="cycle") as tape:
                yield tape

        def test_two(tape_factory):
            with tape_factory("weather.tape") as one, tape_factory("more.tape") as two:
                assert ask(one.url)[0] == ask(two.url, "ho")[0] == 200
                assert one.url != two.url

        def test_first(shared):
            assert ask(shared.url)[0] == 200

        def test_misses(shared):
            ask(shared.url, "hello")

        def test_last(shared):
            assert ask(shared.url)[0] == 200
            assert shared.stats.hits == 2

        def test_misses_in_a_block(tape_factory):
            with tape_factory("more.tape") as tape:
                ask(tape.url)
        """,
    )
    chat(project.folder / "sub" / "weather.tape", "hi")
    chat(project.folder / "sub" / "more.tape", "ho")
    ran = project.run("-rf")
    assert ran.outcomes == {"failed": 2, "passed": 3}, ran.output
    failed = [line.split()[1] for line in ran.output.splitlines() if line.startswith("FAILED")]
    assert failed == ["sub/test_it.py::test_misses", "sub/test_it.py::test_misses_in_a_block"]


def test_a_miss_after_a_hundred_others_still_fails_its_test(project):
    project.write(
        "test_it.py",
        """
        import pytest
        from client import ask

        @pytest.fixture(scope="module")
        def shared(tape_factory):
            with tape_factory("weather.tape") as tape:
                yield tape

        @pytest.mark.parametrize("count", [101, 0, 2])
        def test_it(shared, count):
            for number in range(count):
                ask(shared.url, str(number))
        """,
    )
    chat(project.folder / "weather.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"failed": 2, "passed": 1}
    assert "... and 1 more\n" in ran.output
    assert "... and 2 more\n" in ran.output


def test_a_request_that_comes_more_often_than_it_was_recorded_fails_the_test(project):
    project.write(
        "test_it.py",
        """
        from client import ask

        def test_it(tape):
            assert [ask(tape.url)[0] for _ in range(2)] == [200, 404]
        """,
    )
    chat(project.folder / "tapes" / "test_it.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"failed": 1}
    assert "was recorded once and has been asked for more often" in ran.output


def test_the_nearest_mark_says_how_requests_are_matched(project):
    project.write(
        "test_it.py",
        """
        import pytest
        from client import ask

        pytestmark = pytest.mark.tape("weather.tape", exhausted="last")

        @pytest.mark.tape(ignore="$.messages")
        def test_it(tape):
            assert [ask(tape.url, str(number))[0] for number in range(3)] == [200, 200, 200]

        def test_factory(tape_factory):
            with tape_factory("weather.tape", match=("method", "path"), exhausted="cycle") as tape:
                assert [ask(tape.url, str(number))[0] for number in range(3)] == [200, 200, 200]
        """,
    )
    chat(project.folder / "weather.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"passed": 2}, ran.output


def test_a_mark_has_a_timing_and_a_test_steers_it(project):
    project.write(
        "test_it.py",
        """
        from threading import Thread

        import pytest
        from client import ask
        from tokentape.replay import Timing

        @pytest.mark.tape("weather.tape", timing=Timing.of(ttft="10h"))
        def test_it(tape):
            tape.pause()
            found = []
            asks = Thread(target=lambda: found.append(ask(tape.url)[0]))
            asks.start()
            tape.set_speed(1e6)
            tape.resume()
            asks.join(20)
            assert found == [200]

        @pytest.mark.tape("weather.tape")
        def test_instant(tape):
            with pytest.raises(ValueError, match="found instant; give its mark one, as in speed=1"):
                tape.set_speed(2)
            with pytest.raises(ValueError, match="expected a positive number"):
                tape.set_speed(0)
        """,
    )
    chat(project.folder / "weather.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"passed": 2}, ran.output


def test_faults_are_those_of_the_mark_until_the_test_has_others(project):
    project.write(
        "test_it.py",
        """
        import http.client

        import openai
        import pytest
        from client import ask

        pytestmark = pytest.mark.tape("weather.tape", faults=["status=503"], exhausted="cycle")

        @pytest.mark.tape(faults=["status=429,retry-after=0,times=1"])
        def test_a_retry(tape):
            client = openai.OpenAI(base_url=tape.base_url, api_key="none", max_retries=1)
            message = {"role": "user", "content": "hi"}
            stream = client.chat.completions.create(model="m", stream=True, messages=[message])
            assert [chunk.choices[0].delta.content for chunk in stream] == ["ih"]
            assert [seen.status for seen in tape.requests] == [429, 200]
            assert [fault.times for fault in tape.stats.faults] == [1]
            assert tape.all_played

        def test_others(tape):
            assert [str(fault) for fault in tape.faults] == ["status=503"]
            assert ask(tape.url)[0] == 503
            tape.set_faults(["truncate@event=1"])
            with pytest.raises(http.client.IncompleteRead):
                ask(tape.url)
            with pytest.raises(ValueError, match="expected a kind of fault"):
                tape.set_faults(["statu=500"])
            tape.set_faults([])
            assert ask(tape.url)[0] == 200 and not tape.faults

        @pytest.mark.tape(faults=[])
        def test_none(tape):
            assert ask(tape.url)[0] == 200

        def test_factory(tape_factory):
            with tape_factory("weather.tape", faults=["status=500"]) as tape:
                assert ask(tape.url)[0] == 500
        """,
    )
    chat(project.folder / "weather.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"passed": 4}, ran.output


def test_budgets_are_from_the_cassette(project):
    project.write(
        "test_it.py",
        """
        import pytest

        @pytest.mark.tape("weather.tape")
        def test_it(tape):
            assert tape.ttft_ms == 50
            assert tape.ttfts_ms == (40, 50)
            assert not tape.all_played
            assert [item.path for item in tape.unused] == ["/v1/chat/completions"] * 2
        """,
    )
    chat(project.folder / "weather.tape", "hi", "ho")
    ran = project.run()
    assert ran.outcomes == {"passed": 1}, ran.output


def test_a_mark_that_is_none_is_one_line(project):
    project.write(
        "test_it.py",
        """
        import pytest

        @pytest.mark.tape("weather.tape", misses="maybe")
        def test_misses(tape):
            pass

        @pytest.mark.tape("weather.tape", record="--filter ~all")
        def test_record(tape):
            pass

        @pytest.mark.tape("weather.tape", colour="blue")
        def test_unknown(tape):
            pass

        @pytest.mark.tape("weather.tape", speed="slow")
        def test_speed(tape):
            pass

        @pytest.mark.tape("weather.tape", ignore="user")
        def test_ignore(tape):
            pass

        @pytest.mark.tape("weather.tape", timing="1s")
        def test_timing(tape):
            pass

        @pytest.mark.tape(42)
        def test_path(tape):
            pass

        @pytest.mark.tape("weather.tape", faults=["statu=429"])
        def test_fault(tape):
            pass

        @pytest.mark.tape("weather.tape", faults="status=429")
        def test_no_list(tape):
            pass

        @pytest.mark.tape("weather.tape", faults=429)
        def test_number(tape):
            pass

        def test_factory(tape_factory):
            with tape_factory("weather.tape", faults=["status=429,split=1"]):
                pass
        """,
    )
    chat(project.folder / "weather.tape", "hi")
    ran = project.run()
    assert ran.outcomes == {"error": 10, "failed": 1}
    assert "tape: fault 'statu=429': expected a kind of fault" in ran.output
    assert "tape: expected a list of faults, found the text 'status=429'; put it in brackets" in ran.output
    assert "tape: expected a list of faults, found 429" in ran.output
    assert "tape: fault 'status=429,split=1': expected an option" in ran.output
    assert "found 'user', which does not begin with $" in ran.output
    assert "expected a Timing such as Timing.of(ttft='1s'), found '1s'" in ran.output
    assert "tape: expected str, bytes or os.PathLike object, not int" in ran.output
    assert "expected misses to be 'fail' or 'allow', found 'maybe'" in ran.output
    assert 'expected record to be a list such as ["--filter", "~all"]' in ran.output
    assert "unexpected keyword argument 'colour'" in ran.output
    assert "expected a positive number such as 1, 2.5 or 0.5, or 'instant', found 'slow'" in ran.output
    assert "Traceback" not in ran.output
    assert ran.output.count("testing/plugin.py") == 0, ran.output


def test_a_cassette_that_is_absent_says_what_to_run(project):
    project.write(
        "test_it.py",
        """
        import pytest

        def test_nowhere(tape):
            pass

        @pytest.mark.tape(upstream="https://api.example")
        def test_somewhere(tape):
            pass
        """,
    )
    ran = project.run("--tape-mode", "none")
    assert ran.outcomes == {"error": 2}
    assert "tapes/test_nowhere.tape: there is no such cassette" in ran.output
    assert "record it with: tokentape record --upstream URL -o " in ran.output
    assert "record it with: pytest 'test_it.py::test_somewhere' --tape-mode once" in ran.output
    assert not (project.folder / "tapes").exists()


def test_a_folder_that_cannot_be_written_to_is_one_line(project):
    project.write(
        "test_it.py", ASKS.format(mark="@pytest.mark.tape('client.py/a.tape', upstream='http://x')")
    )
    ran = project.run("--tape-mode", "once")
    assert ran.outcomes == {"error": 1}
    assert "client.py/a.tape: cannot be recorded: expected a folder to write to, found: " in ran.output
    assert "Traceback" not in ran.output
    assert ran.output.count("testing/") == 0, ran.output


def test_in_ci_nothing_is_recorded(project):
    project.write("test_it.py", ASKS.format(mark="@pytest.mark.tape(upstream='http://127.0.0.1:1')"))
    ran = project.run(CI="true")
    assert ran.outcomes == {"error": 1}
    assert "nothing is recorded here (--tape-mode none)" in ran.output


@pytest.mark.parametrize("content", [b"", b"no cassette", b"damaged"], ids=["empty", "other", "damaged"])
def test_a_file_that_is_no_whole_cassette_is_one_line(project, content):
    project.write("test_it.py", ASKS.format(mark=""))
    path = chat(project.folder / "tapes" / "test_it.tape", "hi", "ho")
    if content == b"damaged":
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 1
    path.write_bytes(content)
    ran = project.run()
    assert ran.outcomes == {"error": 1}
    said = [line for line in ran.output.splitlines() if "test_it.tape" in line]
    assert len(said) == 1, ran.output
    assert "Error:" not in ran.output


def test_a_run_of_pytest_without_cassettes_loads_no_server(project):
    program = (
        "import sys, pytest\n"
        "pytest.main(['--markers', '-p', 'tokentape'])\n"
        "print([name for name in sorted(sys.modules) if name.startswith('tokentape.')])\n"
        "print([name for name in ('pandas', 'mitmproxy', 'msgspec', 'httptools') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.folder,
        env=project.env(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    ours, others = done.stdout.splitlines()[-2:]
    assert ours == str(
        [
            "tokentape.replay",
            "tokentape.replay.testing",
            "tokentape.replay.testing._choosing",
            "tokentape.replay.testing._open_tapes",
            "tokentape.replay.testing._played",
            "tokentape.replay.testing.plugin",
        ]
    )
    assert others == "[]"
