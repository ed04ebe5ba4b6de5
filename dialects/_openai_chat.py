"""`openai-chat`: chat-completion chunks of OpenAI and of those who speak like it, StepFun among them.

Each event's JSON is decoded once, into types that name only what is looked at; msgspec then skips the
rest, and choosing the attributes costs less than looking keys up. Leaf values stay untyped, since
providers put lists where others put strings. A chunk whose *structure* is off (choices null, delta a
string) does not fit the types: it is decoded again without them and what fits is taken from it.

What is deliberately not read: `message` beside `delta` (Perplexity, Writer: the whole text so far, once
more), `text` beside `delta` (Together: the same text twice), encrypted reasoning, padding, logprobs.

A gateway says that reasoning is a summary in the type of `reasoning_details`, `reasoning.summary`
(https://openrouter.ai/docs/use-cases/reasoning-tokens); else the model's name tells (`_summarising`).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._carried import (
    AUDIO,
    CONTENT,
    END_MARK,
    ERROR,
    FINISH,
    NOTHING,
    OWN_USAGE,
    REASONING,
    REFUSAL,
    TOOL_CALL,
    USAGE,
    WITHHELD,
    Buffer,
    Carried,
    Contents,
    Read,
    Usage,
)
from tokentape.dialects._json import MAX_COUNT, compact, count_of, dict_of, list_of, parse, text_of
from tokentape.dialects._objects import without_object
from tokentape.dialects._openai_contents import MAX_CHOICE, read_contents
from tokentape.dialects._summarising import summarises


class _Message(msgspec.Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    audio: Any = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Message | None = None
    index: Any = None
    finish_reason: Any = None
    text: Any = None
    usage: Any = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: Any = None
    completion_tokens: Any = None
    total_tokens: Any = None
    completion_tokens_details: Any = None
    prompt_tokens_details: Any = None
    prompt_cache_hit_tokens: Any = None
    cached_tokens: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: Any = None
    object: Any = None
    error: Any = None
    x_groq: Any = None
    message: Any = None


_decoder = msgspec.json.Decoder(_Chunk)
_decode, _decode_lines = _decoder.decode, _decoder.decode_lines


class OpenAIChat:
    """Reads chat-completion chunks, and the answer that is one whole `chat.completion`."""

    name = "openai-chat"
    counts_tokens = True

    def claims_path(self, path: str) -> bool:
        return path.rstrip("/").endswith("/chat/completions")

    def claims(self, value: dict[str, Any]) -> bool:
        return type(value.get("choices")) is list or text_of(value.get("object")).startswith(
            "chat.completion"
        )

    def reader(self) -> Read:
        return read_chunk

    def read_lines(self, lines: Buffer) -> list[Sequence[Carried]]:
        return read_lines(lines)

    def read_contents(self, lines: Buffer) -> Contents | None:
        return read_contents(lines)

    def read_answer(self, body: bytes) -> Sequence[Carried]:
        return read_whole(body)


def read_whole(body: bytes) -> Sequence[Carried]:
    """Return what an answer carries that is one whole completion."""
    answer = dict_of(parse(body))
    whole = [
        {**choice, "delta": choice.get("message")}
        for choice in list_of(answer.get("choices"))
        if type(choice) is dict
    ]
    return _carried(_fitted({**answer, "choices": whole}), is_error=False)


def read_chunk(event: ServerSentEvent) -> Sequence[Carried]:
    """Return what a chunk carries; it needs nothing of those before it."""
    data = event.data
    try:
        chunk = _decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        if data.strip() == b"[DONE]":
            return END_MARK
        value = parse(data)
        if type(value) is not dict:
            return without_object(event)
        return _carried(_fitted(value), is_error=event.event == "error")
    if event.event == "error":
        return _carried(chunk, is_error=True)
    row = _content_alone(chunk)
    return (row,) if row is not None else _carried(chunk, is_error=False)


def read_lines(lines: Buffer) -> list[Sequence[Carried]]:
    """Return what each of many chunks carries, of which nothing but whitespace is between the objects.

    It is what `read_chunk` returns for each, in two thirds of its time: they are decoded in one call.
    Raises ValueError if any is not as the types have it.
    """
    try:
        chunks = _decode_lines(lines)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    return [
        (row,) if (row := _content_alone(chunk)) is not None else _carried(chunk, is_error=False)
        for chunk in chunks
    ]


def _content_alone(chunk: _Chunk) -> Carried | None:
    """Return what the commonest chunk carries, one piece of content of one choice; None for any other.

    It is what `_carried` would say, in a third of the time; a test holds the two together.
    """
    choices = chunk.choices
    if choices is None or len(choices) != 1:
        return None
    choice = choices[0]
    message, index = choice.delta, choice.index
    if (
        message is None
        or type(text := message.content) is not str
        or not text
        or type(index) is not int
        or not 0 <= index < MAX_CHOICE
        or choice.finish_reason
        or choice.usage
        or message.reasoning_content
        or message.reasoning
        or message.reasoning_details
        or message.tool_calls
        or message.function_call
        or message.refusal
        or message.audio
        or chunk.error
        or chunk.x_groq
        or chunk.object == "error"
    ):
        return None
    model = chunk.model
    if type(model) is not str or not model:
        model = None
    bill = chunk.usage
    if bill is None:
        return Carried(index, CONTENT, text, model)
    output, prompt = bill.completion_tokens, bill.prompt_tokens
    if (
        type(output) is int
        and type(prompt) is int
        and 0 <= output < MAX_COUNT
        and 0 <= prompt < MAX_COUNT
        and not bill.completion_tokens_details
    ):
        return Carried(index, CONTENT | USAGE, text, model, Usage(prompt, output, None, _cached(bill)))
    return None


def _carried(  # noqa: C901  (one branch for each thing that a chunk can carry)
    chunk: _Chunk, *, is_error: bool
) -> Sequence[Carried]:
    usage = None if chunk.usage is None else _usage(chunk.usage)
    fault = chunk.error
    if chunk.x_groq is not None:
        groq = dict_of(chunk.x_groq)
        usage = usage or _usage(_fitted_usage(groq.get("usage")))
        fault = fault or groq.get("error")
    carries = 0 if usage is None else USAGE
    error = None
    if is_error or fault or chunk.object == "error":
        carries |= ERROR
        error = text_of(dict_of(fault).get("message") or fault) or text_of(chunk.message) or "no message"
    model = chunk.model if type(chunk.model) is str and chunk.model else None
    found: list[Carried] = []
    for position, choice in enumerate(chunk.choices or ()):
        number = _index(choice.index, position)
        if number is None:
            continue
        text, kinds = ("", 0)
        if choice.delta is not None:
            text, kinds = _generated(choice.delta)
            if kinds & REASONING and summarises(model):
                kinds |= WITHHELD
        elif text := text_of(choice.text):
            kinds = CONTENT
        finish = choice.finish_reason if _is_finish(choice.finish_reason) else None
        if finish is not None:
            kinds |= FINISH
        fault_of_choice = error
        if finish == "error" and error is None:
            kinds |= ERROR
            fault_of_choice = "finish_reason is 'error'"
        own = None if choice.usage is None else _usage(_fitted_usage(choice.usage))
        if own is not None:
            kinds |= OWN_USAGE
        found.append(Carried(number, kinds | carries, text, model, usage, finish, own, fault_of_choice))
    if found:
        return found
    return (Carried(carries=carries, model=model, usage=usage, error=error),) if carries or model else NOTHING


def _is_finish(reason: object) -> bool:
    """Whether it is a reason: not null, nor the "" and "null" that some send until there is one."""
    return type(reason) is str and reason not in ("", "null")


def _generated(message: _Message) -> tuple[str, int]:
    """Return all generated text of a delta, and its kinds."""
    reasoning, content = _content(message.content)
    # The same reasoning comes under two names at once (OpenRouter, MiniMax, Avian): the first counts.
    reasoning = (
        text_of(message.reasoning_content)
        or text_of(message.reasoning)
        or _reasoning_details(message.reasoning_details)
        or reasoning
    )
    calls = "".join(
        [_call_text(call) for call in list_of(message.tool_calls)]
        + ([_call_text({"function": message.function_call})] if message.function_call else [])
    )
    refusal = text_of(message.refusal)
    audio = dict_of(message.audio)
    transcript = text_of(audio.get("transcript"))
    carries = (
        (REASONING if reasoning else 0)
        | (CONTENT if content else 0)
        | (TOOL_CALL if calls else 0)
        | (REFUSAL if refusal else 0)
        | (AUDIO if transcript or text_of(audio.get("data")) else 0)
        | (WITHHELD if reasoning and _is_summary(message.reasoning_details) else 0)
    )
    return reasoning + content + calls + refusal + transcript, carries


def _content(content: object) -> tuple[str, str]:
    """Return the reasoning and the text of `content`: a string, or a list of parts (Mistral Magistral)."""
    if type(content) is str:
        return "", content
    thinking: list[str] = []
    text: list[str] = []
    for item in list_of(content):
        part = {"text": item} if type(item) is str else dict_of(item)
        if part.get("type") == "thinking":
            thought = part.get("thinking")
            pieces = [{"text": thought}] if type(thought) is str else list_of(thought)
            thinking += [text_of(dict_of(piece).get("text")) for piece in pieces]
        else:
            text.append(text_of(part.get("text")))
    return "".join(thinking), "".join(text)


def _reasoning_details(details: object) -> str:
    parts = [dict_of(detail) for detail in list_of(details)]
    return "".join([text_of(part.get("text")) or text_of(part.get("summary")) for part in parts])


def _is_summary(details: object) -> bool:
    return any(dict_of(detail).get("type") == "reasoning.summary" for detail in list_of(details))


def _call_text(call: object) -> str:
    """Return a tool call's name and arguments, as far as this chunk has them."""
    called = dict_of(dict_of(call).get("function")) or dict_of(dict_of(call).get("custom"))
    arguments = called.get("arguments") or called.get("input")
    if type(arguments) in (dict, list):
        arguments = compact(arguments)
    return text_of(called.get("name")) + text_of(arguments)


def _usage(usage: _Usage | None) -> Usage | None:
    if usage is None:
        return None
    output, prompt = count_of(usage.completion_tokens), count_of(usage.prompt_tokens)
    reasoning = None
    if usage.completion_tokens_details is not None:
        reasoning = count_of(dict_of(usage.completion_tokens_details).get("reasoning_tokens"))
        if reasoning and output is not None:
            total = count_of(usage.total_tokens)
            # xAI and Vercel's gateway leave reasoning out of completion_tokens: the total, or a part
            # that would be larger than the whole, gives it away.
            if reasoning > output or (prompt is not None and total == prompt + output + reasoning):
                output += reasoning
    if output is None and prompt is None:
        return None
    return Usage(prompt, output, reasoning, _cached(usage))


def _cached(usage: _Usage) -> int | None:
    """Return the prompt tokens from a cache, in OpenAI's place for them or DeepSeek's or Moonshot's."""
    if usage.prompt_tokens_details is not None:
        found = count_of(dict_of(usage.prompt_tokens_details).get("cached_tokens"))
        if found is not None:
            return found
    if usage.prompt_cache_hit_tokens is not None:
        return count_of(usage.prompt_cache_hit_tokens)
    return None if usage.cached_tokens is None else count_of(usage.cached_tokens)


def _index(index: object, position: int) -> int | None:
    """Return the choice that an odd index means, or None if that cannot be known.

    To take the wrong one would mix two streams.
    """
    if type(index) is int and 0 <= index < MAX_CHOICE:
        return index
    if index is None:
        return position
    if type(index) is str and index.isascii() and index.isdigit() and len(index) < 6:
        index = int(index)
    number = count_of(index)
    return number if number is not None and number < MAX_CHOICE else None


def _fitted(value: object) -> _Chunk:
    """Return what fits the types of a chunk that did not."""
    chunk = dict_of(value)
    choices = [
        _Choice(
            delta=_fitted_message(choice["delta"]) if type(choice.get("delta")) is dict else None,
            # A choice among others that are not objects keeps its place in the list as its index.
            index=choice.get("index", position),
            finish_reason=choice.get("finish_reason"),
            text=choice.get("text") if choice.get("delta") is None else None,
            usage=choice.get("usage"),
        )
        for position, choice in enumerate(list_of(chunk.get("choices")))
        if type(choice) is dict
    ]
    return _Chunk(
        choices=choices,
        usage=_fitted_usage(chunk.get("usage")),
        model=chunk.get("model"),
        object=chunk.get("object"),
        error=chunk.get("error"),
        x_groq=chunk.get("x_groq"),
        message=chunk.get("message"),
    )


def _fitted_message(delta: dict[str, Any]) -> _Message:
    return _Message(**{name: delta.get(name) for name in _Message.__struct_fields__})


def _fitted_usage(value: object) -> _Usage | None:
    if type(value) is not dict:
        return None
    return _Usage(**{name: value.get(name) for name in _Usage.__struct_fields__})
