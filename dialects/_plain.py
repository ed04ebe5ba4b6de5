"""`sse`: an event stream of an API that is not known. Its events have times and nothing else is claimed."""

from collections.abc import Sequence
from typing import Any

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._carried import ERROR, NOTHING, Carried, Read


class PlainSSE:
    """Knows only what every event stream shares: an event of the type `error` is one."""

    name = "sse"
    counts_tokens = False

    def claims_path(self, path: str) -> bool:  # noqa: ARG002
        return False

    def claims(self, value: dict[str, Any]) -> bool:  # noqa: ARG002
        return False

    def reader(self) -> Read:
        return _read

    def read_answer(self, body: bytes) -> Sequence[Carried]:  # noqa: ARG002
        return NOTHING


def _read(event: ServerSentEvent) -> Sequence[Carried]:
    return (Carried(carries=ERROR, error=event.text),) if event.event == "error" else NOTHING
