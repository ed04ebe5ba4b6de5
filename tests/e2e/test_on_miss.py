"""What is not recorded is asked live: the command between a client and an API that both are the test."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest

from tests.e2e.client import MESSAGES
from tests.e2e.processes import TOKENTAPE, Process, run, wait_until
from tests.e2e.routes import port_of
from tests.e2e.upstream import upstream
from tests.e2e.wire import Listener, Peer, chunk, dechunked, dial, fields, head
from tests.replay.recordings import exchange, post, tape
from tests.streams import openai_usage
from tokentape import cassette
from tokentape.replay import Live, OnMiss, serve

KNOWN, NEW = b'{"model":"known"}', b'{"model":"new"}'
STREAMED = ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")
OK = head("HTTP/1.1 200 OK", *STREAMED)
END = b"0\r\n\r\n"
SECRET = "Bearer " + "k" * 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tape(tmp_path / "session.tape", exchange(body=KNOWN))


@pytest.fixture(params=["http", "https"])
def api(request, authority) -> Iterator[Listener]:
    with Listener(authority if request.param == "https" else None) as listener:
        yield listener


@pytest.fixture
def plain() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture
def trusts(home, trusting) -> dict[str, str]:
    return home | {"SSL_CERT_FILE": trusting[1].partition("=")[2]}


def asking(how, path, url, env, *options) -> Process:
    made = ("replay", path, "--on-miss", how, url, "--speed", "instant", *options)
    return Process.tokentape(*made, env=env)


def connected(process: Process) -> Peer:
    return dial(port_of(process))


def recorded(path: Path) -> list[bytes]:
    with cassette.open(path) as found:
        return [each.request.body for each in cassette.exchanges(found) if each.request]


@pytest.mark.parametrize("how", ["forward", "record"])
def test_pieces_go_on_one_by_one_over_http_and_https(how, api, path, trusts):
    pieces = [b"data: %d\r\n\xc3" % number for number in range(20)]
    with asking(how, path, api.url, trusts) as process, connected(process) as client:
        client.write(post(NEW, headers=f"Authorization: {SECRET}\r\nX-Own: a  b\r\n"))
        with api.accept() as server:
            asked = server.read_to(b"\r\n\r\n")
            assert server.read(len(NEW)) == NEW
            found = {name.lower(): value for name, value in fields(asked)}
            assert asked.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
            assert found[b"host"] == api.address
            assert found[b"authorization"] == SECRET.encode()
            assert found[b"x-own"] == b"a  b"
            server.write(OK)
            answer = client.read_to(b"\r\n\r\n")
            for piece in pieces:  # each is with the client before the next is sent
                server.write(chunk(piece))
                assert client.read(len(chunk(piece))) == chunk(piece)
            server.write(END)
            assert client.read(len(END)) == END
        assert answer == OK
        client.write(post(KNOWN))
        assert client.read_to(END).startswith(b"HTTP/1.1 200 OK")
    assert process.returncode == 0
    assert "asked live: POST /v1/chat/completions -> 200\n" in process.stderr
    assert SECRET.split()[1] not in process.stderr + process.stdout
    assert recorded(path) == [KNOWN] + [NEW] * (how == "record")


def test_what_was_recorded_is_not_asked_again_and_streams_the_same(path, home):
    with upstream() as server, asking("record", path, server.url, home) as process:
        server.streams["new"] = openai_usage()
        with openai.OpenAI(base_url=f"{process.url}/v1", api_key="k" * 20, max_retries=0) as client:

            def ask():
                stream = client.chat.completions.create(model="new", messages=MESSAGES, stream=True)
                return [chunk.model_dump() for chunk in stream]

            first = ask()
            assert [ask() for _ in range(5)] == [first] * 5
            assert len(server.seen) == 1
        process.stop()
        assert "served 5, missed 0; 1 of 2 never played; asked live 1 time, 1 recorded" in process.stdout
        assert re.search(r"\n +5 +200 +POST /v1/chat/completions .*exchange 0 of section 1\n", process.stdout)
        assert process.stderr.count("asked live: ") == 1
        assert "recorder: recorded 1 exchange" in process.stderr
    assert process.returncode == 0
    with asking("record", path, "http://127.0.0.1:9", home) as process, connected(process) as client:
        before = path.read_bytes()
        body = json.dumps({"messages": MESSAGES, "model": "new", "stream": True}).encode()
        client.write(post(body))
        assert client.read_to(END).startswith(b"HTTP/1.1 200 OK")
    assert path.read_bytes() == before  # nothing was missed, so nothing was begun


@pytest.mark.parametrize("how", ["forward", "record"])
def test_any_answer_with_a_length_is_known_as_soon_as_the_client_has_it(how, path, home, plain):
    body = b'{"object":"list"}'
    with asking(how, path, plain.url, home, "--json") as process, connected(process) as client:
        for number in range(10):
            asked = post(b'{"n":%d}' % number, path="/v1/other")
            client.write(asked)
            with plain.accept() as server:
                server.read_to(b'"n":%d}' % number)
                server.write(head("HTTP/1.1 500 Oh", ("Content-Length", str(len(body)))) + body)
                answer = client.read_to(body)
            assert answer.startswith(b"HTTP/1.1 500 Oh\r\n")
            if how == "record":
                client.write(asked)
                assert client.read_to(body) == answer
    live = json.loads(process.stdout)["live"]
    count = 10 * (how == "record")
    assert live == {"forwarded": 10, "recorded": count, "failed": 0, "recorder_failure": None}
    assert json.loads(process.stdout)["hits"] == count


@pytest.mark.parametrize("how", ["forward", "record"])
def test_answers_without_a_body_keep_the_connection(how, path, home, plain):
    with asking(how, path, plain.url, home) as process, connected(process) as client:
        for method, answer in (
            ("HEAD", head("HTTP/1.1 200 OK", ("Content-Length", "1000"))),
            ("DELETE", head("HTTP/1.1 204 No Content")),
            ("GET", head("HTTP/1.1 304 Not Modified", ("ETag", "x"))),
            ("OPTIONS", head("HTTP/1.1 200 OK", ("Content-Length", "0"))),
        ):
            for _ in range(1 + (how == "record")):
                client.write(f"{method} /v1/files/x HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                if _ == 0:
                    with plain.accept() as server:
                        assert server.read_to(b"\r\n\r\n").startswith(method.encode())
                        server.write(answer)
                        assert client.read_to(b"\r\n\r\n") == answer
                else:
                    assert client.read_to(b"\r\n\r\n") == answer


def test_a_body_that_ends_with_the_connection_and_interim_answers_and_trailers(path, home, plain):
    with asking("forward", path, plain.url, home) as process, connected(process) as client:
        client.write(post(NEW))
        with plain.accept() as server:
            server.read_to(NEW)
            server.write(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\n\r\none")
            assert client.read_to(b"one\r\n") == (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n"
            )
            server.write(b"two")
            assert client.read_to(b"two\r\n") == b"3\r\ntwo\r\n"
        assert client.read(len(END)) == END
        client.write(post(NEW))
        with plain.accept() as server:
            server.read_to(NEW)
            server.write(OK + chunk(b"x") + b"0\r\nX-Sum: 1\r\n\r\nHTTP/1.1 200 Smuggled\r\n\r\n")
            assert client.read_to(b"X-Sum: 1\r\n\r\n") == OK + chunk(b"x") + b"0\r\nX-Sum: 1\r\n\r\n"
        client.write(post(NEW, version="1.0"))
        with plain.accept() as server:
            server.read_to(NEW)
            server.write(OK + chunk(b"one") + chunk(b"two") + END)
        answer, how = client.read_all()
        assert how == "closed"
        assert answer.endswith(b"connection: close\r\n\r\nonetwo")
        assert b"ransfer-" not in answer


@pytest.mark.parametrize("how", ["forward", "record"])
def test_chunked_requests_that_wait_for_a_word_arrive_whole(how, path, home, plain):
    with asking(how, path, plain.url, home) as process, connected(process) as client:
        client.write(
            b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nConnection: X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n"
            b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.read_to(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        for piece in (b"ab", b"cde"):
            client.write(chunk(piece))
        client.write(END)
        with plain.accept() as server:
            asked = server.read_to(b"\r\n\r\n")
            assert server.read(5) == b"abcde"
            lower = asked.lower()
            assert b"content-length: 5\r\n" in lower
            for name in (b"expect", b"x-hop", b"te:", b"transfer-encoding"):
                assert name not in lower
            server.write(head("HTTP/1.1 200 OK", ("Content-Length", "2")) + b"ok")
            assert client.read_to(b"\r\n\r\nok").startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("how", ["forward", "record"])
def test_big_bodies_arrive_both_ways_and_a_client_that_does_not_read_stops_the_api(how, path, trusts, api):
    size = 48 << 20
    asked = os.urandom(1 << 20) * 8
    with (
        asking(how, path, api.url, trusts) as process,
        connected(process) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        sent = pool.submit(client.write, post(asked, path="/v1/files"))
        with api.accept() as server:
            server.read_to(b"\r\n\r\n")
            assert server.read(len(asked)) == asked
            sent.result(30)
            server.write(head("HTTP/1.1 200 OK", ("Content-Length", str(size))))
            piece = bytes(range(256)) * 256
            server.sock.settimeout(2)
            passed = 0
            with pytest.raises(TimeoutError):  # nobody reads: it cannot all be taken
                while passed < size:
                    passed += server.sock.send(piece)
            assert passed < size
            server.sock.settimeout(30)
            known = post(KNOWN)
            with connected(process) as other:  # and nobody else is held up
                other.write(known)
                other.read_to(END)
            piece_of = memoryview(piece)

            def rest():
                done = passed
                while done < size:
                    part = piece_of[done % len(piece) :]
                    done += server.sock.send(part[: size - done])

            done = pool.submit(rest)
            client.read_to(b"\r\n\r\n")
            assert client.read(size) == piece * (size // len(piece))
            done.result(30)


@pytest.mark.parametrize("how", ["forward", "record"])
@pytest.mark.parametrize("when", ["before the head", "in the body"])
def test_a_client_that_hangs_up_is_hung_up_on(how, when, path, home, plain):
    with asking(how, path, plain.url, home) as process:
        client = connected(process)
        client.write(post(NEW))
        with plain.accept() as server:
            server.read_to(NEW)
            if when == "in the body":
                server.write(OK + chunk(b"x"))
                client.read_to(chunk(b"x"))
            client.close()
            assert server.read_all()[0] == b""  # it ends, in time
        assert process.wait_for("given up by the client")
        with connected(process) as client:
            client.write(post(KNOWN))
            client.read_to(END)


@pytest.mark.parametrize("how", ["forward", "record"])
def test_an_answer_that_is_cut_off_is_cut_off_for_the_client(how, path, home, plain):
    with asking(how, path, plain.url, home) as process, connected(process) as client:
        client.write(post(NEW))
        with plain.accept() as server:
            server.read_to(NEW)
            server.write(OK + chunk(b"x"))
            client.read_to(chunk(b"x"))
            server.reset()
        assert client.read_all()[0] == b""
        assert process.wait_for("200, cut off before its end")


@pytest.mark.parametrize("how", ["forward", "record"])
def test_an_api_that_is_not_there_is_a_502_in_a_line_said_once(how, path, home):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with asking(how, path, url, home) as process, connected(process) as client:
            for _ in range(2):
                client.write(post(NEW))
                answer = client.read_to(b"\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 502 ")
                length = int(dict(fields(answer))[b"content-length"])
                error = json.loads(client.read(length))["error"]
                assert error["code"] == "not_answered"
                assert error["message"].startswith(f"{url} did not answer: ")
                assert "\n" not in error["message"]
        assert process.stderr.count(error["message"]) == 1
        assert "asked live 2 times, 0 recorded, 2 not answered" in process.stdout


def test_a_certificate_that_is_not_trusted_is_refused(path, home, authority):
    with Listener(authority) as api, asking("forward", path, api.url, home) as process:
        with connected(process) as client:
            client.write(post(NEW))
            assert client.read_to(b"\r\n\r\n").startswith(b"HTTP/1.1 502 ")
        assert process.wait_for("did not answer: its certificate is not trusted: ")


def test_what_is_no_http_is_a_502(path, home, plain):
    with asking("forward", path, plain.url, home) as process, connected(process) as client:
        for said in (b"SSH-2.0-x\r\n", b""):
            client.write(post(NEW))
            with plain.accept() as server:
                server.read_to(NEW)
                server.write(said)
            assert client.read_to(b"\r\n\r\n").startswith(b"HTTP/1.1 502 ")
            client.read_to(b"null}}")


def test_what_is_asked_more_often_than_recorded_is_recorded_so_often(path, home, plain):
    with (
        asking("record", path, plain.url, home, "--exhausted", "error") as process,
        connected(process) as client,
    ):
        client.write(post(KNOWN))
        client.read_to(END)
        for number in range(4):
            client.write(post(KNOWN if number < 2 else NEW))
            with plain.accept() as server:
                server.read_to(KNOWN if number < 2 else NEW)
                server.write(OK + chunk(b"%d" % number) + END)
            assert client.read_to(END) == OK + chunk(b"%d" % number) + END
    assert recorded(path) == [KNOWN, KNOWN, KNOWN, NEW, NEW]
    assert "asked live 4 times, 4 recorded" in process.stdout


@pytest.mark.parametrize("how", ["forward", "record"])
def test_in_recorded_order_only_what_comes_last_can_be_recorded(how, tmp_path, home, plain):
    path = tape(tmp_path / "a.tape", exchange(body=KNOWN), exchange(1, body=b"last", start_ms=9))
    options = ("--order", "recorded", "--exhausted", "error")
    with asking(how, path, plain.url, home, *options) as process, connected(process) as client:

        def ask(body: bytes, *, live: bool) -> bytes:
            client.write(post(body))
            if live:
                with plain.accept() as server:
                    server.read_to(body)
                    server.write(OK + chunk(b"x") + END)
                return client.read_to(END)
            answer = client.read_to(b"\r\n\r\n")
            client.read_to(b"null}}" if b" 404 " in answer else END)
            return answer

        assert b" 404 " in ask(b"last", live=False)
        assert ask(KNOWN, live=False).startswith(OK[:15])
        assert (b" 404 " in ask(NEW, live=how == "forward")) == (how == "record")
        assert ask(b"last", live=False).startswith(OK[:15])
        for body in (NEW, b"newer", NEW):
            assert ask(body, live=True) == OK + chunk(b"x") + END
    assert recorded(path) == [KNOWN, b"last"] + [NEW, b"newer", NEW] * (how == "record")


def test_two_that_ask_the_same_at_once_are_both_recorded(path, home, plain):
    with (
        asking("record", path, plain.url, home) as process,
        connected(process) as one,
        connected(process) as two,
    ):
        one.write(post(NEW))
        two.write(post(NEW))
        with plain.accept() as first, plain.accept() as second:
            for number, server in enumerate((first, second)):
                server.read_to(NEW)
                server.write(OK + chunk(b"%d" % number) + END)
            live = {client.read_to(END) for client in (one, two)}
        for _ in range(2):
            one.write(post(NEW))
        assert {one.read_to(END) for _ in range(2)} == live
    assert recorded(path) == [KNOWN, NEW, NEW]


def test_requests_with_secrets_are_found_again(path, home, plain):
    key = "sk-" + "Ab1" * 16
    body = json.dumps(
        {"model": "new", "messages": [{"role": "user", "content": f"my key is {key}"}]}
    ).encode()
    asked = post(body, headers=f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n")
    with asking("record", path, plain.url, home) as process, connected(process) as client:
        client.write(asked)
        with plain.accept() as server:
            assert key.encode() in server.read_to(b"\r\n\r\n")
            assert server.read(len(body)) == body
            server.write(OK + chunk(b"x") + END)
        client.read_to(END)
        client.write(asked)
        assert dechunked(client.read_to(END).partition(b"\r\n\r\n")[2]) == b"x"
    assert key not in process.stderr + process.stdout
    assert key.encode() not in path.read_bytes()


@pytest.mark.parametrize("how", ["forward", "record"])
def test_at_the_stop_live_answers_may_end_and_nothing_is_lost(how, path, home, plain):
    with asking(how, path, plain.url, home) as process, connected(process) as client:
        client.write(post(NEW))
        with plain.accept() as server:
            server.read_to(NEW)
            server.write(OK + chunk(b"one"))
            client.read_to(chunk(b"one"))
            process._process.send_signal(signal.SIGINT)
            assert process.wait_for("stopping: answers have 3 s to end")
            server.write(chunk(b"two") + END)
            assert client.read_to(END) == chunk(b"two") + END
        process.stop()
    assert process.returncode == 0
    if how == "record":
        assert "recorder: recorded 1 exchange" in process.stderr
        assert "asked live 1 time, 1 recorded" in process.stdout
        assert recorded(path) == [KNOWN, NEW]


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    tasks = Path(f"/proc/{pid}/task").glob("*/children") if found.exists() else []
    return [int(number) for each in tasks for number in each.read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def asked_once(process: Process, api: Listener, client: Peer) -> int:
    """Have one request recorded, and return the recorder's process."""
    client.write(post(NEW))
    with api.accept() as server:
        server.read_to(NEW)
        server.write(OK + chunk(b"x") + END)
    client.read_to(END)
    (found,) = children_of(process._process.pid)
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc here")


def given_up(process: Process, api: Listener) -> None:
    """Have an answer begun that its client hangs up on; the API has seen that when this returns."""
    with connected(process) as client:
        client.write(post(NEW))
        with api.accept() as server:
            server.read_to(NEW)
            server.write(OK + chunk(b"x"))
            client.read_to(chunk(b"x"))
            client.close()
            server.read_all()


def test_what_a_client_gave_up_is_recorded_and_comes_again_as_it_was_cut(path, home, plain):
    with asking("record", path, plain.url, home) as process:
        given_up(process, plain)
        with connected(process) as client:
            client.write(post(NEW))
            assert client.read_all() == (OK + chunk(b"x"), "closed")
    assert "served 1, missed 0; 1 of 2 never played; asked live 1 time, 1 recorded" in process.stdout


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Have a process stand still, and go on afterwards."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@needs_proc
def test_who_asks_again_waits_until_what_was_given_up_is_recorded_but_not_for_ever(path, home, plain):
    again = post(NEW, version="1.0")
    with asking("record", path, plain.url, home) as process, connected(process) as first:
        first.write(post(b"first"))
        with plain.accept() as server:
            server.read_to(b"first")
            server.write(OK + END)
        first.read_to(END)
        (recorder,) = children_of(process._process.pid)
        with connected(process) as client, connected(process) as gone, connected(process) as other:
            client.write(post(NEW))
            with plain.accept() as server:
                server.read_to(NEW)
                server.write(OK + chunk(b"x"))
                client.read_to(chunk(b"x"))
                with stopped(recorder):
                    client.close()
                    assert process.wait_for("given up by the client")
                    gone.write(again)  # one that waits may leave, too
                    other.write(again)
                    assert select.select([other.sock], [], [], 0.3)[0] == []
                    gone.close()
                assert other.read_all()[0].endswith(b"\r\n\r\nx")
                assert server.read_all()[0] == b""
        with connected(process) as client, connected(process) as other:
            client.write(post(b"second"))
            with plain.accept() as server:
                server.read_to(b"second")
                server.write(OK + chunk(b"y"))
                client.read_to(chunk(b"y"))
                with stopped(recorder):
                    client.close()
                    wait_until(lambda: process.stderr.count("given up by the client") == 2, "hung up on")
                    other.write(post(b"second"))
                    time.sleep(5.5)  # longer than anybody waits for a recorder
                with plain.accept() as another:
                    another.read_to(b"second")
                    another.write(OK + chunk(b"z") + END)
                assert other.read_to(END) == OK + chunk(b"z") + END
    # The other one has it; so has the one that left, if that was not seen before the recorder went on.
    assert re.search(r"served [12], missed 0", process.stdout)
    assert "asked live 4 times, 4 recorded" in process.stdout


@needs_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_a_recorder_that_ends_early_is_said_and_misses_are_not_asked_unrecorded(how, path, home, plain):
    with asking("record", path, plain.url, home) as process, connected(process) as client:
        os.kill(asked_once(process, plain, client), how)
        assert process.wait_for("the recorder has ended, nothing more is recorded")
        client.write(post(b"other"))
        assert client.read_to(b"\r\n\r\n").startswith(b"HTTP/1.1 502 ")
        assert b"the recorder has ended" in client.read_to(b"null}}")
        client.write(post(NEW))
        assert client.read_to(END).startswith(b"HTTP/1.1 200 OK")
    assert process.returncode == 3
    assert "not all that was asked live is recorded: the recorder has ended" in process.stderr


def test_what_can_no_longer_be_recorded_is_not_asked(path, home, plain):
    with asking("record", path, plain.url, home) as process, connected(process) as client:
        asked_once(process, plain, client)
        path.unlink()
        assert process.wait_for("the recorder has ended, nothing more is recorded")
        client.write(post(b"other"))
        assert client.read_to(b"\r\n\r\n").startswith(b"HTTP/1.1 502 ")
        assert b"the recorder has ended" in client.read_to(b"null}}")
    assert process.returncode == 3


def test_a_cassette_that_is_emptied_while_it_grows_is_said_at_the_end(path, home, plain):
    with asking("record", path, plain.url, home) as process, connected(process) as client:
        asked_once(process, plain, client)
        os.truncate(path, 0)
        for body in (b"second", b"third"):
            client.write(post(body))
            with plain.accept() as server:
                server.read_to(body)
                server.write(OK + chunk(b"x") + END)
            client.read_to(END)
    assert "asked live 3 times, 1 recorded" in process.stdout
    (line,) = (line for line in process.stderr.splitlines() if line.startswith("not all that"))
    assert line == f"not all that was asked live is recorded: expected 3 answers in {path}, found 1"
    assert process.returncode == 3


@needs_proc
def test_no_recorder_outlives_a_replay_that_was_killed(path, home, plain):
    with asking("record", path, plain.url, home) as process, connected(process) as client:
        child = asked_once(process, plain, client)
        process._process.kill()
        process._process.wait(30)
        for _ in range(600):
            if not is_running(child):
                break
            with contextlib.suppress(AssertionError):
                process.wait_for("never said", 0.05)
        assert not is_running(child)
        process.stop()
    assert recorded(path) == [KNOWN, NEW]
    with asking("record", path, plain.url, home) as process, connected(process) as client:
        client.write(post(NEW))
        client.read_to(END)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "--on-miss", "record"], "found -: standard input cannot be appended to"),
        (["a.tape.zst", "--on-miss", "record"], "tokentape convert a.tape.zst a.tape"),
        (["'*.tape", "--on-miss", "record"], "found the pattern"),
        (["a.tape", "--reload", "--on-miss", "record"], "expected --on-miss record or --reload"),
        (
            ["a.tape", "--order", "recorded", "--on-miss", "record"],
            "expected --exhausted error beside --order",
        ),
        (["a.tape", "--workers", "2", "--on-miss", "record"], "--on-miss record or --workers"),
        (["a.tape", "--on-miss", "ask"], "'ask'"),
    ],
)
def test_what_cannot_be_recorded_to_is_refused_before_anything_is_read(arguments, words):
    done = run("replay", *arguments, "https://api.openai.com", check=False)
    assert done.returncode == 2
    assert words in done.stderr.replace("\n", " ")


def test_a_file_of_options_has_a_list_of_the_two(path, home, plain, tmp_path):
    config = tmp_path / "replay.toml"
    config.write_text(f'[replay]\non-miss = ["forward", "{plain.url}"]\n')
    with (
        Process.tokentape("replay", path, "--config", config, env=home) as process,
        connected(process) as client,
    ):
        client.write(post(NEW))
        with plain.accept() as server:
            server.read_to(NEW)
            server.write(OK + END)
        assert client.read_to(END) == OK + END
    assert "asked live 1 time, 0 recorded" in process.stdout


def test_in_a_library_live_answers_do_not_stand_still_and_stats_are_there(path, plain):
    with serve(path, on_miss=OnMiss("forward", plain.url)) as replay, dial(port_of(replay)) as client:
        replay.pause()
        client.write(post(NEW) + post(NEW))  # the second waits for its turn
        for _ in range(2):
            with plain.accept() as server:
                server.read_to(NEW)
                server.write(OK + chunk(b"x"))
                client.read_to(chunk(b"x"))
                replay.set_speed(7)
                server.write(END)
                assert client.read(len(END)) == END
        stats = replay.stats
    assert (stats.misses, stats.hits, len(stats.never_played)) == (0, 0, 1)
    assert stats.live == Live(forwarded=2, recorded=0, failed=0)
    assert replay.explanations == ()


def test_the_end_of_a_block_cuts_live_answers_off(path, plain):
    with serve(path, on_miss=OnMiss("forward", plain.url)) as replay:
        client = dial(port_of(replay))
        client.write(post(NEW))
        server = plain.accept()
        server.read_to(NEW)
    with client, server:
        assert server.read_all()[0] == client.read_all()[0] == b""
    assert replay.stats.cut_off == 1


def test_without_the_recorder_it_is_said_at_the_start(path, home, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys; sys.modules['mitmproxy'] = None\n")
    paths = os.pathsep.join([str(hidden), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [*TOKENTAPE, "replay", path, "--on-miss", "record", "http://127.0.0.1:9"],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: this needs the package 'mitmproxy', which is not installed; "
        "add it with: pip install 'tokentape[record]'\n"
    )


def test_a_cassette_that_is_not_there_yet_is_begun_with_the_first_miss(tmp_path, home, plain):
    path = tmp_path / "new.tape"
    for turn in range(2):
        with asking("record", path, plain.url, home) as process, connected(process) as client:
            assert f"export OPENAI_BASE_URL={process.url}/v1\n" in process.stderr
            assert path.exists() == bool(turn)
            client.write(post(NEW))
            if not turn:
                with plain.accept() as server:
                    server.read_to(NEW)
                    server.write(OK + chunk(b"x") + END)
            assert client.read_to(END).endswith(chunk(b"x") + END)
            client.write(post(NEW))
            client.read_to(END)
        assert f"served {turn + 1}, missed 0; 0 of 1 never played" in process.stdout
    assert recorded(path) == [NEW]


def test_a_list_of_models_is_asked_for_while_none_is_known(tmp_path, home, plain):
    asked = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    path = tmp_path / "new.tape"
    with asking("record", path, plain.url, home) as process, connected(process) as client:
        for turn in range(2):
            client.write(asked)
            if not turn:
                with plain.accept() as server:
                    server.read_to(b"\r\n\r\n")
                    server.write(OK + chunk(b"{}") + END)
            assert client.read_to(END) == OK + chunk(b"{}") + END
    assert "models listed" not in process.stdout


def test_no_page_of_another_site_has_anything_asked_and_its_403_is_counted(path, plain):
    foreign = "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\n"
    rebound = post(NEW).replace(b"Host: localhost", b"Host: evil.example")
    with serve(path, on_miss=OnMiss("forward", plain.url)) as replay, dial(port_of(replay)) as client:
        for asked in (
            post(b"", path="/admin/delete", headers=foreign),
            post(NEW, method="OPTIONS", headers=foreign),
            post(NEW, headers="Sec-Fetch-Site: cross-site\r\n"),
            rebound,
        ):
            client.write(asked)
            assert client.read_to(b"\r\n\r\n").startswith(b"HTTP/1.1 403 ")
            error = client.read_to(b"null}}")
            assert b"is not in the recording and not asked live: expected " in error
            assert b'"code": "not_asked"' in error
        client.write(post(KNOWN, headers=foreign))  # what was recorded is served as ever
        assert client.read_to(END).startswith(b"HTTP/1.1 200 OK")
        client.write(post(NEW, headers="Origin: http://localhost:3000\r\nSec-Fetch-Site: cross-site\r\n"))
        with plain.accept() as server:  # the first that comes to the API
            assert b"http://localhost:3000" in server.read_to(NEW)
            server.write(OK + END)
        assert client.read_to(END) == OK + END
        seen = [(each.outcome, each.status) for each in replay.requests]
    assert seen == [*[("missed", 403)] * 4, ("served", 200), ("live", 200)]
    assert replay.stats.misses == 4
    assert {each.status for each in replay.stats.missed} == {403}
    assert replay.stats.live == Live(forwarded=1, recorded=0, failed=0)


def test_the_journal_has_the_status_as_soon_as_the_head_is_there(path, plain):
    with serve(path, on_miss=OnMiss("forward", plain.url)) as replay:

        def statuses():
            return [each.status for each in replay.requests]

        for number, status in enumerate((200, 500)):
            with dial(port_of(replay)) as client:
                client.write(post(NEW))
                with plain.accept() as server:
                    server.read_to(NEW)
                    assert statuses()[number] is None
                    server.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
                    server.write(OK.replace(b"200", b"%d" % status) + chunk(b"x"))
                    client.read_to(chunk(b"x"))
                    assert statuses()[number] == status
                    server.reset()  # the answer is cut off
                client.read_all()
        with dial(port_of(replay)) as client:
            client.write(post(NEW))
            plain.accept().close()
            assert client.read_to(b"\r\n\r\n").startswith(b"HTTP/1.1 502 ")
            assert statuses() == [200, 500, 502]


@pytest.mark.parametrize("listens", ["127.0.0.1", "0.0.0.0"])
def test_a_server_that_would_ask_itself_is_refused(path, listens):
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
        address = f"127.0.0.1:{port}"
    done = run(
        "replay",
        path,
        "--on-miss",
        "forward",
        f"http://{address}/v1",
        "--listen",
        f"{listens}:{port}",
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: expected the URL of an API to ask, found this server's own: http://{address}\n"
    )


@pytest.mark.parametrize("how", ["forward", "record"])
def test_a_server_that_asks_itself_under_another_name_says_so_after_one_request(how, path, home):
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    asked = ("--on-miss", how, f"http://127.1:{port}", "--listen", f"127.0.0.1:{port}")
    with Process(*TOKENTAPE, "replay", path, *asked, env=home) as process, connected(process) as client:
        client.write(post(NEW))
        assert b"found this server's own" in client.read_to(b"}}")
    assert "asked live 1 time, 0 recorded, 1 not answered" in process.stdout


@pytest.mark.parametrize("how", ["forward", "record"])
def test_every_address_of_this_machine_is_its_own_where_all_are_listened_on(how, path, home):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        try:
            found.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("no network but loopback here")
        address = found.getsockname()[0]
    with socket.create_server(("0.0.0.0", 0)) as found:
        port = found.getsockname()[1]
    url = f"http://{address}:{port}"
    done = run("replay", path, "--on-miss", how, url, "--listen", f"0.0.0.0:{port}", check=False)
    assert done.returncode == 1
    assert done.stderr == f"Error: expected the URL of an API to ask, found this server's own: {url}\n"


def test_a_proxy_that_would_forward_is_refused_under_the_name_of_the_option(path, tmp_path):
    there = ("--proxy", "--confdir", tmp_path / "authority")
    done = run("replay", path, "--on-miss", "forward", "http://127.0.0.1:9", *there, check=False)
    assert done.returncode == 2
    assert "Error: --on-miss: expected either proxy or on_miss" in done.stderr


def test_a_prefix_under_which_nothing_would_be_found_again_is_refused(path):
    done = run("replay", path, "--on-miss", "record", "http://127.0.0.1:9/api/v1", check=False)
    assert done.returncode == 2
    assert "the recorded requests begin with, found /api/v1" in done.stderr


@needs_proc
def test_a_ctrl_c_in_the_terminal_is_the_servers_alone(path, home, plain):
    with asking("record", path, plain.url, home) as process, connected(process) as client:
        child = asked_once(process, plain, client)
        assert os.getsid(child) == child


def test_a_recorder_that_passes_over_an_answer_holds_it_back_but_not_for_long(path, plain):
    none = OnMiss("record", plain.url, path, ["--filter", "~u nothing"])
    with serve(path, on_miss=none) as replay, dial(port_of(replay)) as client:
        client.write(post(NEW))
        with plain.accept() as server:
            server.read_to(NEW)
            server.write(OK + chunk(b"x"))
            client.read_to(chunk(b"x"))
            server.write(END)
            assert client.read_to(END) == END
    assert replay.stats.live == Live(forwarded=1, recorded=0, failed=0)
    assert recorded(path) == [KNOWN]


@needs_proc
def test_the_stop_does_not_wait_for_a_recorder_that_still_starts(path, home, plain):
    with asking("record", path, plain.url, home) as process, connected(process) as client:
        client.write(post(NEW))
        assert any(children_of(process._process.pid) or process.wait_for("never", 0.05) for _ in range(600))
        process._process.send_signal(signal.SIGINT)
        assert process.wait_for("stopping: ")
        process.stop()
    assert process.returncode == 0
    assert "asked live 1 time, 0 recorded" in process.stdout


def test_several_workers_ask_live_and_their_counts_are_added_up(path, home, plain):
    with asking("forward", path, plain.url, home, "--workers", "2") as process:
        for _ in range(6):
            with connected(process) as client:
                client.write(post(NEW))
                with plain.accept() as server:
                    server.read_to(NEW)
                    server.write(OK + END)
                assert client.read_to(END) == OK + END
    assert "asked live 6 times, 0 recorded" in process.stdout
