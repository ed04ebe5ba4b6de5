"""What the recorder really writes is looked at while it grows, and after each way in which it can end."""

import json
import signal
from pathlib import Path

from tests.e2e.conftest import Session
from tests.e2e.processes import Process, run
from tests.e2e.test_recording import long_stream, send_request, wait_for_pieces
from tests.e2e.upstream import upstream


def test_a_session_of_many_streams_is_whole(session: Session):
    done = run("verify", session.path)
    count = sum(map(len, session.exchanges.values()))
    assert f": whole: {count} exchanges" in done.stdout
    (found,) = json.loads(run("info", session.path, "--json").stdout)
    assert set(found["models"]) == set(session.streams)
    assert found["file_bytes"] == found["cassette_bytes"] == session.path.stat().st_size
    pieces = [len(each.chunks) for exchanges in session.exchanges.values() for each in exchanges]
    assert found["pieces"] == sum(pieces)


def test_a_cassette_that_still_grows_can_be_looked_at(tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "growing.tape"
    with upstream() as server:
        server.streams, server.gap_s = {"long": long_stream("long")}, 0.05
        recorder = Process.tokentape("record", "--upstream", server.url, "-o", path, env=home)
        with recorder, send_request(recorder.url, "long"):
            wait_for_pieces(path, 3)
            seen = []
            for _ in range(3):
                # Now and then a record is there in part, as after a crash; never is there damage.
                verified = run("verify", path, "--json", check=False)
                (found,) = json.loads(verified.stdout)
                assert verified.returncode == 3
                assert found["verdict"] in ("interrupted", "torn")
                assert (found["losses"], found["warnings"], found["interrupted_exchanges"]) == (0, 0, 1)
                looked = run("info", path, "--json", check=False)
                (info,) = json.loads(looked.stdout)
                assert looked.returncode == {"interrupted": 0, "torn": 3}[info["verdict"]]
                assert info["outcomes"] == {"interrupted": 1}
                assert not info["sections"][0]["closed"]
                seen += [found["pieces"], info["pieces"]]
            assert seen == sorted(seen)
            parts = run("split", path, "--by", "model", "-o", tmp_path / "parts", check=False)
            assert parts.returncode in (0, 3)
    assert run("verify", path).stdout.startswith(f"{path}: whole: 1 exchange, ")
    part = run("verify", tmp_path / "parts" / "growing.long.tape", check=False)
    assert ": interrupted: 1 exchange" in part.stdout


def test_after_kill_9_everything_that_was_written_is_there(tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "killed.tape"
    with upstream() as server:
        server.streams, server.gap_s = {"long": long_stream("long")}, 0.05
        recorder = Process.tokentape("record", "--upstream", server.url, "-o", path, env=home)
        with recorder, send_request(recorder.url, "long"):
            wait_for_pieces(path, 3)
            recorder.stop(signal.SIGKILL)
    done = run("verify", path, check=False)
    assert done.returncode == 3
    assert ": interrupted: 1 exchange" in done.stdout
    saved = run("recover", path, tmp_path / "saved.tape")
    assert "nothing was lost" in saved.stderr
    assert (tmp_path / "saved.tape").read_bytes() == path.read_bytes()
