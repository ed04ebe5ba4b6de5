"""A program that nobody changed, recorded through the proxy and answered by it again, the API gone."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from tests.e2e.processes import Process
from tests.e2e.test_recording import tls_in_front_of
from tests.e2e.upstream import upstream
from tests.streams import openai_usage, stepfun

PROGRAM = """
import sys, openai

for url in sys.argv[1:]:
    client = openai.OpenAI(base_url=url + "/v1", api_key="k" * 20)
    for model in ("gpt-4o-mini", "stepfun", "gpt-4o-mini"):
        with client.chat.completions.with_streaming_response.create(
            model=model, messages=[{"role": "user", "content": "Say something."}], stream=True
        ) as response:
            found = b"".join(response.iter_bytes())
            print(model, response.status_code, response.headers["content-type"], found)
"""


def settings(process: Process) -> dict[str, str]:
    """What the command says that a client needs."""
    assert process.wait_for("SSL_CERT_FILE")
    lines = re.findall(r"^  export (.*)$", process.stderr, re.MULTILINE)
    return dict(setting.split("=", 1) for line in lines for setting in shlex.split(line))


def run(process: Process, *command: str, home: dict[str, str]) -> str:
    """Run a program that knows nothing but its environment."""
    env = os.environ | home | settings(process) | {"NO_PROXY": "", "no_proxy": ""}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def recorded(tmp_path: Path, home: dict[str, str]):
    """The cassette of a run of the program, the API's URLs, and what the program and curl printed."""
    path = tmp_path / "any.tape"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "upstream-ca.pem"))
    setting = f"ssl_verify_upstream_trusted_ca={tmp_path / 'upstream-ca.pem'}"
    with upstream() as server, tls_in_front_of(server.url, authority) as url:
        server.streams = {"gpt-4o-mini": openai_usage(), "stepfun": stepfun()}
        recorder = Process.tokentape("record", "--proxy", "-o", path, "--set", setting, env=home)
        with recorder:
            printed = run(recorder, sys.executable, "-c", PROGRAM, url, server.url, home=home)
            curled = run(recorder, *curl(url), home=home) if shutil.which("curl") else ""
    assert printed.count("gpt-4o-mini 200 text/event-stream") == 4
    return path, url, server.url, printed, curled


def curl(url: str) -> list[str]:
    body = json.dumps({"model": "stepfun", "stream": True})
    return ["curl", "-sSN", f"{url}/v1/chat/completions", "-d", body, "-H", "content-type: application/json"]


def test_the_same_program_gets_the_same_bytes_with_the_same_variables(recorded, home: dict[str, str]):
    path, url, plain_url, printed, curled = recorded
    before = hashlib.sha256(path.read_bytes()).digest()
    with Process.tokentape("replay", path, "--proxy", "--speed", "4", "--json", env=home) as replay:
        for _ in range(2):
            assert run(replay, sys.executable, "-c", PROGRAM, url, plain_url, home=home) == printed
        if curled:
            assert run(replay, *curl(url), home=home) == curled
            refused = subprocess.run(
                ["curl", "-sS", "-x", replay.url, "https://other.example/"],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert refused.returncode == 56
            assert "403" in refused.stderr
    assert replay.returncode == 0
    stats = json.loads(replay.stdout)
    assert stats["hits"] == 12 + bool(curled)
    assert stats["misses"] == bool(curled)
    assert "Traceback" not in replay.stderr
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_a_client_that_was_not_told_of_the_authority_is_said_on_stderr(recorded, home: dict[str, str]):
    path, url, *_ = recorded
    program = "import sys, httpx; httpx.get(sys.argv[1])"
    with Process.tokentape("replay", path, "--proxy", env=home) as replay:
        env = os.environ | home | {"HTTPS_PROXY": replay.url, "NO_PROXY": "", "no_proxy": ""}
        done = subprocess.run(
            [sys.executable, "-c", program, url],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
        assert replay.wait_for("does not trust the certificate")
    assert "no TLS with a client of localhost: it does not trust the certificate" in replay.stderr
