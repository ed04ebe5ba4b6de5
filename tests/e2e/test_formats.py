"""Other formats with the programs that they are of: mitmproxy, vcrpy and a validator of HTTP archives."""

import io
import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import vcr
from mitmproxy.io import FlowReader
from msgspec.structs import replace
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

from tests.cassette.tapes import RECORDS, REQUEST, RESPONSE, SECTION, write
from tests.e2e.client import raw_body
from tests.e2e.conftest import Session
from tests.e2e.processes import ROOT, Process, run
from tests.e2e.upstream import upstream
from tests.streams import STREAMS, Stream
from tokentape import cassette
from tokentape.analysis import load
from tokentape.replay import serve

MITMDUMP = Path(sys.executable).with_name("mitmdump")
NAMES = [stream.name for stream in STREAMS]


def by_exchange(path: Path) -> list[cassette.Exchange]:
    with cassette.open(path) as tape:
        return sorted(cassette.exchanges(tape), key=lambda each: each.number)


def text_of(exchange: cassette.Exchange) -> bytes:
    return b"".join(cassette.decoded(exchange)[0])


def decoded(stream: Stream) -> bytes:
    return cassette.ContentDecoder(dict(stream.headers).get("content-encoding", "")).feed(stream.body)


@pytest.fixture(scope="session")
def validator(node_modules: Path | None) -> list[str]:
    """The command that says what is wrong with an archive on its standard input."""
    if node_modules is None:
        pytest.skip("the validator of HTTP archives comes with npm, which is not installed")
    return ["node", str(ROOT / "tests/node/validate-har.js"), str(node_modules.parent)]


def validated(command: list[str], archive: Path) -> str:
    with archive.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=False, timeout=60)
    assert bool(done.stderr) == bool(done.returncode)
    return done.stderr


@dataclass(frozen=True)
class Dumped:
    """What a real mitmdump saved of one request for each stream."""

    flows: Path
    har: Path


@pytest.fixture(scope="session")
def dumped(tmp_path_factory: pytest.TempPathFactory, home: dict[str, str]) -> Dumped:
    folder = tmp_path_factory.mktemp("dumped")
    flows, har = folder / "a.flow", folder / "a.har"
    with upstream() as server:
        server.streams = {stream.name: stream for stream in STREAMS}
        options = ["--mode", f"reverse:{server.url}", "--listen-host", "127.0.0.1", "-p", "0"]
        with Process(MITMDUMP, *options, "-w", flows, "--set", f"hardump={har}", env=home) as proxy:
            for name in NAMES:
                raw_body(proxy.url, name)
    return Dumped(flows, har)


@pytest.mark.parametrize("ending", ["jsonl", "har", "flow", "tape.zst"])
def test_a_recording_comes_back_from_every_format(session: Session, tmp_path: Path, ending: str):
    there, back = tmp_path / f"there.{ending}", tmp_path / "back.tape"
    run("convert", session.path, there)
    run("convert", there, back)
    assert by_exchange(back) == by_exchange(session.path)


def test_an_archive_is_valid(session: Session, tmp_path: Path, validator: list[str]):
    archive = tmp_path / "a.har"
    run("convert", session.path, archive)
    assert validated(validator, archive) == ""
    found = json.loads(archive.read_text())
    del found["log"]["entries"][0]["timings"]["wait"]
    broken = tmp_path / "broken.har"
    broken.write_text(json.dumps(found))
    assert "wait" in validated(validator, broken)


def test_an_archive_is_valid_whatever_was_recorded(tmp_path: Path, validator: list[str]):
    untimed = replace(REQUEST, exchange=1, times="none", body=b"\xff\xfe")
    refused = cassette.End(exchange=1, t=1, reason="upstream-error")
    for number, records in enumerate(
        [RECORDS, (SECTION, REQUEST, untimed, refused), (SECTION, REQUEST, RESPONSE)]
    ):
        tape, archive = tmp_path / f"{number}.tape", tmp_path / f"{number}.har"
        run("convert", write(tape, *records), archive)
        assert validated(validator, archive) == ""


def test_mitmproxy_reads_an_archive_and_finds_the_same_answers(session: Session, tmp_path: Path):
    archive = tmp_path / "a.har"
    run("convert", session.path, archive)
    recorded = by_exchange(session.path)
    flows = list(FlowReader(io.BytesIO(archive.read_bytes())).stream())
    assert len(flows) == len(recorded)
    for flow, exchange in zip(flows, recorded, strict=True):
        assert flow.request.content == exchange.request.body
        assert flow.response.status_code == exchange.response.status
        assert flow.response.content == text_of(exchange)


def test_mitmproxy_saves_an_export_again_and_nothing_is_lost(
    session: Session, tmp_path: Path, home: dict[str, str]
):
    ours, theirs, back = tmp_path / "ours.flow", tmp_path / "theirs.flow", tmp_path / "back.tape"
    run("convert", session.path, ours)
    subprocess.run(
        [MITMDUMP, "-n", "-q", "-r", ours, "-w", theirs],
        check=True,
        timeout=60,
        env=home,
        capture_output=True,
    )
    run("convert", theirs, back)
    assert by_exchange(back) == by_exchange(session.path)


@pytest.mark.parametrize("kind", ["flows", "har"])
def test_what_mitmdump_saved_is_read(dumped: Dumped, tmp_path: Path, kind: str, validator: list[str]):
    source, tape = getattr(dumped, kind), tmp_path / "a.tape"
    run("convert", source, tape)
    found = by_exchange(tape)
    assert [json.loads(each.request.body)["model"] for each in found] == NAMES
    for stream, exchange in zip(STREAMS, found, strict=True):
        assert exchange.body == (stream.body if kind == "flows" else decoded(stream))
        assert exchange.request.times == "headers"
        assert exchange.request.t <= exchange.request.t_end <= exchange.response.t <= exchange.end.t
        assert exchange.end.reason == "complete"
    streams = load(tape).streams
    assert set(streams["outcome"]) == {"complete"}
    assert set(streams["ttft_ms_why"]) == {"not-timed"}
    assert streams["headers_ms"].notna().all()
    again = tmp_path / "again.har"
    run("convert", tape, again)
    assert validated(validator, again) == ""


def test_what_vcrpy_recorded_is_read(tmp_path: Path):
    path, tape = tmp_path / "a.yaml", tmp_path / "a.tape"
    seen: list[bytes] = []
    with upstream() as server, vcr.use_cassette(str(path)):
        server.streams = {stream.name: stream for stream in STREAMS}
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for name in NAMES:
            url = f"{server.url}/v1/chat/completions"
            seen.append(httpx.post(url, json={"model": name}, trust_env=False, timeout=20).content)
            request = urllib.request.Request(url + "?by=urllib", data=json.dumps({"model": name}).encode())
            direct.open(request, timeout=20).read()
    run("convert", path, tape)
    found = by_exchange(tape)
    requests, responses = deserialize(path.read_text(), yamlserializer)[:2]
    assert [each.request.body for each in found] == [each.body for each in requests]
    assert [each.body for each in found] == [each["body"]["string"] for each in responses]
    assert [text_of(each) for each in found[::2]] == seen
    assert [text_of(each) for each in found[1::2]] == seen
    assert {each.request.times for each in found} == {"none"}
    recording = load(tape)
    assert set(recording.streams["outcome"]) == {"complete"}
    assert recording.events["t_ms"].isna().all()
    assert recording.exchanges["started_at"].isna().all()


def test_what_was_imported_is_replayed_at_once(dumped: Dumped, tmp_path: Path):
    tape = tmp_path / "a.tape"
    run("convert", dumped.flows, tape)
    with serve(tape) as replay:
        for stream in STREAMS:
            status, _, body = raw_body(replay.url, stream.name)
            assert (status, body) == (200, stream.body)
        assert not any(each.timed for each in replay.stats.served)
