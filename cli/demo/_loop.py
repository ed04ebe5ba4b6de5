"""The loop that the demo goes through: record a stream, replay it at two speeds, record the replays too.

The upstream, two recorders (each a mitmproxy process) and the replay servers are processes or threads of
their own; the client is `openai`, unmodified. The second recorder is a forward proxy, so that one
cassette holds both replays as a client saw them.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import click

from tokentape import cassette
from tokentape.cli.demo._upstream import MODEL, PROMPT, upstream
from tokentape.cli.demo._verb import Verb

SPEEDS = (1, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What the loop left: two cassettes, the text that each client read, and how late each replay was.

    `replayed` holds one exchange for each of SPEEDS, in that order; so do `texts` (after that of the live
    stream) and `lateness_ms` (p50, p99 and max by their names).
    """

    recorded: Path
    replayed: Path
    texts: list[str]
    lateness_ms: list[dict[str, float]]


class Watcher(Protocol):
    """Is told what goes on."""

    def begin(self, step: str, *, streams: bool = False) -> None:
        """Show that a step begins, in which a text is streamed or not."""

    def text(self, part: str) -> None:
        """Show that a part of the text has arrived."""


def run(folder: Path, watcher: Watcher) -> Loop:
    """Go through the loop, with its cassettes in `folder`.

    Raises ClickException if one of the processes does not start.
    """
    recorded, replayed = folder / "recorded.tape", folder / "replayed.tape"
    with ExitStack() as stack:
        watcher.begin("starting mitmproxy")
        upstream_url = stack.enter_context(upstream())
        recorder = stack.enter_context(Verb("record", "--upstream", upstream_url, "--output", str(recorded)))
        proxy = stack.enter_context(Verb("record", "--proxy", "--output", str(replayed)))
        base_url = f"{recorder.url}/v1"
        watcher.begin("recording the live stream", streams=True)
        live = _stream(base_url, None, watcher.text)
        recorder.stop()
        texts, lateness = _replays(recorded, proxy, watcher)
    return Loop(recorded=recorded, replayed=replayed, texts=[live, *texts], lateness_ms=lateness)


def again(loop: Loop, watcher: Watcher) -> Loop:
    """Replay once more what was recorded, in place of the replays that there are.

    Raises ClickException if one of the processes does not start.
    """
    loop.replayed.unlink()
    watcher.begin("this machine was busy: replaying again")
    with Verb("record", "--proxy", "--output", str(loop.replayed)) as proxy:
        texts, lateness = _replays(loop.recorded, proxy, watcher)
    return replace(loop, texts=[loop.texts[0], *texts], lateness_ms=lateness)


def _replays(recorded: Path, proxy: Verb, watcher: Watcher) -> tuple[list[str], list[dict[str, float]]]:
    """Replay at each speed through a proxy; return the texts and how late each replay was."""
    texts, lateness = [], []
    with ExitStack() as stack:
        replays = [
            stack.enter_context(Verb("replay", str(recorded), "--speed", str(speed), "--json"))
            for speed in SPEEDS
        ]
        for speed, replay in zip(SPEEDS, replays, strict=True):
            base_url = f"{replay.url}/v1"
            watcher.begin(f"replaying it at {speed}x", streams=True)
            texts.append(_stream(base_url, proxy.url, watcher.text))
            lateness.append(json.loads(replay.stop())["lateness_ms"])
    return texts, lateness


def exchanges(path: Path) -> list[cassette.Exchange]:
    """Return the exchanges of one of the loop's cassettes."""
    with cassette.open(path) as tape:
        return list(cassette.exchanges(tape))


def _stream(base_url: str, proxy: str | None, on_part: Callable[[str], None]) -> str:
    """Have a completion streamed, and return its text."""
    import openai

    # The client goes where it is told, whatever proxies the environment has set.
    client: Any = openai.DefaultHttpxClient(trust_env=False, proxy=proxy)
    text = ""
    with openai.OpenAI(base_url=base_url, api_key="none", http_client=client, max_retries=0) as api:
        try:
            stream = api.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": PROMPT}], stream=True
            )
            for chunk in stream:
                part = chunk.choices[0].delta.content or ""
                text += part
                on_part(part)
        except openai.OpenAIError as error:
            raise click.ClickException(f"the client got no completion from {base_url}: {error}") from error
    return text
