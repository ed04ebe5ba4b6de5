"""A recorder that is left running: full disks, parts, signals, nobody who reads what it says."""

import contextlib
import fcntl
import http.client
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mitmproxy.version import VERSION

from tests.e2e.client import raw_body
from tests.e2e.processes import LISTENING, ROOT, TOKENTAPE, Process, wait_until
from tests.e2e.upstream import Upstream, upstream
from tests.streams import Stream, stepfun
from tokentape import cassette

SMALL_FILES = "ulimit -f 20; trap '' XFSZ; exec \"$@\""  # 20 blocks of 512 or 1,024 bytes


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as server:
        server.streams = {
            "short": stepfun(),
            "long": Stream(name="long", pieces=stepfun().pieces * 100),
            "slow": Stream(name="slow", pieces=stepfun().pieces * 500),
        }
        yield server


def record(server: Upstream, path: Path, home: dict[str, str], *options: str) -> Process:
    return Process.tokentape("record", "--upstream", server.url, "-o", path, *options, env=home)


def mitmproxy(program: str, server: Upstream, home: dict[str, str], *options: str) -> Process:
    command = Path(sys.executable).with_name(program)
    mode = ["--mode", f"reverse:{server.url}", "--listen-host", "127.0.0.1", "--listen-port", "0"]
    return Process(command, "-s", ROOT / "recorder" / "addon.py", *mode, *options, env=home)


def limited(*command: str | Path, env: dict[str, str]) -> Process:
    """Return a process that can write only small files."""
    return Process("sh", "-c", SMALL_FILES, "sh", *command, env=env)


def exchanges(path: Path) -> list[cassette.Exchange]:
    with cassette.open(path) as tape:
        return list(cassette.exchanges(tape))


def bodies(path: Path) -> list[bytes]:
    return [exchange.body for exchange in exchanges(path)]


def test_a_full_disk_can_stop_the_proxy_too(server: Upstream, tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    command = [*TOKENTAPE, "record", "--upstream", server.url, "-o", path, "--on-write-error", "stop"]
    with limited(*command, "--listen", "127.0.0.1:0", env=home) as recorder:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            raw_body(recorder.url, "slow")
        recorder._process.wait(30)
    assert recorder.returncode == 1
    assert "THE RECORDING HAS STOPPED, and with it the proxy" in recorder.stderr
    (exchange,) = exchanges(path)
    assert server.streams["slow"].body.startswith(exchange.body)


def test_mitmdump_exits_with_1_if_something_went_unrecorded(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    mitmdump = Path(sys.executable).with_name("mitmdump")
    mode = ["--mode", f"reverse:{server.url}", "--listen-host", "127.0.0.1", "--listen-port", "0"]
    command = [mitmdump, "-s", ROOT / "recorder" / "addon.py", "--set", f"tape_out={path}", *mode]
    output = tmp_path / "said"  # a file too, though one that stays small
    with open(output, "w") as said:
        process = subprocess.Popen(
            ["sh", "-c", SMALL_FILES, "sh", *map(str, command)],
            stdout=said,
            stderr=said,
            env=os.environ | home,
        )
        try:
            wait_until(lambda: LISTENING.search(output.read_text()), "mitmdump does not listen")
            found = LISTENING.search(output.read_text())
            assert found
            assert raw_body(f"http://{found[1]}", "long")[2] == server.streams["long"].body
            wait_until(lambda: "client disconnect" in output.read_text(), "the client is not gone")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 1
        finally:
            process.kill()
            process.wait()
    text = output.read_text()
    assert "THE RECORDING HAS STOPPED" in text
    assert "1 exchange and" in text
    assert "Traceback" not in text


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_really_full_and_gets_room_again(
    server: Upstream, small_disk: Path, home: dict[str, str]
):
    path = small_disk / "a.tape"
    ballast = small_disk / "ballast"
    with record(server, path, home) as recorder:
        assert raw_body(recorder.url, "short")[2] == server.streams["short"].body
        with pytest.raises(OSError, match="No space"), open(ballast, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        for _ in range(2):
            assert raw_body(recorder.url, "long")[2] == server.streams["long"].body
        ballast.unlink()
        assert raw_body(recorder.url, "short")[2] == server.streams["short"].body
        written = path.stat().st_size
        recorder._process.send_signal(signal.SIGHUP)  # begins a part, now that there is room
        wait_until((small_disk / "a-0002.tape").exists, "no part was begun")
        assert raw_body(recorder.url, "short")[2] == server.streams["short"].body
        assert path.stat().st_size == written
    assert recorder.returncode == 1
    assert "No space left on device" in recorder.stderr or "disk full" in recorder.stderr
    assert f"Error: {path} is incomplete" in recorder.stderr
    assert bodies(path)[0] == server.streams["short"].body
    assert all(server.streams["long"].body.startswith(body) for body in bodies(path)[1:])
    assert bodies(small_disk / "a-0002.tape") == [server.streams["short"].body]


def test_a_second_recorder_is_told_who_has_the_file(server: Upstream, tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    with record(server, path, home) as recorder:
        raw_body(recorder.url, "short")
        second = [*TOKENTAPE, "record", "--upstream", server.url, "-o", path, "--listen", "127.0.0.1:0"]
        for option in ("--append", "--overwrite"):
            done = subprocess.run(
                [*map(str, second), option],
                check=False,
                env=os.environ | home,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 1
            assert done.stderr == (
                f"Error: cannot record to {path}: process {recorder._process.pid} is recording to it; "
                "stop that one first, or choose another name\n"
            )
    assert bodies(path) == [server.streams["short"].body]


def test_a_recording_goes_on_in_the_file_with_its_labels(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    for run in ("one", "two"):
        with record(server, path, home, "--append", "--label", f"run={run}", "--label", "a=b=c") as recorder:
            raw_body(recorder.url, "short")
        assert recorder.returncode == 0
    assert [
        exchange.section and (exchange.section_index, exchange.section.labels) for exchange in exchanges(path)
    ] == [(0, {"run": "one", "a": "b=c"}), (1, {"run": "two", "a": "b=c"})]


def test_sighup_begins_the_next_part_and_a_stream_ends_in_its_own(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    (tmp_path / "a-0002.tape").write_text("precious")
    with record(server, path, home) as recorder:
        parts = urlsplit(recorder.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "long"}))
        response = connection.getresponse()
        received = response.read(100)
        recorder._process.send_signal(signal.SIGHUP)
        wait_until((tmp_path / "a-0003.tape").exists, "no part was begun")
        assert raw_body(recorder.url, "short")[2] == server.streams["short"].body
        received += response.read()
        connection.close()
        wait_until(lambda: not interrupted(path), "the old part is not closed when its stream has ended")
    assert recorder.returncode == 0
    assert received == server.streams["long"].body
    assert bodies(path) == [received]
    assert bodies(tmp_path / "a-0003.tape") == [server.streams["short"].body]
    assert (tmp_path / "a-0002.tape").read_text() == "precious"
    assert f"going on in {tmp_path}/a-0003.tape; 1 exchange ends in {path}" in recorder.stderr
    assert re.search(r"recorded 2 exchanges, .* to \S+/a\.tape \.\.\. \S+/a-0003\.tape", recorder.stderr)


def test_a_terminal_that_is_closed_ends_the_recorder(server: Upstream, tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    terminal, inside = pty.openpty()
    command = [*TOKENTAPE, "record", "--upstream", server.url, "-o", str(path), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        command,
        start_new_session=True,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env=os.environ | home,
    )
    os.close(inside)
    try:
        said = b""
        while not (found := LISTENING.search(said.decode())) or not said.endswith(b"\n"):
            said += os.read(terminal, 4096)
        assert raw_body(f"http://{found[1]}", "short")[2] == server.streams["short"].body
        process.send_signal(signal.SIGHUP)  # the terminal is still there
        wait_until((tmp_path / "a-0002.tape").exists, "no part was begun")
        os.close(terminal)
        process.send_signal(signal.SIGHUP)  # as the system does for a terminal that is gone
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-0002.tape", "a.tape"]
    assert not interrupted(tmp_path / "a-0002.tape")


def interrupted(path: Path) -> bool:
    with cassette.open(path, lenient=True) as tape:
        for _ in tape:
            pass
        return tape.interrupted


def test_a_part_that_a_stream_holds_open_is_told_at_the_end(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    with record(server, path, home, "--rotate-size", "1kB") as recorder:
        parts = urlsplit(recorder.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "slow"}))
        connection.getresponse().read(5_000)
        raw_body(recorder.url, "short")
        recorder.stop(signal.SIGTERM)
        connection.close()
    assert recorder.returncode == 0
    assert f"{path} was still open for 1 exchange that began in it" in recorder.stderr
    (exchange,) = exchanges(path)
    assert exchange.end
    assert exchange.end.reason == "recorder-stopped"
    assert not interrupted(path)


def test_fifty_streams_are_whole_over_many_parts(server: Upstream, tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    server.streams |= {
        f"m{number}": Stream(name=f"m{number}", pieces=tuple(b"%d %d " % (number, n) for n in range(60)))
        for number in range(50)
    }
    names = [f"m{number}" for number in range(50)]
    with (
        record(server, path, home, "--rotate-size", "20kB") as recorder,
        ThreadPoolExecutor(50) as clients,
    ):
        received = [
            body
            for _ in range(6)  # the first of each fifty begins the next part
            for body in clients.map(lambda name: raw_body(recorder.url, name)[2], names)
        ]
    assert received == [server.streams[name].body for name in names] * 6
    assert recorder.returncode == 0
    found = []
    parts = list(tmp_path.iterdir())
    for part in parts:
        assert not interrupted(part)
        for exchange in exchanges(part):
            assert exchange.request
            assert exchange.end
            assert exchange.end.reason == "complete"
            name = json.loads(exchange.request.body)["model"]
            assert tuple(chunk.data for chunk in exchange.chunks) == server.streams[name].pieces
            found.append(name)
    assert sorted(found) == sorted(names * 6)
    assert len(parts) >= 6


def test_a_connect_is_not_counted_but_what_comes_through_it_is(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    upstream_at = urlsplit(server.url)
    with Process.tokentape("record", "--proxy", "-o", path, env=home) as recorder:
        parts = urlsplit(recorder.url)
        for _ in range(2):
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
            connection.set_tunnel(upstream_at.hostname or "", upstream_at.port)
            for _ in range(2):
                connection.request("GET", "/v1/models")
                assert connection.getresponse().read()
            connection.request("POST", "/v1/chat/completions", json.dumps({"model": "short"}))
            assert connection.getresponse().read() == server.streams["short"].body
            connection.close()
        refusing = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and never listens: the port refuses
            refusing.set_tunnel("127.0.0.1", taken.getsockname()[1])
            with pytest.raises(OSError, match="502"):  # the CONNECT itself: no request is sent
                refusing.request("GET", "/v1/models")
        refusing.close()
    assert "passed over 4 that" in recorder.stderr
    assert bodies(path) == [server.streams["short"].body] * 2


def test_two_interrupts_are_as_good_as_one(server: Upstream, tmp_path: Path, home: dict[str, str]):
    for number in range(3):
        with record(server, tmp_path / f"{number}.tape", home) as recorder:
            raw_body(recorder.url, "short")
            recorder._process.send_signal(signal.SIGINT)
            time.sleep(0.02 * number)
            recorder._process.send_signal(signal.SIGINT)
        assert recorder.returncode == 0, recorder.stderr
        assert "recorded 1 exchange" in recorder.stderr
        assert "Traceback" not in recorder.stderr
        assert not interrupted(tmp_path / f"{number}.tape")


@pytest.mark.skipif(sys.platform != "linux", reason="a pipe's size can be set on Linux only")
def test_a_recorder_whose_lines_nobody_reads_records_all_the_same(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    command = [*TOKENTAPE, "record", "--upstream", server.url, "-o", str(path), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=writing, stdout=writing, env=os.environ | home)
    os.close(writing)
    try:
        found = LISTENING.search(os.read(reading, 4096).decode())
        assert found
        for _ in range(60):  # lines of 150 bytes
            assert raw_body(f"http://{found[1]}", "short")[2] == server.streams["short"].body
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        rest = b""
        while more := os.read(reading, 65536):
            rest += more
    finally:
        process.kill()
        process.wait()
        os.close(reading)
    assert len(exchanges(path)) == 60
    assert not interrupted(path)
    assert 0 < rest.count(b"POST ") < 60


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the port, since no line does")
@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-", "2>/dev/full"])
def test_a_recorder_without_standard_streams_records_all_the_same(
    server: Upstream, tmp_path: Path, home: dict[str, str], closed: str
):
    path = tmp_path / "a.tape"
    command = [*TOKENTAPE, "record", "--upstream", server.url, "-o", str(path), "--listen"]
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command, "127.0.0.1:0"], env=os.environ | home
    )
    try:
        wait_until(lambda: path.exists() or process.poll() is not None, "no file was begun")
        (port,) = listening_ports(process.pid)
        assert raw_body(f"http://127.0.0.1:{port}", "short")[2] == server.streams["short"].body
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert bodies(path) == [server.streams["short"].body]


def listening_ports(pid: int) -> set[int]:
    """Return the ports at which a process listens that does not say so (Linux)."""
    inodes: set[str] = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        # the process goes on meanwhile: what was open in the listing may be closed by now
        with contextlib.suppress(FileNotFoundError):
            inodes.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(line[1].rpartition(":")[2], 16)
        for line in lines
        if line[3] == "0A" and f"socket:[{line[9]}]" in inodes
    }


def test_a_file_that_is_removed_stops_the_recording_loudly(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    with Process.tokentape("record", "--upstream", server.url, "-o", path, env=home) as recorder:
        raw_body(recorder.url, "short")
        path.unlink()
        wait_until(lambda: "THE RECORDING HAS STOPPED" in recorder.stderr, "the loss is said")
        assert raw_body(recorder.url, "short")[2] == server.streams["short"].body
    assert recorder.returncode == 1
    assert f"{path}: THE RECORDING HAS STOPPED, the traffic goes on unrecorded: the file was removed" in (
        recorder.stderr
    )


def test_a_file_that_is_removed_just_before_the_end_is_said_too(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    with Process.tokentape("record", "--upstream", server.url, "-o", path, env=home) as recorder:
        raw_body(recorder.url, "short")
        path.unlink()
    assert recorder.returncode == 1
    assert "the file was removed" in recorder.stderr


def test_a_recording_that_goes_on_behind_a_torn_tail_says_so(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    with Process.tokentape("record", "--upstream", server.url, "-o", path, env=home) as recorder:
        raw_body(recorder.url, "short")
    os.truncate(path, path.stat().st_size - 3)
    with Process.tokentape("record", "--upstream", server.url, "-o", path, "--append", env=home) as recorder:
        raw_body(recorder.url, "short")
    assert f"warning: {path}: cut off at byte " in recorder.stderr
    assert "`tokentape recover`" in recorder.stderr


def test_the_options_are_shown_where_mitmproxy_shows_those_of_scripts(home: dict[str, str]):
    """From version 12 on, `--options` does; before, the console (O) and mitmweb do, as a test below sees."""
    mitmdump = Path(sys.executable).with_name("mitmdump")
    done = subprocess.run(
        [mitmdump, "-s", ROOT / "recorder" / "addon.py", "--options"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | home,
        timeout=60,
    )
    shown = re.findall(r"^(tape_\w+):", done.stdout, re.MULTILINE)
    every = {
        "tape_out",
        "tape_append",
        "tape_overwrite",
        "tape_rotate_size",
        "tape_rotate_every",
        "tape_redact",
    }
    assert every <= set(shown) if int(VERSION.partition(".")[0]) >= 12 else shown == []


def test_mitmproxy_can_save_the_flows_that_are_recorded(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    options = ["--set", f"tape_out={path}", "-w", str(tmp_path / "flows")]
    with mitmproxy("mitmdump", server, home, *options) as recorder:
        raw_body(recorder.url, "short")
    assert recorder.returncode == 0
    assert "Traceback" not in recorder.stdout
    assert (tmp_path / "flows").stat().st_size
    assert bodies(path) == [server.streams["short"].body]


class Web:
    """mitmweb, by the API that its page uses."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._open = opener.open
        self._headers = {"Authorization": "Bearer p", "Content-Type": "application/json"}
        # its token against forgery, which wants to be sent twice
        token = "t" * 16
        self._headers |= {"Cookie": f"_xsrf={token}; _mitmproxy_xsrf={token}", "X-XSRFToken": token}

    def get(self, what: str) -> Any:
        request = urllib.request.Request(f"{self._url}/{what}", headers=self._headers)
        with self._open(request, timeout=30) as response:
            return json.load(response)

    def run(self, command: str, *arguments: str) -> Any:
        data = json.dumps({"arguments": arguments}).encode()
        request = urllib.request.Request(f"{self._url}/commands/{command}", data, headers=self._headers)
        with self._open(request, timeout=30) as response:
            return json.load(response)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the port, since no line does")
def test_mitmweb_shows_the_options_and_starts_and_stops_the_recording(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    options = ["--web-port", "0", "--no-web-open-browser", "--set", "web_password=p"]
    with mitmproxy("mitmweb", server, home, *options) as recorder:
        wait_until(lambda: "Web server listening" in recorder.stderr, "mitmweb does not listen")
        (port,) = map(int, re.findall(r"proxy .*listening at \S+:(\d+)", recorder.stderr))
        recorder.url = f"http://127.0.0.1:{port}"
        (web_port,) = listening_ports(recorder._process.pid) - {port}
        web = Web(web_port)
        shown = web.get("options.json")
        assert {"tape_out", "tape_append", "tape_rotate_size", "tape_rotate_every"} <= set(shown)
        assert all(option["help"] for name, option in shown.items() if name.startswith("tape_"))
        commands = web.get("commands.json")
        assert commands["tape.start"]["parameters"][0]["type"] == "path"
        assert all(commands[f"tape.{name}"]["help"] for name in ("start", "stop", "note", "rotate"))

        raw_body(recorder.url, "short")  # of which nothing is to be found anywhere
        assert "nothing is being recorded" in web.run("tape.stop")["error"]
        assert web.run("tape.start", str(tmp_path / "a.tape")) == {"value": None}
        raw_body(recorder.url, "short")
        assert web.run("tape.note", "the", "model changed") == {"value": None}
        assert web.run("tape.rotate") == {"value": None}
        raw_body(recorder.url, "short")
        assert "exists" in web.run("tape.start", str(tmp_path / "a-0002.tape"))["error"]
        raw_body(recorder.url, "short")
        assert web.run("tape.stop") == {"value": None}
        raw_body(recorder.url, "short")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-0002.tape", "a.tape"]
    assert len(exchanges(tmp_path / "a.tape")) == 1
    assert len(exchanges(tmp_path / "a-0002.tape")) == 2
    with cassette.open(tmp_path / "a.tape") as tape:
        assert [record.text for record in tape if isinstance(record, cassette.Note)] == ["the model changed"]
