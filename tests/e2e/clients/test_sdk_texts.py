"""The text of a recorded stream is what Google's, Cohere's and Ollama's own SDKs make of it."""

import csv
import json
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.analysis.tapes import SECTION, records
from tests.corpus import ABSENT, FOLDER, IS_HERE
from tests.e2e.environments import Absent, python_of
from tests.e2e.processes import ROOT
from tokentape import cassette
from tokentape.dialects import TOKEN, name_of, transcript

pytestmark = [pytest.mark.once, pytest.mark.skipif(not IS_HERE, reason=ABSENT)]
SDKS = {"gemini": "google-genai", "cohere": "cohere", "ollama-ndjson": "ollama"}
NOT_EVENTS = "google-gemini/stream-no-blank-lines.sse"  # its blank lines are lost: an SDK sees no event in it


def recorded() -> list[tuple[str, str]]:
    if not IS_HERE:
        return []
    with (FOLDER / "INDEX.tsv").open(newline="") as index:
        rows = csv.DictReader(index, delimiter="\t")
        return [(row["file"], row["api"]) for row in rows if row["api"] in SDKS and row["file"] != NOT_EVENTS]


@contextmanager
def answering(body: bytes, content_type: str) -> Iterator[str]:
    """A server that answers every request so; yields its URL."""

    class Answers(BaseHTTPRequestHandler):
        timeout = 30

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


@pytest.mark.parametrize(("name", "api"), recorded())
def test_text_is_what_the_sdk_says(name: str, api: str) -> None:
    try:
        python = python_of("sdks")
    except Absent as reason:
        pytest.skip(str(reason))
    body = (FOLDER / name).read_bytes()
    content_type = "application/x-ndjson" if api == "ollama-ndjson" else "text/event-stream"
    with answering(body, content_type) as url:
        asked = subprocess.run(
            [python, str(ROOT / "tests" / "clients" / "say.py"), SDKS[api], url],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert asked.returncode == 0, asked.stderr
    made = records([(1, body)], path=b"/gateway", content_type=content_type)
    (exchange,) = cassette.exchanges([SECTION, *made])
    ours: dict[str, str] = defaultdict(str)
    for line in transcript(exchange).lines:
        for carried in line.carried:
            if carried.text:
                ours[name_of(carried.carries & TOKEN)] += carried.text
    assert json.loads(asked.stdout) == dict(ours)
