"""Made-up secrets of every kind in every place, through a real recorder; then its files are searched."""

import http.client
import itertools
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import zstandard

from tests.e2e.processes import Process, run
from tests.recorder.redaction.secrets import everywhere, letters, parts
from tests.recorder.redaction.test_redactor import BLANK, PLACES, plain
from tokentape import cassette
from tokentape.recorder.redaction import default_rules

FORMS = (".tape", ".tape.zst", ".jsonl", ".har")
"""In which forms a recording may lie on a disk; all but the first two are made by `tokentape convert`."""

SSE = b'data: {"choices": [{"delta": {"content": "hello"}, "index": 0}]}\n\ndata: [DONE]\n\n'
Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class Answering:
    """An API that answers all alike, with `headers` besides (mitmproxy passes on no trailers of HTTP/1)."""

    url: str = ""
    headers: Pairs = field(default_factory=list)
    seen: list[tuple[str, bytes]] = field(default_factory=list)


@contextmanager
def answering() -> Iterator[Answering]:
    state = Answering()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            state.seen.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            for name, value in state.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(SSE), SSE))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


class Client:
    """Sends requests exactly as they are given, over one connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    def send(self, path: str = "/v1/chat/completions", headers: Pairs = (), body: bytes = b"{}") -> bytes:
        self._connection.putrequest("POST", path, skip_accept_encoding=True)
        for name, value in headers:
            self._connection.putheader(name, value)
        self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body)
        response = self._connection.getresponse()
        assert response.status == 200
        return response.read()

    def close(self) -> None:
        self._connection.close()


@dataclass(slots=True)
class Table:
    """What was planted, and where its recording is."""

    path: Path
    secrets: list[str]
    recorder: Process
    sent: int


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, home: dict[str, str]) -> Table:
    path = tmp_path_factory.mktemp("table") / "table.tape"
    secrets: list[str] = []
    count = itertools.count()

    def made_up(scheme: str = "") -> str:
        secrets.append(letters(24))
        return scheme + secrets[-1]

    with answering() as api:
        recorder = Process.tokentape(
            "record", "--upstream", api.url, "-o", path, "--filter", "~all", env=home
        )
        with recorder:
            client = Client(recorder.url)

            def send(**request: object) -> None:
                client.send(**request)
                next(count)

            kinds = everywhere()
            secrets += [part for _, _, secret in kinds for part in parts(secret)]
            for name, place in PLACES.items():
                if name == "absolute target":  # which only proxies are sent
                    continue
                for some in (
                    itertools.batched(kinds, 6) if hasattr(itertools, "batched") else _batches(kinds, 6)
                ):
                    request = place(" , ".join(text for _, text, _ in some))
                    headers = [(key.decode(), value.decode("latin-1")) for key, value in request.headers]
                    changed = request.path != BLANK.path
                    send(
                        **({"path": request.path.decode()} if changed else {}),
                        headers=headers,
                        body=request.body,
                    )
            for rule in default_rules().headers:
                names = [name.replace("*", "x") for name in rule.headers]
                send(headers=[(name, made_up()) for name in names])
                send(headers=[(name.upper(), made_up("key ")) for name in names])
                api.headers = [(name.title(), made_up()) for name in names]
                send()
            api.headers = [
                ("Set-Cookie", f"session={made_up()}; Path=/; HttpOnly"),
                ("Set-Cookie", f"other={made_up()}"),
                (
                    "Location",
                    f"https://me:{made_up()}@host.example/cb?code={made_up()}&access_token={made_up()}",
                ),
                ("X-Debug", f"key was sk-{made_up()}"),
                ("openai-organization", made_up("org-")),
                ("openai-project", made_up("proj_")),
            ]
            for scheme in ("Bearer ", "bearer ", "BEARER ", "Basic ", "basic ", "Digest ", "", "Unknown "):
                send(
                    headers=[("Authorization", made_up(scheme)), ("Cookie", f"a={made_up()}; b={made_up()}")]
                )
            api.headers = []
            for rule in default_rules().parameters:
                names = [quote(name.replace("*", "x")) for name in rule.parameters]
                send(path="/v1/m:generate?" + "&".join(f"{name}={made_up()}" for name in names))
                form = "&".join(f"{name}={made_up()}" for name in names).encode()
                send(headers=[("Content-Type", "application/x-www-form-urlencoded")], body=form)
            for rule in default_rules().fields:
                body = {name.replace("*", "our-").replace("-", "_"): made_up() for name in rule.fields}
                send(body=json.dumps({"tools": [{"headers": body}]}).encode())
                send(body=json.dumps({"arguments": json.dumps(body)}).encode())
            client.close()
    return Table(path, secrets, recorder, next(count))


def _batches(items: list, size: int) -> Iterator[list]:
    return (items[index : index + size] for index in range(0, len(items), size))


def test_everything_was_recorded_and_the_recorder_ended_well(table: Table):
    with cassette.open(table.path) as tape:
        found = list(cassette.exchanges(tape))
    assert len(found) == table.sent > 300
    assert all(exchange.end and exchange.end.reason == "complete" for exchange in found)
    assert table.recorder.returncode == 0
    assert "REDACTED" not in table.recorder.stderr


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_is_in_any_form_of_the_recording(table: Table, form: str, tmp_path: Path):
    path = table.path
    if form == ".tape.zst":
        path = tmp_path / "table.tape.zst"
        with cassette.open(table.path) as tape, cassette.Rewriter(path) as out:
            for entry in tape.entries():
                out.copy(entry.payload)
    elif form != ".tape":
        path = tmp_path / f"table{form}"
        run("convert", table.path, path)
    data = path.read_bytes()
    if form == ".tape.zst":
        data += zstandard.ZstdDecompressor().stream_reader(data).read()
    assert [secret for secret in table.secrets if secret.encode() in data] == []
    assert b"redacted" in data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_secret_is_behind_a_content_encoding_or_in_what_the_recorder_says(table: Table):
    with cassette.open(table.path) as tape:
        requests = [record for record in tape if isinstance(record, cassette.Request)]
    data = b"\n".join(map(plain, requests)) + table.recorder.stderr.encode()
    assert [secret for secret in table.secrets if secret.encode() in data] == []
    assert sum(request.redactions for request in requests) > 1000


def test_no_redact_writes_everything_and_says_so(tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "all.tape"
    secret = "sk-" + letters(40)
    with answering() as api:
        api.headers = [("Set-Cookie", secret)]
        recorder = Process.tokentape("record", "--upstream", api.url, "-o", path, "--no-redact", env=home)
        with recorder:
            client = Client(recorder.url)
            client.send(f"/v1/chat/completions?key={secret}", [("Authorization", secret)], secret.encode())
            client.close()
    assert path.read_bytes().count(secret.encode()) == 4
    warnings = [line for line in recorder.stderr.splitlines() if "NOTHING IS REDACTED" in line]
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    with cassette.open(path) as tape:
        section = next(iter(tape))
    assert isinstance(section, cassette.Section)
    assert section.redaction == ()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    done = run("redact", path, tmp_path / "public.tape", "--json")
    counts = {(row["rule"], row["place"]): row["count"] for row in json.loads(done.stdout)["replaced"]}
    assert counts["cookie", "response header"] == counts["authorization", "request header"] == 1
    assert secret[3:].encode() not in (tmp_path / "public.tape").read_bytes()
    assert secret[3:] not in done.stdout + done.stderr


def test_rules_of_the_users_own_are_added_and_a_bad_file_is_a_line(tmp_path: Path, home: dict[str, str]):
    rules = tmp_path / "ours.toml"
    rules.write_text('[[shape]]\nname = "customer"\nstarts = ["ACME-"]\nregex = "ACME-[0-9]{6}"\n')
    path = tmp_path / "ours.tape"
    with answering() as api:
        options = ("--upstream", api.url, "-o", path, "--redact-rules", rules)
        with (recorder := Process.tokentape("record", *options, env=home)):
            client = Client(recorder.url)
            client.send(body=b'{"a": "ACME-123456 sk-' + letters(40).encode() + b'"}')
            client.close()
        with cassette.open(path) as tape:
            (exchange,) = cassette.exchanges(tape)
        assert exchange.request
        assert exchange.request.body == b'{"a": "[redacted customer] [redacted openai-key]"}'
        assert exchange.section
        assert {"customer", "cookie"} <= set(exchange.section.redaction)

        rules.write_text('[[shape]]\nname = "customer"\nregex = "ACME-["\n')
        done = run(
            "record",
            *options[:2],
            "-o",
            tmp_path / "b.tape",
            *options[4:],
            "--listen",
            "127.0.0.1:0",
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{rules}: [[shape]] number 1 (customer): regex is not a regular expression" in line
    assert not os.path.exists(tmp_path / "b.tape")


def test_a_client_with_its_secrets_is_answered_by_a_replay(tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "session.tape"
    request = {
        "path": f"/v1beta/models/gemini-2.5-flash:generateContent?key=AIza{letters(35)}&alt=sse",
        "headers": [("Content-Type", "application/json")],
        "body": json.dumps(
            {"contents": [{"text": f'Is "sk-{letters(40)}" a key?\n'}], "token": letters(30)}
        ).encode(),
    }
    with answering() as api:
        with (recorder := Process.tokentape("record", "--upstream", api.url, "-o", path, env=home)):
            client = Client(recorder.url)
            assert client.send(**request) == SSE
            client.close()
        assert api.seen == [(request["path"], request["body"])]
    with cassette.open(path) as tape:
        (exchange,) = cassette.exchanges(tape)
    assert exchange.request
    assert exchange.request.redactions == 3
    with Process.tokentape("replay", path, "--speed", "instant") as replay:
        client = Client(replay.url)
        assert client.send(**request) == SSE
        client.close()
