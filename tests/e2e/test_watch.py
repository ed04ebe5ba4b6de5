"""A recording as it grows, watched beside a real recorder."""

import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import raw_body
from tests.e2e.processes import TOKENTAPE, Process, run, wait_until
from tests.e2e.test_recording import send_request, wait_for_pieces
from tests.e2e.upstream import Upstream, upstream
from tests.streams import Stream, stepfun
from tokentape import cassette


@pytest.fixture
def server() -> Iterator[Upstream]:
    with upstream() as server:
        server.streams = {
            "long": Stream(name="long", pieces=stepfun().pieces[:2] * 2_000),
            "stepfun": stepfun(),
        }
        yield server


def pictures(path: Path) -> dict[str, object]:
    return dict(json.loads(run("watch", path, "--once", "--json").stdout))


def test_streams_of_a_recorder_are_seen_in_flight_and_after_their_end(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    watcher = subprocess.Popen(
        [*TOKENTAPE, "watch", path, "--json", "--interval", "0.05"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout
    seen: list[dict[str, object]] = []
    reader = threading.Thread(target=lambda: seen.extend(json.loads(line) for line in watcher.stdout or ()))
    reader.start()
    try:
        wait_until(lambda: bool(seen), "nothing is printed while there is no file")
        assert (seen[0]["size"], seen[0]["exchanges"]) == (None, 0)
        with Process.tokentape("record", "--upstream", server.url, "-o", path, env=home) as recorder:
            with send_request(recorder.url, "long"):
                wait_for_pieces(path, 20)
                wait_until(lambda: bool(seen[-1]["in_flight"]), "the stream is not seen in flight")
                line = pictures(path)["in_flight"][0]  # type: ignore[index]
                assert (line["state"], line["model"]) == ("streaming", "m-1")
                assert line["tokens"] > 0
                assert line["ttft_ms"] > 0
            raw_body(recorder.url, "stepfun")
            wait_until(lambda: len(seen[-1]["ended"]) == 2, "the ends are not seen")  # type: ignore[arg-type]
        wait_until(lambda: bool(seen[-1]["closed"]), "the end of the recording is not seen")
    finally:
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(30) == 0
        reader.join(30)
        assert watcher.stderr
        assert watcher.stderr.read() == ""
        watcher.stdout.close()
        watcher.stderr.close()
    assert all(picture["damaged"] == 0 for picture in seen)
    assert seen[-1]["exchanges"] == 2
    outcomes = {line["outcome"] for line in seen[-1]["ended"]}  # type: ignore[attr-defined]
    assert outcomes == {"complete", "client-closed"}
    with cassette.open(path) as tape:
        assert sum(1 for _ in tape) > 0


def test_the_live_table_is_drawn_on_a_terminal_and_ends_with_ctrl_c(
    server: Upstream, tmp_path: Path, home: dict[str, str]
):
    path = tmp_path / "a.tape"
    with Process.tokentape("record", "--upstream", server.url, "-o", path, env=home) as recorder:
        raw_body(recorder.url, "stepfun")
        master, slave = pty.openpty()
        watcher = subprocess.Popen(
            [*TOKENTAPE, "watch", path, "--interval", "0.05"],
            stdout=slave,
            stderr=slave,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"COLUMNS": "140", "TERM": "xterm"},
        )
        os.close(slave)
        shown = bytearray()

        def read() -> None:
            while True:
                try:
                    shown.extend(os.read(master, 4096) or b"")
                except OSError:  # the terminal is gone with its last process
                    return

        reader = threading.Thread(target=read)
        reader.start()
        try:
            wait_until(lambda: shown.count(b"1 exchange,") >= 3, "the table is not drawn again and again")
        finally:
            watcher.send_signal(signal.SIGINT)
            returncode = watcher.wait(30)
            reader.join(30)
            os.close(master)
    assert returncode == 0
    assert b"Traceback" not in shown
