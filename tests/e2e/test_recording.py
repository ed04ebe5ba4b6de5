"""Real mitmproxy processes: each way to run the recorder, and each way in which an exchange ends."""

import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
import trustme

from tests.e2e.client import MESSAGES, completion, raw_body
from tests.e2e.processes import ROOT, Process, wait_until
from tests.e2e.upstream import Upstream, upstream
from tests.streams import STREAMS, Stream, stepfun
from tokentape import cassette


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as server:
        server.streams = {stream.name: stream for stream in STREAMS}
        yield server


def record(server: Upstream, path: Path, home: dict[str, str], *options: str) -> Process:
    return Process.tokentape("record", "--upstream", server.url, "-o", path, *options, env=home)


def exchanges(path: Path) -> list[cassette.Exchange]:
    with cassette.open(path) as tape:
        return list(cassette.exchanges(tape))


def only(path: Path) -> cassette.Exchange:
    (exchange,) = exchanges(path)
    return exchange


def long_stream(name: str) -> Stream:
    return Stream(name=name, pieces=stepfun().pieces * 100)


def wait_for_pieces(path: Path, count: int) -> None:
    """Wait until the cassette holds so many pieces."""

    def has_them() -> bool:
        with cassette.open(path, lenient=True) as tape:
            return sum(isinstance(record, cassette.Chunk) for record in tape) >= count

    wait_until(has_them, f"{path} has no {count} pieces")


def send_request(url: str, model: str) -> socket.socket:
    """Send a request and return the connection, on which the answer will arrive."""
    parts = urlsplit(url)
    body = json.dumps({"model": model, "messages": MESSAGES}).encode()
    connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    return connection


def test_the_addon_works_in_mitmdump(server: Upstream, tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    mitmdump = Path(sys.executable).with_name("mitmdump")
    command = [mitmdump, "-s", ROOT / "recorder" / "addon.py", "--set", f"tape_out={path}"]
    command += ["--mode", f"reverse:{server.url}", "--listen-host", "127.0.0.1", "--listen-port", "0"]
    with Process(*command, env=home) as recorder:
        direct = completion(server.url, "stepfun")
        assert completion(recorder.url, "stepfun") == direct
    assert recorder.returncode == 0
    assert only(path).body == server.streams["stepfun"].body
    assert "recorded 1 exchange" in recorder.stdout


def test_asking_mitmdump_for_its_options_makes_no_file(tmp_path: Path, home: dict[str, str]):
    mitmdump = Path(sys.executable).with_name("mitmdump")
    command = [mitmdump, "-s", ROOT / "recorder" / "addon.py", "--set", "tape_out=a.tape", "--options"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=home)
    assert "listen_port" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_mitmdump_refuses_an_existing_file(tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    path.write_text("precious")
    mitmdump = Path(sys.executable).with_name("mitmdump")
    command = [mitmdump, "-s", ROOT / "recorder" / "addon.py", "--set", f"tape_out={path}"]
    done = subprocess.run([*command, "-p", "0"], capture_output=True, text=True, check=False, env=home)
    assert done.returncode == 1
    assert "exists" in done.stdout + done.stderr
    assert path.read_text() == "precious"


def test_a_forward_proxy_records_plain_http(server: Upstream, tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    with Process.tokentape("record", "--proxy", "-o", path, env=home) as recorder:
        parts = urlsplit(recorder.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        body = json.dumps({"model": "stepfun"})
        connection.request("POST", f"{server.url}/v1/chat/completions", body)
        assert connection.getresponse().read() == server.streams["stepfun"].body
        connection.close()
    assert f"HTTP_PROXY={recorder.url}" in recorder.stderr
    exchange = only(path)
    assert exchange.request
    assert (exchange.request.host, exchange.request.path) == ("127.0.0.1", b"/v1/chat/completions")


def test_a_forward_proxy_records_https_with_its_own_authority(tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    authority = trustme.CA()
    with upstream() as server, tls_in_front_of(server.url, authority) as secure_url:
        server.streams = {"stepfun": stepfun()}
        trusted = tmp_path / "upstream-ca.pem"
        authority.cert_pem.write_to_path(str(trusted))
        setting = f"ssl_verify_upstream_trusted_ca={trusted}"
        with Process.tokentape("record", "--proxy", "-o", path, "--set", setting, env=home) as recorder:
            mitmproxy_ca = Path(home["HOME"], ".mitmproxy", "mitmproxy-ca-cert.pem")
            context = ssl.create_default_context(cafile=str(mitmproxy_ca))
            http_client = openai.DefaultHttpxClient(proxy=recorder.url, verify=context, trust_env=False)
            with openai.OpenAI(base_url=f"{secure_url}/v1", api_key="x", http_client=http_client) as client:
                chunks = client.chat.completions.create(model="stepfun", messages=MESSAGES, stream=True)
                text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == server.streams["stepfun"].texts[0]
    exchange = only(path)
    assert exchange.request
    assert exchange.response
    assert exchange.response.connect
    assert exchange.request.scheme == "https"
    assert exchange.body == server.streams["stepfun"].body
    connect = exchange.response.connect
    assert connect.tcp_start is not None
    assert connect.tcp_end is not None
    assert connect.tls_end is not None
    assert connect.tcp_start <= connect.tcp_end <= connect.tls_end <= exchange.response.t


class tls_in_front_of:  # noqa: N801  (reads as the context that it is)
    """A TLS endpoint on loopback that passes bytes on to a plain server."""

    def __init__(self, url: str, authority: trustme.CA) -> None:
        self._target = (urlsplit(url).hostname, urlsplit(url).port)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(self._context)

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return f"https://localhost:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(raw,))
            thread.start()
            self._threads.append(thread)

    def _serve(self, raw: socket.socket) -> None:
        with (
            self._context.wrap_socket(raw, server_side=True) as client,
            socket.create_connection(self._target) as plain,
        ):
            data = client.recv(65536)
            while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < length_of(data):
                data += client.recv(65536)
            plain.sendall(data)
            while piece := plain.recv(65536):
                client.sendall(piece)
                if piece.endswith(b"0\r\n\r\n"):
                    break


def length_of(request: bytes) -> int:
    found = re.search(rb"(?i)content-length: (\d+)", request)
    return int(found[1]) if found else 0


def test_what_the_filter_does_not_match_passes_and_is_counted(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    with record(server, path, home) as recorder:
        parts = urlsplit(recorder.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.request("GET", "/v1/models")
        assert json.loads(connection.getresponse().read())["object"] == "list"
        connection.close()
    assert exchanges(path) == []
    assert "passed over 1" in recorder.stderr


def test_an_event_stream_is_recorded_whatever_its_path(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    with record(server, path, home) as recorder:
        parts = urlsplit(recorder.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.request("POST", "/some/other/path", json.dumps({"model": "crlf"}))
        connection.getresponse().read()
        connection.close()
    exchange = only(path)
    assert exchange.request
    assert exchange.request.path == b"/some/other/path"
    assert tuple(chunk.data for chunk in exchange.chunks) == server.streams["crlf"].pieces


def test_a_filter_of_ones_own_replaces_the_default(server: Upstream, tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    with record(server, path, home, "--filter", "~bq stepfun") as recorder:
        for model in ("crlf", "stepfun"):
            raw_body(recorder.url, model)
    exchange = only(path)
    assert exchange.request
    assert b"stepfun" in exchange.request.body


def test_a_client_that_vanishes_is_told_by_the_cassette(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    server.streams["vanish"] = long_stream("vanish")
    with record(server, path, home) as recorder:
        connection = send_request(recorder.url, "vanish")
        received = connection.recv(65536)
        wait_for_pieces(path, 3)
        connection.close()
        wait_until(lambda: "client-closed" in recorder.stderr, "the recorder says that the client left")
    exchange = only(path)
    assert exchange.end
    assert exchange.end.reason == "client-closed"
    assert exchange.end.chunks == len(exchange.chunks) < len(server.streams["vanish"].pieces)
    assert server.streams["vanish"].body.startswith(exchange.body)
    assert b"HTTP/1.1 200" in received


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection off with a RST."""
    linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def close(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without the last chunk."""
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("how", [reset, close], ids=["reset", "closed"])
def test_an_upstream_that_breaks_off_is_told_by_the_cassette(
    server: Upstream, tmp_path: Path, home: dict[str, str], how: object
):
    path = tmp_path / "a.tape"
    name = f"cut-{how.__name__}"  # type: ignore[attr-defined]
    server.streams[name] = Stream(name=name, pieces=stepfun().pieces[:4])
    server.misbehave[name] = how  # type: ignore[assignment]
    broken_off = (http.client.IncompleteRead, ConnectionError)
    with record(server, path, home) as recorder, pytest.raises(broken_off):
        raw_body(recorder.url, name)
    exchange = only(path)
    assert exchange.end
    assert exchange.end.reason == "upstream-error"
    assert exchange.end.detail
    assert exchange.body == server.streams[name].body


def test_an_upstream_that_refuses_is_a_502_for_the_client_and_a_note_in_the_cassette(
    tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens: the port refuses, and stays ours
        with record(Upstream(url=f"http://127.0.0.1:{taken.getsockname()[1]}"), path, home) as recorder:
            status, _, _ = raw_body(recorder.url, "any")
    assert status == 502
    exchange = only(path)
    assert exchange.request
    assert exchange.response is None
    assert exchange.end
    assert exchange.end.reason == "upstream-error"
    assert "[Errno 111]" in exchange.end.detail
    assert "no response" in recorder.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_recorder_that_is_stopped_ends_what_is_under_way(
    server: Upstream, tmp_path: Path, home: dict[str, str], how: signal.Signals
):
    path = tmp_path / "a.tape"
    server.streams["stopped"] = long_stream("stopped")
    recorder = record(server, path, home)
    with recorder, send_request(recorder.url, "stopped"):
        wait_for_pieces(path, 3)
        recorder.stop(how)
    assert recorder.returncode == 0
    assert "recorded 1 exchange" in recorder.stderr
    assert "recorder-stopped" in recorder.stderr
    assert "Traceback" not in recorder.stderr
    with cassette.open(path) as tape:
        (exchange,) = cassette.exchanges(tape)
        assert not tape.interrupted
    assert exchange.end
    assert exchange.end.reason == "recorder-stopped"
    assert exchange.end.chunks == len(exchange.chunks) >= 3


def test_clients_that_are_still_connected_make_no_noise_when_the_recorder_stops(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    with record(server, tmp_path / "a.tape", home) as recorder:
        parts = urlsplit(recorder.url)
        connections = [http.client.HTTPConnection(parts.hostname or "", parts.port) for _ in range(3)]
        for connection in connections:
            connection.request("GET", "/v1/models")
            connection.getresponse().read()
        recorder.stop()
        for connection in connections:
            connection.close()
    assert recorder.returncode == 0
    (summary,) = recorder.stderr.splitlines()[2:]
    assert summary.startswith("recorded 0 exchanges")


def test_a_killed_recorder_leaves_every_piece_that_the_client_had(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    server.streams["killed"] = long_stream("killed")
    recorder = record(server, path, home)
    received = b""
    with recorder, send_request(recorder.url, "killed") as connection:
        wait_for_pieces(path, 10)
        recorder.stop(signal.SIGKILL)
        while piece := connection.recv(65536):
            received += piece
    assert recorder.returncode == -signal.SIGKILL
    exchange = only(path)
    assert exchange.end is None
    assert exchange.body.startswith(dechunked(received.partition(b"\r\n\r\n")[2]))


def dechunked(body: bytes) -> bytes:
    """Return what of a chunked body has arrived, which may end anywhere."""
    data = b""
    while b"\r\n" in body:
        size, _, body = body.partition(b"\r\n")
        data += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return data


def test_a_full_disk_stops_the_recording_loudly_and_not_the_traffic(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    server.streams["large"] = long_stream("large")
    limited = "ulimit -f 20; trap '' XFSZ; exec \"$@\""  # 20 blocks of 512 or 1,024 bytes
    command = [sys.executable, "-m", "tokentape.cli", "record", "--upstream", server.url, "-o", path]
    with Process("sh", "-c", limited, "sh", *command, "--listen", "127.0.0.1:0", env=home) as recorder:
        for _ in range(2):
            assert raw_body(recorder.url, "large")[2] == server.streams["large"].body
    assert recorder.returncode == 1
    assert "THE RECORDING HAS STOPPED" in recorder.stderr
    assert "incomplete" in recorder.stderr
    exchange = only(path)
    assert exchange.chunks
    assert server.streams["large"].body.startswith(exchange.body)
