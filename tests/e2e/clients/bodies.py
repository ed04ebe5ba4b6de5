"""The bodies that clients are asked to stream: those of tests/streams.py, and those of the corpus."""

import csv
import json
import os
from dataclasses import dataclass

from tests.corpus import FOLDER, IS_HERE
from tests.streams import STREAMS, Stream, anthropic_messages, cut, reads

LITTLE, LARGE = "little-", "large-"
"""What models begin with, after the size of their bodies."""
_LITTLE_BYTES = 10**9 if "TOKENTAPE_FUZZ" in os.environ else 2_500  # `make fuzz` takes its time
EVENT_STREAM = ("content-type", "text/event-stream; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Body:
    """A response body, to ask for by `model`: a name of no family, which would change what SDKs ask."""

    model: str
    name: str
    api: str
    stream: Stream
    recorded: bool
    """Whether it is of the corpus."""


def all_bodies() -> tuple[Body, ...]:
    """Return every body, in the pieces in which it came where they are known, else cut at random."""
    written = [(each.name, "openai-chat", each) for each in STREAMS]
    written.append(("anthropic-messages", "anthropic-messages", anthropic_messages()))
    recorded = [(file, api, _stream(file, api)) for file, api in _index()] if IS_HERE else []
    return tuple(
        Body(_model(number, stream), name, api, stream, recorded=number >= len(written))
        for number, (name, api, stream) in enumerate([*written, *recorded])
    )


def _model(number: int, stream: Stream) -> str:
    return f"{LITTLE if len(stream.body) <= _LITTLE_BYTES else LARGE}{number}"


def _index() -> list[tuple[str, str]]:
    with (FOLDER / "INDEX.tsv").open(newline="") as index:
        return [(row["file"], row["api"]) for row in csv.DictReader(index, delimiter="\t")]


def _stream(file: str, api: str) -> Stream:
    path = FOLDER / file
    body = path.read_bytes()
    headers: tuple[tuple[str, str], ...] = (EVENT_STREAM,)
    known = path.with_suffix(".reads.json")
    if file.endswith(".gz"):
        headers = (EVENT_STREAM, ("content-encoding", "gzip"))
    elif api == "ollama-ndjson":
        headers = (("content-type", "application/x-ndjson"),)
    elif file.endswith(".jsonl"):  # chunks whose framing was lost
        body = b"".join(b"data: " + line + b"\n\n" for line in body.splitlines())
    if known.exists():
        return Stream(name=file, pieces=reads(body, json.loads(known.read_text())), headers=headers)
    return Stream(name=file, pieces=cut(body, len(body), typical=200), headers=headers)
