"""Streams to the four tables, beside what it takes to read them from the files of others.

The same streams are in a cassette of ours, in a dump of mitmproxy's, and in a cassette of vcrpy's. Ours is
loaded: times, metrics and tables. Theirs are read by their own readers: of mitmproxy's flows the JSON of
every event is decoded with `json.loads`; what vcrpy's loader gives is taken as it is, bodies in one piece.
Neither has the time of any event, so this is less than what ours gives.

Beside each figure stands what it would be if we did only the least that there is to do with a cassette:
reading its frames with their checksums and decoding the JSON of every event once. Where that is below the
limit, no analysis that decodes events can meet it on one core.

All run in one process, in turns, in CPU time; medians are compared.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mitmproxy import http
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow
from vcr.persisters.filesystem import FilesystemPersister
from vcr.request import Request
from vcr.serializers import yamlserializer

from benchmarks import analysis
from tokentape.analysis import load

LIMIT = 10.0
EXCHANGES = 100


def run() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for shape, chunk in (("StepFun", analysis.stepfun), ("OpenAI", analysis.openai)):
        with tempfile.TemporaryDirectory() as folder:
            tape, flows, vcr = (Path(folder) / name for name in ("a.tape", "a.flows", "a.yaml"))
            datas = analysis.make(tape, chunk, exchanges=EXCHANGES)
            bodies = list(_bodies(datas))
            _write_flows(flows, bodies)
            _write_vcr(vcr, bodies)
            events = len(datas)
            assert _decoded(flows) == events
            least, ours, mitmproxy, vcrpy = analysis.in_turns(
                lambda: analysis.baseline(tape, datas),  # noqa: B023
                lambda: load(tape),  # noqa: B023
                lambda: _decoded(flows),  # noqa: B023
                lambda: FilesystemPersister.load_cassette(vcr, yamlserializer),  # noqa: B023
            )
        rows += [
            {
                "benchmark": "analysis peers",
                "what": f"{events:,} events of {shape}'s shape: {peer} / ours to tables",
                "measured": round(theirs / ours, 2),
                "limit": LIMIT,
                "better": "higher",
                "beside": f"{theirs / events * 1e6:.2f} / {ours / events * 1e6:.2f} us/event; "
                f"frames and JSON alone: {theirs / least:.2f}",
            }
            for peer, theirs in (
                ("mitmproxy's FlowReader and json.loads", mitmproxy),
                ("vcrpy's load of its YAML", vcrpy),
            )
        ]
    return rows


def _bodies(datas: list[bytes]) -> Iterator[bytes]:
    """Yield the answers that the cassette has in pieces."""
    of_one = analysis.EVENTS - 1
    for start in range(0, len(datas), of_one):
        events = [b"data: " + data + b"\n\n" for data in datas[start : start + of_one]]
        yield b"".join([*events, b"data: [DONE]\n\n"])


def _write_flows(path: Path, bodies: list[bytes]) -> None:
    with path.open("wb") as file:
        writer = FlowWriter(file)
        for body in bodies:
            flow = tflow.tflow(resp=True)
            assert flow.response
            flow.response.content = body
            writer.add(flow)


def _write_vcr(path: Path, bodies: list[bytes]) -> None:
    url = "https://api.example/v1/chat/completions"
    answer = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["text/event-stream"]},
    }
    found = {
        "requests": [Request("POST", url, b"{}", {}) for _ in bodies],
        "responses": [answer | {"body": {"string": body}} for body in bodies],
    }
    FilesystemPersister.save_cassette(path, found, yamlserializer)


def _decoded(path: Path) -> int:
    """Decode the JSON of every event of every flow; return how many there were."""
    events = 0
    with path.open("rb") as file:
        for flow in FlowReader(file).stream():
            assert isinstance(flow, http.HTTPFlow)
            assert flow.response
            for event in (flow.response.content or b"").split(b"\n\n"):
                if event.startswith(b"data: {"):
                    json.loads(event[6:])
                    events += 1
    return events


if __name__ == "__main__":
    for row in run():
        print(row)
