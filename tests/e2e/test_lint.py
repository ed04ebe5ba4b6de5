"""What `lint` says of a real recording is what was sent, and the verb tells the same of its replay."""

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.corpus import IS_HERE
from tests.e2e.conftest import Session
from tests.e2e.processes import Process, run, wait_until
from tests.e2e.upstream import Upstream, upstream
from tests.streams import Stream, chunk, event

FOUND = {
    "openai-usage": ("openai-chat", []),
    "openai-n2": ("openai-chat", []),
    "openai-n3": ("openai-chat", []),
    "openai-tools": ("openai-chat", []),
    "gzip": ("openai-chat", []),
    "deepseek-reasoning": ("openai-chat", ["unknown-field", "usage-misplaced"]),
    "azure": ("azure-openai", []),
    "crlf": ("openai-chat", ["no-end-mark", "role-missing"]),
}
IN_THE_CORPUS = {
    "openai/chat-n2.sse": ("openai-chat", []),
    "perplexity/sonar-crlf.sse": (
        "openai-chat",
        ["no-end-mark", "object-name", "unknown-field", "usage-misplaced"],
    ),
    "zai/glm-4.5v-finish-twice.sse": (
        "openai-chat",
        ["missing-field", "two-finishes", "unknown-field", "usage-misplaced"],
    ),
    "groq/mid-stream-error-event.sse": ("groq", ["error-in-stream", "unknown-field"]),
}


def linted(path: Path, *options: str) -> list[dict[str, Any]]:
    done = run("lint", path, "--json", *options, check=False)
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_each_recorded_stream_has_what_was_sent(session: Session):
    by_number = {each["exchange"]: each for each in linted(session.path)}
    for name, (rules, codes) in (FOUND | (IN_THE_CORPUS if IS_HERE else {})).items():
        exchange = session.exchanges[name][0]  # of the client that reads to the end
        found = by_number[exchange.number]
        assert found["rules"] == rules, name
        assert sorted({each["code"] for each in found["findings"]}) == codes, name


def late_usage() -> Stream:
    """As StepFun documents it, but for a count that goes back and a last chunk that says more."""

    def sent(n: int, text: str, finish: str = "") -> bytes:
        delta = {"role": "", "content": text}
        bill = {"prompt_tokens": 83, "completion_tokens": n, "total_tokens": 83 + n}
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return event(chunk(choice, model="step-1-8k", usage=bill))

    pieces = [sent(1, "白"), sent(3, "日"), sent(2, "依"), sent(4, "山", "stop"), event("[DONE]")]
    return Stream(name="late-usage", pieces=tuple(pieces))


@pytest.fixture
def server():
    with upstream() as server:
        server.streams["step-1-8k"] = late_usage()
        yield server


def ask(url: str) -> str:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="k" * 20, max_retries=0, timeout=30)
    with client.chat.completions.create(
        model="step-1-8k", messages=[{"role": "user", "content": "?"}], stream=True
    ) as stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_a_recording_of_stepfun_and_the_recording_of_its_replay_have_the_same_findings(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    first, second = tmp_path / "first.tape", tmp_path / "second.tape"

    def record(url: str, path: Path) -> None:
        with Process.tokentape("record", "--upstream", url, "-o", path, env=home) as recorder:
            assert ask(recorder.url) == "白日依山"
            wait_until(lambda: len(linted_while_open(path)) == 1, "the exchange in the cassette")

    record(server.url, first)
    with Process.tokentape("replay", first, "--speed", "instant") as replay:
        record(replay.url, second)
    lines = [
        run("lint", path, check=False).stdout.replace(str(path), "x.tape").splitlines()
        for path in (first, second)
    ]
    assert lines[0] == lines[1]
    assert [line.partition(": expected")[0] for line in lines[0]] == [
        "x.tape: exchange 0, event 3: usage-decreases usage.completion_tokens",
        "x.tape: exchange 0, choice 0, event 4: finish-with-content choices[0].delta.content",
    ]


def linted_while_open(path: Path) -> list[dict[str, Any]]:
    done = run("lint", path, "--json", check=False)
    return [each for each in json.loads(done.stdout) if each["events"] == 5]
