"""The bodies that clients are asked to stream: those of tests/streams.py, and the recorded ones of providers."""

import csv
import json
from dataclasses import dataclass

from tests.corpus import FOLDER, IS_HERE
from tests.streams import STREAMS, Stream, anthropic_messages, cut, reads

EVENT_STREAM = ("content-type", "text/event-stream; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Body:
    """A response body to ask for by `model`: of no family, whose names would change what SDKs ask."""

    model: str
    name: str
    api: str
    stream: Stream
    recorded: bool = False
    """Whether it is of the corpus."""


def all_bodies() -> tuple[Body, ...]:
    """Return every body, in the pieces in which it came where they are known, else cut at random."""
    found = [Body(f"stream-{n}", each.name, "openai-chat", each) for n, each in enumerate(STREAMS)]
    found.append(Body("stream-a", "anthropic-messages", "anthropic-messages", anthropic_messages()))
    if IS_HERE:
        with (FOLDER / "INDEX.tsv").open(newline="") as index:
            for number, row in enumerate(csv.DictReader(index, delimiter="\t")):
                stream = _stream(row["file"], row["api"], seed=number)
                found.append(Body(f"body-{number}", row["file"], row["api"], stream, recorded=True))
    return tuple(found)


def _stream(file: str, api: str, *, seed: int) -> Stream:
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
    return Stream(name=file, pieces=cut(body, seed, typical=200), headers=headers)
