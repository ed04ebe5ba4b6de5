"""Small streams written for this project, in the shapes that providers send.

They cover outside the repository what the recorded streams of the corpus cover beside it.
"""

import gzip
import json
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from random import Random
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A response body, cut into the pieces in which it is sent.

    `first_token` gives for each choice the index of the event that carries its first token, counted from
    0 over all events with data, and `texts` the text that the choice's content adds up to.
    """

    name: str
    pieces: tuple[bytes, ...]
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/event-stream; charset=utf-8"),)
    first_token: dict[int, int | None] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


def event(payload: Any, end: bytes = b"\n\n") -> bytes:
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    return b"data: " + text.encode() + end


def chunk(*choices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "m-1",
        "choices": list(choices),
    } | fields


def choice(index: int = 0, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish}


def cut(body: bytes, seed: int = 1, typical: int = 200) -> tuple[bytes, ...]:
    """Cut a body into pieces that split some events and hold several others."""
    random = Random(seed)
    pieces = []
    while body:
        size = random.choice([1, typical // 3, typical, 3 * typical])
        pieces.append(body[:size])
        body = body[size:]
    return tuple(pieces)


def reads(body: bytes, sizes: list[int]) -> tuple[bytes, ...]:
    """Cut a body into reads of the given sizes."""
    ends = list(accumulate(sizes))
    assert ends[-1] == len(body)
    return tuple(body[end - size : end] for size, end in zip(sizes, ends, strict=True))


def stepfun() -> Stream:
    """Every chunk has `role: ""`, `finish_reason: ""` and a cumulative usage; text from the first event."""
    words = ["白日", "依", "山尽", "，", "黄河", "入海", "流", "。"]
    events = [
        event(
            chunk(
                {"index": 0, "delta": {"role": "", "content": word}, "finish_reason": ""},
                usage={"prompt_tokens": 83, "completion_tokens": n, "total_tokens": 83 + n},
            )
        )
        for n, word in enumerate(words, 1)
    ]
    last = chunk(
        {"index": 0, "delta": {"role": "", "content": ""}, "finish_reason": "stop"},
        usage={"prompt_tokens": 83, "completion_tokens": len(words), "total_tokens": 83 + len(words)},
    )
    return Stream(
        name="stepfun",
        pieces=(*events, event(last), event("[DONE]")),
        first_token={0: 0},
        texts={0: "".join(words)},
    )


def openai_usage() -> Stream:
    """The role comes first, the usage in a chunk of its own without choices."""
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    body = b"".join(
        [
            event(chunk(choice(role="assistant", content=""), usage=None)),
            event(chunk(choice(content="Hello"), usage=None)),
            event(chunk(choice(content=" there"), usage=None)),
            event(chunk(choice(content="!"), usage=None)),
            event(chunk(choice(finish="stop"), usage=None)),
            event(chunk(usage=usage)),
            event("[DONE]"),
        ]
    )
    return Stream(name="openai-usage", pieces=cut(body, 1), first_token={0: 1}, texts={0: "Hello there!"})


def openai_choices(n: int) -> Stream:
    """`n` choices, interleaved and, in the last content event, in one chunk together."""
    events = [event(chunk(choice(i, role="assistant", content=""))) for i in range(n)]
    events += [event(chunk(choice(i, content=f"one{i}"))) for i in range(n)]
    events.append(event(chunk(*[choice(i, content=" two") for i in range(n)])))
    events += [event(chunk(choice(i, finish="stop"))) for i in range(n)]
    body = b"".join([*events, event("[DONE]")])
    return Stream(
        name=f"openai-n{n}",
        pieces=cut(body, n),
        first_token={i: n + i for i in range(n)},
        texts={i: f"one{i} two" for i in range(n)},
    )


def openai_tools() -> Stream:
    """Only tool calls: the name first, then the arguments in parts."""

    def call(**function: str) -> dict[str, Any]:
        return {"index": 0, "function": function}

    named = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "sqrt", "arguments": ""}}
    body = b"".join(
        [
            event(chunk(choice(role="assistant", content=None))),
            event(chunk(choice(tool_calls=[named]))),
            event(chunk(choice(tool_calls=[call(arguments='{"x":')]))),
            event(chunk(choice(tool_calls=[call(arguments=" 16}")]))),
            event(chunk(choice(finish="tool_calls"))),
            event("[DONE]"),
        ]
    )
    return Stream(name="openai-tools", pieces=cut(body, 4), first_token={0: 1}, texts={0: ""})


def deepseek_reasoning() -> Stream:
    """Reasoning comes as `reasoning_content` before the content, the usage with the finish."""
    usage = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
    body = b"".join(
        [
            b": keep-alive\n\n",
            event(chunk(choice(role="assistant", content=None, reasoning_content=""))),
            event(chunk(choice(content=None, reasoning_content="Let"))),
            event(chunk(choice(content=None, reasoning_content=" me see"))),
            event(chunk(choice(content="Four", reasoning_content=None))),
            event(chunk(choice(content=".", reasoning_content=None))),
            event(chunk(choice(finish="stop", content=""), usage=usage)),
            event("[DONE]"),
        ]
    )
    return Stream(name="deepseek-reasoning", pieces=cut(body, 5), first_token={0: 1}, texts={0: "Four."})


def azure() -> Stream:
    """The first event is about the prompt and has no choices."""
    body = b"".join(
        [
            event(chunk(id="", object="", created=0, model="", prompt_filter_results=[])),
            event(chunk(choice(role="assistant", content=""))),
            event(chunk(choice(content="Fine"))),
            event(chunk(choice(finish="stop"))),
            event("[DONE]"),
        ]
    )
    return Stream(name="azure", pieces=cut(body, 6), first_token={0: 2}, texts={0: "Fine"})


def crlf() -> Stream:
    """Lines end with CRLF, which some of the pieces split; there is no end mark."""
    body = b"".join(
        event(chunk(choice(content=text, finish=finish)), b"\r\n\r\n")
        for text, finish in [("你", None), ("好🙂", None), ("\u2028", "stop")]
    )
    pieces = tuple(part for part in body.replace(b"\r\n", b"\r\0\n").split(b"\0") if part)
    return Stream(name="crlf", pieces=pieces, first_token={0: 0}, texts={0: "你好🙂\u2028"})


def compressed() -> Stream:
    """A body that the provider sent with gzip, cut without regard to its events."""
    plain = openai_usage()
    return Stream(
        name="gzip",
        pieces=cut(gzip.compress(plain.body, mtime=0), 7, typical=40),
        headers=(*plain.headers, ("content-encoding", "gzip")),
        first_token=plain.first_token,
        texts=plain.texts,
    )


def anthropic_messages() -> Stream:
    """Events with names, of another API than chat completions, and no end mark of theirs."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": []}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message | {"usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
            for text in ("Hello", " there", "!")
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    pieces = tuple(f"event: {each['type']}\n".encode() + event(each) for each in events)
    return Stream(name="anthropic-messages", pieces=pieces)


STREAMS = (
    stepfun(),
    openai_usage(),
    openai_choices(2),
    openai_choices(3),
    openai_tools(),
    deepseek_reasoning(),
    azure(),
    crlf(),
    compressed(),
)


def split(drawn: Any, body: bytes) -> list[bytes]:
    """The body in pieces of any sizes, empty ones too, as hypothesis' `data()` draws them."""
    places = sorted(drawn.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    return [body[start:end] for start, end in pairwise([0, *places, len(body)])]
