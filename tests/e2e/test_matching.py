"""The options of matching as a user meets them: the command, and clients that nobody here wrote."""

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import msgspec
import openai
import pytest

from tests.e2e.client import raw_body
from tests.e2e.newcomer import Newcomer, blocks
from tests.e2e.processes import ROOT, Process, run
from tests.e2e.upstream import upstream
from tests.replay.recordings import exchange, tape
from tests.streams import openai_usage

DOCUMENT = (ROOT / "docs" / "matching.md").read_text()
JSON = ((b"Content-Type", b"application/json"),)
SKY = "Why is the sky blue?"


def recorded(number, answer, content=SKY, *, path=b"/v1/chat/completions", **more):
    asked = {"messages": [{"role": "user", "content": content}], "model": "gpt-4o-mini", **more}
    completion = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        ],
    }
    return exchange(
        number,
        start_ms=number * 10,
        path=path,
        body=json.dumps(asked).encode(),
        headers=JSON,
        pieces=[(2, json.dumps(completion).encode())],
        end_ms=3,
    )


@pytest.fixture
def session(tmp_path):
    return tape(
        tmp_path / "session.tape", recorded(0, "first"), recorded(1, "second"), recorded(2, "sea", "Sea?")
    )


def replaying(*arguments):
    return Process.tokentape("replay", *arguments, "--speed", "instant")


def ask(process, content=SKY, **more):
    with openai.OpenAI(base_url=f"{process.url}/v1", api_key="none", max_retries=2, timeout=20) as client:
        messages = [{"role": "user", "content": content}]
        return (
            client.chat.completions.create(model="gpt-4o-mini", messages=messages, **more)
            .choices[0]
            .message.content
        )


def refusal(process, content=SKY, **more):
    with pytest.raises(openai.NotFoundError) as raised:
        ask(process, content, **more)
    assert isinstance(raised.value.body, dict)
    assert set(raised.value.body) == {"message", "type", "code", "param"}
    return raised.value.code, raised.value.body["message"]


def test_what_is_ignored_is_not_missed(tmp_path):
    path = tape(tmp_path / "a.tape", recorded(0, "yes", user="then", metadata={"request_id": "1", "of": "x"}))
    with replaying(path, "--ignore", "$.user", "--ignore", "$..request_id") as process:
        assert ask(process, user="now", metadata={"request_id": "2", "of": "x"}) == "yes"
        assert ask(process, metadata={"of": "x"}) == "yes"
        code, message = refusal(process, metadata={"of": "y"})
    assert code == "not_recorded"
    assert message.splitlines()[2:] == ["body.metadata.of: recorded 'x', the request has 'y'"]


def test_named_headers_matter_and_what_is_not_named_does_not(tmp_path):
    path = tape(tmp_path / "a.tape", recorded(0, "yes", path=b"/v1/chat/completions?api-version=1"))
    with replaying(path, "--match", "path,header:x-tenant") as process:
        assert ask(process, "something else") == "yes"
        code, message = refusal(process, extra_headers={"X-Tenant": "other"})
    assert code == "not_recorded"
    assert message.splitlines()[2:] == ["header.x-tenant: recorded '', the request has 'other'"]
    with replaying(path) as process:
        assert ask(process, extra_query={"api-version": "1"}) == "yes"
        _, message = refusal(process, extra_query={"api-version": "2"})
    assert message.splitlines()[2:] == ["query.api-version: recorded '1', the request has '2'"]


@pytest.mark.parametrize(("exhausted", "third"), [("cycle", "first"), ("last", "second"), ("error", None)])
def test_what_follows_the_last_answer(session, exhausted, third):
    with replaying(session, "--exhausted", exhausted) as process:
        assert [ask(process), ask(process)] == ["first", "second"]
        if third is None:
            code, message = refusal(process)
            assert code == "exhausted"
            assert "was recorded 2 times" in message
        else:
            assert ask(process) == third


def test_recorded_order_is_kept_and_a_violation_is_not_retried(session):
    with replaying(session, "--order", "recorded") as process:
        code, message = refusal(process, "Sea?")
        assert code == "out_of_order"
        assert f"number 1 of 3 is due: {session}, exchange 0" in message
        assert [ask(process), ask(process), ask(process, "Sea?"), ask(process)] == [
            "first",
            "second",
            "sea",
            "first",
        ]
    assert "served 4, missed 1;" in process.stdout


def test_every_recorded_answer_goes_out_once_to_clients_that_ask_at_once(tmp_path):
    count = 24
    path = tape(tmp_path / "a.tape", *(recorded(n, str(n)) for n in range(count)))
    with replaying(path, "--exhausted", "error", "--fail-unplayed") as process, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(process), range(count)))
        assert sorted(answers, key=int) == [str(n) for n in range(count)]
        assert refusal(process)[0] == "exhausted"
    assert process.returncode == 0


def test_transcriptions_match_whatever_the_boundary(tmp_path):
    def upload(url, sound=b"RIFF\xff\r\n", model="whisper-1"):
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=20) as client:
            return client.audio.transcriptions.create(model=model, file=("a.wav", sound)).text

    parts = (
        ('name="file"; filename="a.wav"\r\nContent-Type: audio/wav', b"RIFF\xff\r\n"),
        ('name="model"', b"whisper-1"),
    )
    body = b"".join(
        b"--curls\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (head.encode(), content)
        for head, content in parts
    )
    records = exchange(
        body=body + b"--curls--\r\n",
        path=b"/v1/audio/transcriptions",
        headers=JSON,
        pieces=[(1, b'{"text":"hello"}')],
    )
    sent_as = ((b"Content-Type", b"multipart/form-data; boundary=curls"),)
    records[0] = msgspec.structs.replace(records[0], headers=sent_as)
    with replaying(tape(tmp_path / "a.tape", records)) as process:
        assert upload(process.url) == upload(process.url) == "hello"
        with pytest.raises(
            openai.NotFoundError, match=r"body\.model: recorded 'whisper-1', the request has 'w2'"
        ):
            upload(process.url, model="w2")


def test_a_miss_is_said_once_on_stderr_without_secrets(session):
    secret = "sk" + "-" + "Ab1" * 12
    with replaying(session) as process:
        for _ in range(3):
            refusal(process, f"my key is {secret}", extra_query={"key": "plain words"})
    assert process.stderr.count("not recorded: POST /v1/chat/completions?key=[hidden] with this body") == 1
    assert "\n  nearest recorded request: POST /v1/chat/completions\n" in process.stderr
    assert (
        "body.messages[0].content: recorded 'Why is the sky blue?', the request has 'my key is ***"
        in process.stderr
    )
    for text in (process.stderr, process.stdout):
        assert secret[3:12] not in text
        assert "plain" not in text
    assert "3  404     POST /v1/chat/completions?key=[hidden]" in process.stdout


def test_models_come_from_the_recording(session):
    with replaying(session) as process, openai.OpenAI(base_url=f"{process.url}/v1", api_key="none") as client:
        assert [model.id for model in client.models.list()] == ["gpt-4o-mini", "gpt-4o-mini-2024-07-18"]
        assert client.models.retrieve("gpt-4o-mini").object == "model"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt-5")
    assert "served 0, missed 1; 3 of 3 never played; models listed 2 times" in process.stdout


def test_what_was_never_played_is_exit_3_if_wanted(session):
    with replaying(session, "--fail-unplayed") as process:
        ask(process)
    assert process.returncode == 3
    names = [f"{session}, exchange {number}" for number in (1, 2)]
    assert process.stderr.endswith(f"never played: {names[0]}; {names[1]}\n")


def test_a_pattern_names_several_cassettes_and_changes_are_served(tmp_path):
    tape(tmp_path / "b.tape", recorded(0, "sea", "Sea?"))
    tape(tmp_path / "a.tape", recorded(0, "sky"))
    with replaying(tmp_path / "*.tape", "--reload") as process:
        assert [ask(process), ask(process, "Sea?")] == ["sky", "sea"]
        os.replace(tape(tmp_path / "new", recorded(0, "new", "New?")), tmp_path / "c.tape")
        assert process.wait_for("reloaded: 3 exchanges to serve")
        assert [ask(process), ask(process, "New?")] == ["sky", "new"]
        (tmp_path / "c.tape").write_bytes(b"")
        assert process.wait_for("not reloaded: ")
        assert ask(process, "New?") == "new"
    rows = re.findall(r"^ *(\w+) +200 .*/(\w)\.tape, exchange 0$", process.stdout, re.MULTILINE)
    assert rows == [("2", "a"), ("1", "b"), ("2", "c")]


def test_a_pattern_without_files_is_one_line(tmp_path):
    done = run("replay", tmp_path / "*.tape", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: {tmp_path}/*.tape: expected cassettes, found no file whose name matches this pattern\n"
    )


def test_options_come_from_a_file_and_the_command_line_goes_before_it(session, tmp_path):
    (tmp_path / "replay.toml").write_text('[replay]\nexhausted = "error"\nignore = "$.user"\njson = true\n')
    with replaying(session, "--config", tmp_path / "replay.toml") as process:
        assert [ask(process, user="a"), ask(process, user="b")] == ["first", "second"]
        assert refusal(process)[0] == "exhausted"
    assert json.loads(process.stdout)["hits"] == 2
    with replaying(session, "--config", tmp_path / "replay.toml", "--exhausted", "last") as process:
        assert [ask(process) for _ in range(3)] == ["first", "second", "second"]


def test_every_example_of_the_document_works_as_printed(session, tmp_path, home):
    (tmp_path / "tapes").mkdir()
    tape(tmp_path / "tapes" / "one.tape", recorded(0, "one"))
    once = tape(tmp_path / "once.tape", recorded(0, "once", user="me"))
    with upstream() as server, ExitStack() as stack:
        newcomer = Newcomer(tmp_path, server, home, stack)
        server.streams["live"] = openai_usage()
        asked_live = 0
        for kind, text in blocks(DOCUMENT):
            if kind == "sh":
                for line in text.splitlines():
                    os.replace(tape(tmp_path / "new", recorded(0, "only")), session)
                    newcomer.line(line)
                    process = newcomer._serving[-1]
                    assert ask(process) in {"only", "one"}
                    if "--on-miss" in line:
                        assert raw_body(process.url, "live")[2] == b"".join(server.streams["live"].pieces)
                        asked_live += 1
                    newcomer.stop_all()
            else:
                newcomer.code(kind, text)
        assert len(server.seen) == asked_live == 2
        os.replace(once, session)
        assert "1 passed" in newcomer.run(sys.executable, "-m", "pytest", "-q", "test_weather.py")


def test_the_document_has_an_example_of_every_option_of_matching():
    shown = {word for kind, text in blocks(DOCUMENT) if kind == "sh" for word in text.split()}
    options = {"match", "ignore", "order", "exhausted", "reload", "fail-unplayed", "config", "on-miss"}
    assert {f"--{name}" for name in options} <= shown
    for link in re.findall(r"\]\(([^)#]+)", DOCUMENT):
        assert (ROOT / "docs" / link).is_file(), link
