"""`openai-completions`: the older API of OpenAI, and of those who speak like it, whose text is in `text`.

A chunk is a chat-completion chunk with `text` in the place of `delta`, and is read as one. The path does
not tell the dialect: others have a `/completions` that speaks otherwise (Writer).
"""

from collections.abc import Sequence
from typing import Any

from tokentape.dialects._carried import Buffer, Carried, Contents, Read
from tokentape.dialects._json import dict_of, list_of
from tokentape.dialects._openai_chat import read_chunk, read_lines, read_whole
from tokentape.dialects._openai_contents import read_contents


class OpenAICompletions:
    """Reads `text_completion` chunks, and the answer that is a whole one."""

    name = "openai-completions"
    counts_tokens = True

    def claims_path(self, path: str) -> bool:  # noqa: ARG002
        return False

    def claims(self, value: dict[str, Any]) -> bool:
        if value.get("object") == "text_completion":
            return True
        first = dict_of(next(iter(list_of(value.get("choices"))), None))
        return type(first.get("text")) is str and "delta" not in first and "message" not in first

    def reader(self) -> Read:
        return read_chunk

    def read_lines(self, lines: Buffer) -> list[Sequence[Carried]]:
        return read_lines(lines)

    def read_contents(self, lines: Buffer) -> Contents | None:
        return read_contents(lines)

    def read_answer(self, body: bytes) -> Sequence[Carried]:
        return read_whole(body)
