"""The text of a recorded stream is what the provider's own SDK makes of it."""

import csv
import importlib
import json
from collections import defaultdict

import pytest

from tests.analysis.tapes import records
from tests.corpus import ABSENT, FOLDER, IS_HERE
from tokentape import cassette
from tokentape.dialects import CONTENT, REASONING, REFUSAL, TOOL_CALL, transcript

pytestmark = pytest.mark.skipif(not IS_HERE, reason=ABSENT)
PATHS = {
    "openai-chat": b"/v1/chat/completions",
    "legacy-completions": b"/v1/completions",
    "openai-responses": b"/v1/responses",
    "anthropic-messages": b"/v1/messages",
}
# The SDK raises on these, or makes of them what nobody said:
UNREADABLE = {
    "higress/ollama-log-no-blank-lines.sse": "no event is JSON",
    "google-gemini/stream-no-blank-lines.sse": "no event is JSON",
    "mistral/magistral-content-list.sse": "`content` is a list there",
    "moonshot/error-shapes-handwritten.jsonl": "is an error",
    "groq/mid-stream-error-event.sse": "is an error",
    "openai/chat-audio-error.sse": "is an error",
    "openrouter/gemini-midstream-error.sse": "is an error",
}


def files(api):
    if not IS_HERE:
        return []
    with (FOLDER / "INDEX.tsv").open(newline="") as index:
        rows = csv.DictReader(index, delimiter="\t")
        return [row["file"] for row in rows if row["api"] == api and row["file"] not in UNREADABLE]


def body_of(name):
    body = (FOLDER / name).read_bytes()
    if name.endswith(".jsonl"):
        body = b"".join(b"data: " + line + b"\n\n" for line in body.splitlines() if line)
    if name.startswith("anthropic/"):  # a gateway's own end mark, which newer versions stumble over
        body = body.replace(b"event: data\ndata: [DONE]\n\n", b"")
    # Where the source lost the last blank line, an SDK discards the last event, as a browser does.
    return body if name.endswith(".gz") or body.endswith(b"\n\n") else body + b"\n\n"


def ours(name, api):
    """Return the text of each kind of each choice."""
    encoding = "gzip" if name.endswith(".gz") else ""
    made = records([(1, body_of(name))], path=PATHS[api], encoding=encoding)
    (exchange,) = cassette.exchanges([_section(), *made])
    found = defaultdict(str)
    for line in transcript(exchange).lines:
        for carried in line.carried:
            for kind in (CONTENT, REASONING, TOOL_CALL, REFUSAL):
                if carried.carries & kind:
                    found[carried.choice, kind] += carried.text
    return dict(found)


def _section():
    return cassette.Section(version=1, wall_ns=1, mono_ns=1, writer="", proxy="", host="")


def answering(sdk, name):
    """A client for an SDK that answers whatever is asked with a recorded stream."""
    base = importlib.import_module(f"{sdk.__name__}._base_client")  # newer ones take no httpx but httpx2
    httpx = getattr(base, "httpx2", None) or pytest.importorskip("httpx")
    headers = {"content-type": "text/event-stream"}
    if name.endswith(".gz"):
        headers["content-encoding"] = "gzip"
    answer = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, content=body_of(name)))
    return httpx.Client(transport=answer)


def openai_client(name):
    openai = pytest.importorskip("openai")
    return openai.OpenAI(api_key="none", http_client=answering(openai, name), max_retries=0)


@pytest.mark.parametrize("name", files("openai-chat"))
def test_chat_says_what_openai_reads(name):
    theirs = defaultdict(str)
    for chunk in openai_client(name).chat.completions.create(model="m", messages=[], stream=True):
        for choice in chunk.choices or []:
            theirs[choice.index, CONTENT] += choice.delta.content or ""
            theirs[choice.index, REFUSAL] += choice.delta.refusal or ""
            for call in choice.delta.tool_calls or []:
                theirs[choice.index, TOOL_CALL] += (call.function.name or "") + (
                    call.function.arguments or ""
                )
    found = {key: text for key, text in ours(name, "openai-chat").items() if key[1] != REASONING}
    assert found == {key: text for key, text in theirs.items() if text}


@pytest.mark.parametrize("name", files("legacy-completions"))
def test_completions_say_what_openai_reads(name):
    chunks = openai_client(name).completions.create(model="m", prompt="p", stream=True)
    texts = [getattr(choice, "text", None) or "" for chunk in chunks for choice in chunk.choices]
    assert ours(name, "legacy-completions") == {(0, CONTENT): "".join(texts)}


@pytest.mark.parametrize("name", files("openai-responses"))
def test_responses_say_what_openai_reads(name):
    *_, last = openai_client(name).responses.create(model="m", input="i", stream=True)
    theirs = defaultdict(str)
    theirs[0, CONTENT] = last.response.output_text
    for item in last.response.output:
        if item.type == "function_call":
            theirs[0, TOOL_CALL] += item.name + item.arguments
    found = {key: text for key, text in ours(name, "openai-responses").items() if key[1] != REASONING}
    assert found == {key: text for key, text in theirs.items() if text}


@pytest.mark.parametrize("name", files("anthropic-messages"))
def test_messages_say_what_anthropic_reads(name):
    anthropic = pytest.importorskip("anthropic")
    client = anthropic.Anthropic(api_key="none", http_client=answering(anthropic, name), max_retries=0)
    with client.messages.stream(model="m", max_tokens=1, messages=[]) as stream:
        message = stream.get_final_message()
    theirs = defaultdict(str)
    for block in message.content:
        match block.type:
            case "text":
                theirs[0, CONTENT] += block.text
            case "thinking":
                theirs[0, REASONING] += block.thinking
            case "tool_use":
                arguments = json.dumps(block.input, separators=(",", ":")) if block.input else ""
                theirs[0, TOOL_CALL] += block.name + arguments
    assert ours(name, "anthropic-messages") == dict(theirs)
    said = transcript(next(iter(cassette.exchanges([_section(), *_made(name)]))))
    assert (said.usage.prompt, said.usage.output) == (message.usage.input_tokens, message.usage.output_tokens)
    assert said.choices[0].finish == message.stop_reason


def _made(name):
    encoding = "gzip" if name.endswith(".gz") else ""
    return records([(1, body_of(name))], path=PATHS["anthropic-messages"], encoding=encoding)
