"""`gemini`: the chunks of Google's `streamGenerateContent`, at AI Studio and at Vertex.

A chunk has the next parts of each candidate. There is no end mark: the finish reason is what ends
a stream. Output is billed in two counts, of which thoughts are one, and repeated with each chunk. Thought
signatures, the results of code that Google ran, and images are not generated text.

Thoughts that are shown are summaries, and what is billed is what was thought (see `_summarising`).
"""

from collections.abc import Sequence
from typing import Any

from tokentape.dialects._carried import (
    AUDIO,
    CONTENT,
    FINISH,
    NOTHING,
    REASONING,
    TOOL_CALL,
    USAGE,
    WITHHELD,
    Carried,
    Read,
    Usage,
)
from tokentape.dialects._json import compact, count_of, dict_of, list_of, parse, text_of
from tokentape.dialects._objects import failed, fault_of, reader_of

_PATHS = (":streamGenerateContent", ":generateContent")
_MAX_CANDIDATE = 2**16


class Gemini:
    """Reads chunks, and the answer that is one whole chunk or an array of them."""

    name = "gemini"
    counts_tokens = True

    def claims_path(self, path: str) -> bool:
        return path.endswith(_PATHS)

    def claims(self, value: dict[str, Any]) -> bool:
        return type(value.get("candidates")) is list or (
            type(value.get("usageMetadata")) is dict and "modelVersion" in value
        )

    def reader(self) -> Read:
        return reader_of(_read)

    def read_answer(self, body: bytes) -> Sequence[Carried]:
        """Return what an answer carries; without `alt=sse` Google streams one array of chunks."""
        value = parse(body)
        found: dict[int, Carried] = {}
        for chunk in value if type(value) is list else [value]:
            for carried in _read("", dict_of(chunk)):
                before = found.get(carried.choice)
                found[carried.choice] = carried if before is None else _joined(before, carried)
        return tuple(found.values()) or NOTHING


def _joined(before: Carried, after: Carried) -> Carried:
    return Carried(
        before.choice,
        before.carries | after.carries,
        before.text + after.text,
        before.model or after.model,
        after.usage or before.usage,
        before.finish or after.finish,
        error=before.error or after.error,
    )


def _read(event: str, chunk: dict[str, Any]) -> Sequence[Carried]:
    message = fault_of(event, chunk)
    model = text_of(chunk.get("modelVersion")) or None
    if message is not None:
        return failed(message, model=model)
    usage = _usage(dict_of(chunk.get("usageMetadata")))
    bill = 0 if usage is None else USAGE
    found: list[Carried] = []
    for position, each in enumerate(list_of(chunk.get("candidates"))):
        candidate = dict_of(each)
        number = count_of(candidate.get("index", position))
        if number is None or number >= _MAX_CANDIDATE:
            continue
        parts = [_part(dict_of(part)) for part in list_of(dict_of(candidate.get("content")).get("parts"))]
        kinds = bill
        for kind, _ in parts:
            kinds |= kind
        finish = text_of(candidate.get("finishReason")) or None
        text = "".join([text for _, text in parts])
        found.append(Carried(number, kinds | (FINISH if finish else 0), text, model, usage, finish))
    blocked = text_of(dict_of(chunk.get("promptFeedback")).get("blockReason"))
    if blocked and not found:  # nothing is generated, and nothing more comes
        return (Carried(0, bill | FINISH, model=model, usage=usage, finish=blocked),)
    return found or (Carried(carries=bill, model=model, usage=usage),)


def _part(part: dict[str, Any]) -> tuple[int, str]:
    """Return the kind and the text of a part."""
    if text := text_of(part.get("text")):
        return (REASONING | WITHHELD if part.get("thought") is True else CONTENT), text
    if call := dict_of(part.get("functionCall")):
        arguments = call.get("args")
        text = text_of(call.get("name")) + (compact(arguments) if arguments is not None else "")
        return (TOOL_CALL if text else 0), text
    if code := text_of(dict_of(part.get("executableCode")).get("code")):
        return TOOL_CALL, code
    sound = dict_of(part.get("inlineData"))
    if text_of(sound.get("mimeType")).startswith("audio/") and text_of(sound.get("data")):
        return AUDIO, ""
    return 0, ""


def _usage(usage: dict[str, Any]) -> Usage | None:
    prompt = count_of(usage.get("promptTokenCount"))
    text, thoughts = count_of(usage.get("candidatesTokenCount")), count_of(usage.get("thoughtsTokenCount"))
    output = None if text is None and thoughts is None else (text or 0) + (thoughts or 0)
    if prompt is None and output is None:
        return None
    return Usage(prompt, output, thoughts, count_of(usage.get("cachedContentTokenCount")))
