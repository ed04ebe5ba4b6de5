"""One session of recording and replaying, made once, which the tests look at from all sides."""

import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.corpus import ABSENT, FOLDER, IS_HERE
from tests.e2e.client import completion, raw_body
from tests.e2e.environments import Absent, node_packages
from tests.e2e.processes import Process
from tests.e2e.routes import Route, port_of, tunnel
from tests.e2e.upstream import Upstream, upstream
from tests.e2e.wire import Listener, dial, secure
from tests.streams import STREAMS, Stream, cut, reads
from tokentape import cassette

CORPUS_STREAMS: dict[str, dict[int, int | None]] = {
    # file: the index of the event with each choice's first token, found by looking at the file
    "stepfun/SYNTHETIC-doc-shape.sse": {0: 0},
    "stepfun/SYNTHETIC-doc-shape-reasoning.sse": {0: 0},
    "openai/chat-logprobs-obfuscation.sse": {0: 1},
    "openai/chat-n2.sse": {0: 1, 1: 3},
    "openai/chat-refusal.sse": {0: 1},
    "llamacpp/n2-normalised.sse": {0: 2, 1: 3},
    "deepseek/tool.sse": {0: 1},
    "deepseek/logprobs.sse": {0: 1},
    "groq/kimi-k2-parallel-tools.sse": {0: 1},
    "azure-openai/chat-deepseek-r1-think-tags.sse": {0: 2},
    "azure-openai/chat-mai-ds-r1-split-reads.sse": {0: 2},
    "perplexity/sonar-crlf.sse": {0: 0},
    "xai/grok4-fast-hidden-reasoning-75-empties.sse": {0: 75},
    "zai/glm-4.5v-finish-twice.sse": {0: 0},
    "groq/mid-stream-error-event.sse": {0: 1},
    "anthropic/messages-tool.raw.sse.gz": {},
}


def corpus_stream(name: str) -> Stream:
    """Return a recorded stream of the corpus, in the reads in which it came where they are known."""
    path = FOLDER / name
    body = path.read_bytes()
    known = path.with_suffix(".reads.json")
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/event-stream"),)
    if name.endswith(".gz"):
        headers += (("content-encoding", "gzip"),)
    pieces = reads(body, json.loads(known.read_text())) if known.exists() else cut(body, len(name), 700)
    return Stream(name=name, pieces=pieces, headers=headers, first_token=CORPUS_STREAMS[name])


@dataclass(slots=True)
class Seen:
    """What clients saw of a stream directly, through the recorder, and from the replay."""

    raw: dict[str, Any] = field(default_factory=dict)
    completions: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Session:
    """`path` is the cassette: for each stream the exchange of the raw client, then of `openai`."""

    path: Path
    streams: dict[str, Stream]
    seen: dict[str, Seen]
    exchanges: dict[str, list[cassette.Exchange]]
    recorder: Process
    upstream: Upstream


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A home for mitmproxy's certificates that is not the user's."""
    return {"HOME": str(tmp_path_factory.mktemp("home"))}


@pytest.fixture(scope="session")
def node_modules() -> Path | None:
    """The packages of tests/node, installed; None where they cannot be."""
    try:
        return Path(node_packages()) / "node_modules"
    except Absent:
        return None


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory, home: dict[str, str]) -> Session:
    path = tmp_path_factory.mktemp("session") / "session.tape"
    streams = {stream.name: stream for stream in STREAMS}
    if IS_HERE:
        streams |= {name: corpus_stream(name) for name in CORPUS_STREAMS}
    seen = {name: Seen() for name in streams}

    def look(how: str, url: str) -> None:
        for name, what in seen.items():
            what.raw[how] = raw_body(url, name)
            what.completions[how] = completion(url, name)

    with upstream() as server:
        server.streams = streams
        look("directly", server.url)
        recorder = Process.tokentape("record", "--upstream", server.url, "-o", path, env=home)
        with recorder:
            look("recorded", recorder.url)
    with Process.tokentape("replay", path, "--speed", "instant") as replay:
        look("replayed", replay.url)

    exchanges: dict[str, list[cassette.Exchange]] = {}
    with cassette.open(path) as tape:
        for exchange in cassette.exchanges(tape):
            assert exchange.request is not None
            exchanges.setdefault(json.loads(exchange.request.body)["model"], []).append(exchange)
    return Session(path, streams, seen, exchanges, recorder, server)


def _stream_parameters() -> list[Any]:
    absent = pytest.mark.skipif(not IS_HERE, reason=ABSENT)
    return [stream.name for stream in STREAMS] + [
        pytest.param(name, marks=absent, id=name) for name in CORPUS_STREAMS
    ]


@pytest.fixture(params=_stream_parameters())
def stream(request: pytest.FixtureRequest, session: Session) -> Stream:
    return session.streams[request.param]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return the option that makes mitmproxy trust our upstreams."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return "--set", f"ssl_verify_upstream_trusted_ca={path}"


@pytest.fixture(scope="session")
def routes(
    tmp_path_factory: pytest.TempPathFactory,
    home: dict[str, str],
    authority: trustme.CA,
    trusting: tuple[str, str],
) -> Iterator[dict[str, Route]]:
    folder = tmp_path_factory.mktemp("protocols")
    found: dict[str, Route] = {}
    with ExitStack() as stack:
        plain, tls, h2 = (
            stack.enter_context(Listener()),
            stack.enter_context(Listener(authority)),
            stack.enter_context(Listener(authority, ["h2"])),
        )

        def record(name: str, *options: str) -> tuple[Process, Path]:
            path = folder / f"{name}.tape"
            made = Process.tokentape("record", "-o", path, *options, *trusting, env=home)
            return stack.enter_context(made), path

        def reverse(name: str, listener: Listener) -> Route:
            process, path = record(name, "--upstream", listener.url)
            return Route(process, path, listener, lambda: dial(port_of(process)))

        found["reverse"] = reverse("reverse", plain)
        found["reverse-tls"] = reverse("reverse-tls", tls)
        proxy, path = record("forward", "--proxy")
        trusted = ssl.create_default_context(
            cafile=str(Path(home["HOME"], ".mitmproxy", "mitmproxy-ca-cert.pem"))
        )
        found["forward"] = Route(proxy, path, plain, lambda: dial(port_of(proxy)), absolute=True)
        found["forward-tls"] = Route(proxy, path, tls, lambda: tunnel(proxy, tls, trusted, "http/1.1"))
        found["forward-h2"] = Route(proxy, path, h2, lambda: tunnel(proxy, h2, trusted, "h2"))
        h2_reverse, path = record("reverse-h2", "--upstream", h2.url)
        found["reverse-h2"] = Route(
            h2_reverse, path, h2, lambda: secure(dial(port_of(h2_reverse)), trusted, ["h2"])
        )
        for number, route in enumerate(found.values()):
            route.count = 1000 * number  # some share a cassette
        yield found
    for route in found.values():
        assert route.via.returncode == 0
        assert "Traceback" not in route.via.stderr
        assert "crashed" not in route.via.stderr


@pytest.fixture(params=["reverse", "reverse-tls", "forward", "forward-tls"])
def route(request: pytest.FixtureRequest, routes: dict[str, Route]) -> Iterator[Route]:
    yield routes[request.param]
    routes[request.param].listener.forget()


@pytest.fixture(params=["forward-h2", "reverse-h2"])
def h2_route(request: pytest.FixtureRequest, routes: dict[str, Route]) -> Iterator[Route]:
    yield routes[request.param]
    routes[request.param].listener.forget()
