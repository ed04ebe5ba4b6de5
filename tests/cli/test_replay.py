import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryFile

import pytest
from click.testing import CliRunner

from tests.cassette.tapes import SECTION, write
from tests.replay.recordings import connected, exchange, post, read_until, tape
from tokentape.cli import main
from tokentape.cli.replay import command


def invoke(*arguments):
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


@contextmanager
def replaying(*arguments, env=(), shell=""):
    """The command as a process that listens; yields it and its URL."""
    command = [sys.executable, "-X", "importtime", "-m", "tokentape.cli", "replay", "--listen", "127.0.0.1:0"]
    before = ["bash", "-c", f'{shell} "$0" "$@"'] if shell else []
    with (
        TemporaryFile("w+") as words,
        subprocess.Popen(
            [*before, *command, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            env={**os.environ, **dict(env)},
        ) as process,
    ):
        process.words = words
        try:
            while not (found := re.search(r"^listening on (\S+)\n", read(words), re.MULTILINE)):
                assert process.poll() is None, read(words)
                time.sleep(0.02)
            yield process, found[1]
        finally:
            process.kill()


def read(words):
    return os.pread(words.fileno(), 1 << 24, 0).decode()


def stop(process, number):
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    return out, read(process.words)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop_and_says_what_was_served(tmp_path, number):
    path = tape(tmp_path / "a.tape", exchange(0), exchange(1, body=b"never asked for"))
    with replaying(path) as (process, url):
        with connected(url) as client:
            client.sendall(post() + post() + post(b"x"))
            read_until(client, b"}}")
        out, err = stop(process, number)
    assert process.returncode == 0
    rows = [line.split() for line in out.splitlines() if "/v1/" in line]
    assert [row[:4] for row in rows] == [
        ["2", "200", "POST", "/v1/chat/completions"],
        ["never", "200", "POST", "/v1/chat/completions"],
        ["1", "404", "POST", "/v1/chat/completions"],
    ]
    assert "served 2, missed 1; 1 of 2 never played" in out
    assert re.search(r"lateness of 8 pieces: p50 \d+\.\d{3} ms, p99 \d+\.\d{3} ms, max \d+\.\d{3} ms", out)
    assert err.count("listening on ") == 1
    assert f"listening on {url}\n  export OPENAI_BASE_URL={url}/v1\n" in err
    assert err.count("\n  nearest recorded request: POST /v1/chat/completions\n") == 1
    assert "Traceback" not in err


def test_as_json_it_prints_one_object(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    with replaying(path, "--json") as (process, url):
        with connected(url) as client:
            client.sendall(post())
            read_until(client, b"0\r\n\r\n")
        out, _ = stop(process, signal.SIGINT)
    found = json.loads(out)
    assert (found["hits"], found["misses"], found["pieces"]) == (1, 0, 4)
    assert [(item["times"], item["status"]) for item in found["served"]] == [(1, 200)]
    assert list(found["lateness_ms"]) == ["p50", "p99", "max"]


@pytest.mark.parametrize(("limit", "code"), [("0ns", 3), ("1h", 0)])
def test_lateness_above_what_is_allowed_is_said_and_the_exit_is_3(tmp_path, limit, code):
    with replaying(tape(tmp_path / "a.tape", exchange()), "--strict-timing", limit) as (process, url):
        with connected(url) as client:
            client.sendall(post())
            read_until(client, b"0\r\n\r\n")
        out, err = stop(process, signal.SIGINT)
    assert process.returncode == code
    assert "lateness of 4 pieces" in out
    said = re.search(r"^expected a lateness p99 of at most 0 ms, found \d+\.\d{3} ms: ", err, re.MULTILINE)
    assert (said is not None) is (code == 3)


def test_a_strict_timing_holds_where_nothing_was_sent(tmp_path):
    with replaying(tape(tmp_path / "a.tape", exchange()), "--strict-timing", "0ns") as (process, _):
        stop(process, signal.SIGINT)
    assert process.returncode == 0


def test_the_speed_that_was_achieved_is_printed(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    with replaying(path, "--speed", "0.5") as (process, url):
        with connected(url) as client:
            client.sendall(post())
            read_until(client, b"0\r\n\r\n")
        out, _ = stop(process, signal.SIGINT)
    found = re.search(r"; speed achieved: (0\.\d+)x$", out, re.MULTILINE)
    assert found
    assert 0 < float(found[1]) <= 0.5


def test_it_loads_neither_pandas_nor_mitmproxy_nor_what_the_other_verbs_need(tmp_path):
    with replaying(tape(tmp_path / "a.tape", exchange())) as (process, _):
        _, err = stop(process, signal.SIGTERM)
    imported = {
        line.rpartition("|")[2].strip() for line in err.splitlines() if line.startswith("import time:")
    }
    assert "tokentape.replay" in imported
    heavy = {"pandas", "numpy", "mitmproxy", "pyarrow", "tokentape.recorder", "tokentape.analysis"}
    assert not imported & heavy


def test_a_damaged_cassette_is_served_as_far_as_it_is_whole_and_the_exit_says_3(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    path.write_bytes(path.read_bytes()[:-3])
    with replaying(path) as (process, url):
        with connected(url) as client:
            client.sendall(post())
            read_until(client, b"0\r\n\r\n")
        out, err = stop(process, signal.SIGINT)
    assert process.returncode == 3
    assert "cut off at byte" in err
    assert "served 1" in out


def test_an_interrupted_cassette_is_no_error(tmp_path):
    with replaying(write(tmp_path / "a.tape", SECTION, *exchange())) as (process, _):
        _, err = stop(process, signal.SIGINT)
    assert process.returncode == 0
    assert "interrupted" in err


def test_many_signals_are_one(tmp_path):
    with replaying(tape(tmp_path / "a.tape", exchange())) as (process, _):
        for _ in range(20):
            process.send_signal(signal.SIGINT)
        out, err = stop(process, signal.SIGTERM)
    assert process.returncode == 0
    assert "no pieces were sent" in out
    assert "lateness" not in out
    assert "Traceback" not in err


def test_as_json_what_was_not_measured_is_null(tmp_path):
    with replaying(tape(tmp_path / "a.tape", exchange()), "--json") as (process, _):
        out, _ = stop(process, signal.SIGINT)
    found = json.loads(out)
    assert (found["pieces"], found["lateness_ms"]) == (0, {"p50": None, "p99": None, "max": None})


@pytest.fixture
def signals_as_before():
    """The command runs in this process, and leaves the signals that end it ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals_as_before")
def test_a_signal_is_noticed_that_does_not_interrupt_the_waiting(tmp_path, capsys):
    """As one that comes just before the waiting begins. Another thread's signal is no interruption either."""

    def interrupt_once_it_listens():
        words = ""
        while "listening on" not in words:
            time.sleep(0.05)
            words += capsys.readouterr().err
        time.sleep(0.2)  # by then it waits
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not ended.wait(10):
            missed.append(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)  # or nothing would end the test

    ended, missed = threading.Event(), []
    thread = threading.Thread(target=interrupt_once_it_listens)
    thread.start()
    try:
        path = tape(tmp_path / "a.tape", exchange())
        command.main([str(path), "--listen=127.0.0.1:0"], standalone_mode=False)
    finally:
        ended.set()
        thread.join()
    assert not missed


@pytest.mark.usefixtures("signals_as_before")
def test_a_second_signal_ends_the_grace_and_the_table_is_still_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tokentape.cli._serving._GRACE_S", 3_600.0)
    path = tape(tmp_path / "a.tape", exchange(pieces=[(3_600_000, b"x")], end_ms=3_600_001))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ended = []

    def client():
        while not ended:
            try:
                with connected(f"http://127.0.0.1:{port}") as connection:
                    connection.sendall(post())
                    read_until(connection, b"\r\n\r\n")
                    connection.settimeout(0.1)
                    interrupt_until_it_ends(connection)
            except ConnectionRefusedError:
                time.sleep(0.01)
            except ConnectionError as error:
                ended.append(error)

    def interrupt_until_it_ends(connection):
        while not ended:
            os.kill(os.getpid(), signal.SIGINT)
            with suppress(TimeoutError):
                ended.append(ConnectionError(connection.recv(1)))

    asking = threading.Thread(target=client)
    asking.start()
    try:
        command.main([str(path), f"--listen=127.0.0.1:{port}"], standalone_mode=False)
    finally:
        asking.join()
    out, err = capsys.readouterr()
    assert "stopping: answers have 3600 s to end" in err
    assert "served 1, missed 0" in out
    assert "1 cut off by the stop" in out


def test_what_was_recorded_cannot_command_the_terminal(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(path="/v1/\x1b[2J千".encode(), method="G\x9bT"))
    with replaying(path) as (process, url):
        with connected(url) as client:
            client.sendall(post())
            read_until(client, b"}}")
        out, err = stop(process, signal.SIGINT)
    assert "G\\x9bT /v1/\\x1b[2J" in out
    assert not re.search("[\x1b\x9b]", out + err)


def test_its_table_can_be_printed_where_only_ascii_can(tmp_path):
    path = tape(tmp_path / "磁带.tape", exchange(path="/v1/千".encode()))
    with replaying(path, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}) as (process, _):
        out, err = stop(process, signal.SIGINT)
    assert process.returncode == 0, err
    assert "/v1/\\u5343" in out


def test_standard_input_twice_is_a_usage_error():
    result = invoke("-", "-")
    assert result.exit_code == 2
    assert "expected - once" in result.stderr


def wrong_files(tmp_path):
    newer = tmp_path / "newer.tape"
    write(newer, SECTION)
    data = newer.read_bytes()
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    text = tmp_path / "text"
    text.write_text("not a cassette")
    return {
        "missing": (tmp_path / "missing", "expected a readable cassette"),
        "folder": (tmp_path, "expected a readable cassette"),
        "empty": (empty, "found an empty file"),
        "text": (text, "expected a cassette"),
        "nothing": (newer, "expected at least one exchange"),
        "torn": (_written(tmp_path / "torn", data[:5]), "expected at least one exchange"),
    }


def _written(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["missing", "folder", "empty", "text", "nothing", "torn"])
def test_a_file_that_cannot_be_served_is_one_line_and_exit_1(tmp_path, name):
    path, words = wrong_files(tmp_path)[name]
    result = invoke(path)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert str(path) in line
    assert words in line


def test_a_newer_cassette_says_to_upgrade(tmp_path):
    import msgspec

    path = write(tmp_path / "a.tape", msgspec.structs.replace(SECTION, version=2), *exchange())
    result = invoke(path)
    assert result.exit_code == 1
    assert "please upgrade" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast", ""])
def test_a_speed_that_is_none_is_a_usage_error(tmp_path, speed):
    result = invoke(tape(tmp_path / "a.tape", exchange()), f"--speed={speed}")
    assert result.exit_code == 2
    assert "expected a positive number" in result.stderr
    assert repr(speed) in result.stderr


@pytest.mark.parametrize("listen", ["8090", "x:y", ":1", "a:70000"])
def test_an_address_that_is_none_is_a_usage_error(tmp_path, listen):
    result = invoke(tape(tmp_path / "a.tape", exchange()), "--listen", listen)
    assert result.exit_code == 2
    assert "expected HOST:PORT" in result.stderr


def test_a_port_in_use_says_which_and_what_to_do(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = invoke(tape(tmp_path / "a.tape", exchange()), "--listen", f"127.0.0.1:{port}")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "port 0" in line


def test_without_a_file_it_is_a_usage_error():
    assert invoke().exit_code == 2


def test_its_help_states_the_rule_of_serving_and_has_an_example():
    result = invoke("--help")
    assert result.exit_code == 0
    assert "after the last the first again" in " ".join(result.output.split())
    assert "tokentape replay session.tape --speed 2" in result.output


@pytest.mark.parametrize("workers", [1, 2])
def test_where_others_can_reach_it_a_url_that_works_and_a_warning_are_printed(tmp_path, workers):
    path = tape(tmp_path / "a.tape", exchange())
    for options, steers in [((), True), (("--no-control",), False)]:
        with replaying(path, "--listen", "0.0.0.0:0", "--workers", workers, *options) as (process, url):
            words = stop(process, signal.SIGINT)[1]
        assert re.fullmatch(r"http://localhost:[0-9]+", url)
        assert f"export OPENAI_BASE_URL={url}/v1\n" in words
        (warning,) = [line for line in words.splitlines() if "warning: " in line]
        assert "everyone who reaches this port may ask it" in warning
        assert ("--no-control" in warning) == steers


def test_on_loopback_there_is_no_warning(tmp_path):
    with replaying(tape(tmp_path / "a.tape", exchange())) as (process, _):
        assert "warning: " not in stop(process, signal.SIGINT)[1]


@pytest.mark.parametrize(
    "options",
    [
        ["--fail-unplayed"],
        ["--strict-timing", "5ms"],
        ["--workers", "1"],
        ["--proxy"],
        ["--tls"],
        ["--on-miss", "forward", "http://127.0.0.1:1"],
        ["--reload"],
        ["--listen", "127.0.0.1:0"],
        ["--no-control"],
        ["--order", "recorded"],
    ],
)
def test_what_is_only_for_serving_is_wrong_usage_beside_explain(tmp_path, options):
    found = invoke(tape(tmp_path / "a.tape", exchange()), "--explain", *options)
    assert found.exit_code == 2
    assert f"expected --explain or {options[0]}, found both" in found.output


def test_what_a_file_says_of_serving_is_no_wrong_usage_beside_explain(tmp_path):
    config = tmp_path / "a.toml"
    config.write_text("[replay]\nfail-unplayed = true\nworkers = 2\n")
    path = tape(tmp_path / "a.tape", exchange())
    assert invoke(path, "--explain", "--config", config).exit_code == 0


def test_a_folder_of_an_authority_is_wrong_usage_where_none_is_needed(tmp_path):
    found = invoke(tape(tmp_path / "a.tape", exchange()), "--confdir", tmp_path)
    assert found.exit_code == 2
    assert "expected --proxy or --tls beside --confdir, found neither" in found.output


@pytest.mark.parametrize("workers", [1, 2])
def test_the_limit_of_open_files_is_raised_as_far_as_the_system_lets_it(tmp_path, workers):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    path = tape(tmp_path / "a.tape", exchange())
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        with replaying(path, "--workers", workers) as (_, url), ExitStack() as stack:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            clients = [stack.enter_context(connected(url)) for _ in range(150)]
            for client in clients:
                client.sendall(post())
            for client in clients:
                assert read_until(client, b"0\r\n\r\n")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_without_file_descriptors_it_says_so_in_a_line_and_goes_on_when_connections_close(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    with replaying(path, shell="ulimit -n 40 && exec") as (process, url):
        with ExitStack() as stack:
            for _ in range(80):
                stack.enter_context(connected(url))
            until = time.monotonic() + 20
            while "out of file" not in read(process.words) and time.monotonic() < until:
                time.sleep(0.02)
        with connected(url) as client:
            client.settimeout(20)
            client.sendall(post())
            assert read_until(client, b"0\r\n\r\n").startswith(b"HTTP/1.1 200")
        words = stop(process, signal.SIGINT)[1]
    assert "Traceback" not in words
    (line,) = [line for line in words.splitlines() if "file descriptors" in line]
    assert "all 40 of this process are open" in line
    assert "ulimit -n" in line


def test_nothing_is_kept_from_the_collector_when_it_has_ended(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = invoke(tape(tmp_path / "a.tape", exchange()), "--listen", f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert gc.get_freeze_count() == 0
