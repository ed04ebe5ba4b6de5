"""`ollama`: the lines of Ollama's own API, `/api/chat` and `/api/generate`: an object each, no event stream.

The line with `done` is the end mark and has the bill. When Ollama is asked for thinking and then JSON of a
schema, it runs the model twice and bills the second run alone: a bill for far fewer tokens than lines with
text is not that of the stream, and is left out.
"""

from collections.abc import Sequence
from typing import Any

from tokentape.dialects._carried import (
    CONTENT,
    DONE,
    FINISH,
    NOTHING,
    REASONING,
    TOKEN,
    TOOL_CALL,
    USAGE,
    Carried,
    Read,
    Usage,
)
from tokentape.dialects._json import compact, count_of, dict_of, list_of, parse, text_of
from tokentape.dialects._objects import failed, fault_of, reader_of


class Ollama:
    """Reads lines, and the answer that is one whole line.

    Paths are not asked: many programs have an `/api/chat` of their own.
    """

    name = "ollama"
    counts_tokens = True

    def claims_path(self, path: str) -> bool:  # noqa: ARG002
        return False

    def claims(self, value: dict[str, Any]) -> bool:
        if type(value.get("done")) is not bool or type(value.get("model")) is not str:
            return False
        return type(value.get("message")) is dict or type(value.get("response")) is str

    def reader(self) -> Read:
        return reader_of(_Answer().read)

    def read_answer(self, body: bytes) -> Sequence[Carried]:
        value = dict_of(parse(body))
        return _Answer().read("", value) if value else NOTHING


class _Answer:
    """One answer as it comes."""

    def __init__(self) -> None:
        self._with_text = 0

    def read(self, event: str, line: dict[str, Any]) -> Sequence[Carried]:
        error = fault_of(event, line)
        model = text_of(line.get("model")) or None
        if error is not None:
            return failed(error, model=model)
        message = dict_of(line.get("message"))
        reasoning = text_of(message.get("thinking")) or text_of(line.get("thinking"))
        content = text_of(message.get("content")) or text_of(line.get("response"))
        calls = "".join([_call(dict_of(call)) for call in list_of(message.get("tool_calls"))])
        carries = (REASONING if reasoning else 0) | (CONTENT if content else 0) | (TOOL_CALL if calls else 0)
        self._with_text += bool(carries & TOKEN)
        finish = usage = None
        if line.get("done") is True:
            finish = text_of(line.get("done_reason")) or None
            usage = self._usage(line)
            carries |= DONE | (FINISH if finish else 0) | (USAGE if usage else 0)
        return (Carried(0, carries, reasoning + content + calls, model, usage, finish),)

    def _usage(self, line: dict[str, Any]) -> Usage | None:
        prompt, output = count_of(line.get("prompt_eval_count")), count_of(line.get("eval_count"))
        is_of_a_part = output is not None and 2 * output < self._with_text
        if is_of_a_part or (prompt is None and output is None):
            return None
        return Usage(prompt, output)


def _call(call: dict[str, Any]) -> str:
    function = dict_of(call.get("function"))
    arguments = function.get("arguments")
    text = arguments if type(arguments) is str else "" if arguments is None else compact(arguments)
    return text_of(function.get("name")) + text
