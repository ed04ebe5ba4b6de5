"""A stream recorded, replayed, and recorded again by the real commands: how close did the replay come?"""

import json
from pathlib import Path

import pytest

from tests.e2e.client import raw_body
from tests.e2e.processes import Process, run
from tests.e2e.upstream import upstream
from tests.streams import Stream, choice, chunk, event

PIECES = 500
GAP_S = 0.008
ATTEMPTS = 5
"""A machine that is busy at the wrong moment is late; a replay that drifts does so every time."""
DRIFT_PPM = 5_000
"""A replay that sums up sleeps, each 0.1 ms late, drifts by 12,500 and more; one that does not, on a machine
that stands still for a tenth of a second near the end of these four, by 1,900."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, home: dict[str, str]) -> Path:
    path = tmp_path_factory.mktemp("fidelity") / "recorded.tape"
    words = [event(chunk(choice(content=f"{number} "))) for number in range(PIECES)]
    last = [event(chunk(choice(finish="stop"))), event("[DONE]")]
    with upstream() as server:
        server.gap_s = GAP_S
        server.streams["m"] = Stream(name="m", pieces=(*words, *last))
        with Process.tokentape("record", "--upstream", server.url, "-o", path, env=home) as recorder:
            assert raw_body(recorder.url, "m")[0] == 200
    return path


@pytest.mark.parametrize("speed", ["1", "2"])
def test_replay_has_the_scale_of_its_speed_and_does_not_drift(
    recorded: Path, tmp_path: Path, home: dict[str, str], speed: str
):
    for attempt in range(ATTEMPTS):
        again = tmp_path / f"{attempt}.tape"
        with (
            Process.tokentape("replay", recorded, "--speed", speed) as replay,
            Process.tokentape("record", "--upstream", replay.url, "-o", again, env=home) as recorder,
        ):
            assert raw_body(recorder.url, "m")[0] == 200
        found = json.loads(run("fidelity", recorded, again, "--speed", speed, "--json").stdout)
        assert found["exchanges"] == 1
        assert found["gaps"] > PIECES / 2  # a busy machine may have recorded some pieces together
        if abs(found["drift_ppm"]) < DRIFT_PPM:
            break
    assert abs(found["drift_ppm"]) < DRIFT_PPM
    assert found["scale"] == pytest.approx(1 / float(speed), rel=DRIFT_PPM / 1e6)
    assert found["scaled_gap_error_p50_ms"] < 20 / float(speed)
    assert "scale" in run("fidelity", recorded, again).stdout


def test_what_is_no_replay_is_said_in_one_line(recorded: Path, tmp_path: Path):
    other = tmp_path / "other.tape"
    run("convert", recorded, tmp_path / "lines.jsonl")
    lines = (
        (tmp_path / "lines.jsonl").read_text().replace('"content": "Say something."', '"content": "Say it."')
    )
    (tmp_path / "lines.jsonl").write_text(lines.replace("Say something.", "Say it."))
    run("convert", tmp_path / "lines.jsonl", other)
    failed = run("fidelity", recorded, other, check=False)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith("Error: expected a replay with the requests and answers of the recording")
