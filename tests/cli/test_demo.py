"""What the demo calls the recording again, and what it does not."""

import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.e2e.processes import TOKENTAPE, run
from tokentape import cassette
from tokentape.analysis import load
from tokentape.cli import main
from tokentape.cli.demo import _loop, _upstream
from tokentape.cli.demo._loop import Loop
from tokentape.cli.demo._verdict import TRANSIT_MS, compare

Pieces = list[tuple[int, bytes]]
PIECES: Pieces = [
    *[((200 + 20 * n) * MS, data(chunk({"content": "x"}))) for n in range(50)],
    (1_200 * MS, data(chunk({}, "stop"))),
    (1_200 * MS + 8, DONE),
]
LATE = {"p50": 0.1, "p99": 0.4, "max": 1.0}


def at_speed(pieces: Pieces, speed: float) -> Pieces:
    return [(round(ns / speed), piece) for ns, piece in pieces]


def loop_of(folder: Path, at_1x: Pieces, at_8x: Pieces) -> Loop:
    return Loop(
        recorded=write(folder / "recorded.tape", records(PIECES)),
        replayed=write(folder / "replayed.tape", records(at_1x), records(at_8x, exchange=1)),
        texts=["x" * 50] * 3,
        lateness_ms=[LATE, LATE],
    )


def disagreeing(loop: Loop) -> set[tuple[str, int]]:
    rows = compare(loop, load(loop.recorded), load(loop.replayed))
    return {
        (row.name, speed)
        for row in rows
        for speed, agrees in zip(_loop.SPEEDS, row.agrees, strict=True)
        if not agrees
    }


def test_a_replay_at_the_recorded_times_agrees_in_everything(tmp_path: Path):
    assert disagreeing(loop_of(tmp_path, PIECES, at_speed(PIECES, 8))) == set()


def test_a_replay_that_is_late_by_what_the_pacer_admits_agrees(tmp_path: Path):
    late = [(ns + int((LATE["max"] + TRANSIT_MS - 0.001) * MS), piece) for ns, piece in PIECES]
    assert disagreeing(loop_of(tmp_path, late, at_speed(PIECES, 8))) == set()


def test_a_replay_that_is_later_than_that_does_not(tmp_path: Path):
    late = [(ns + int((LATE["max"] + TRANSIT_MS + 0.1) * MS), piece) for ns, piece in PIECES]
    found = disagreeing(loop_of(tmp_path, late, at_speed(PIECES, 8)))
    assert found == {("ttft_ms", 1), ("e2e_ms", 1)}


def test_a_replay_at_another_speed_does_not_agree(tmp_path: Path):
    assert ("e2e_ms", 8) in disagreeing(loop_of(tmp_path, PIECES, at_speed(PIECES, 4)))


@pytest.mark.parametrize("speed", [1, 8])
def test_a_replay_whose_pieces_come_at_once_does_not_agree_in_its_gaps(tmp_path: Path, speed: int):
    at_once = [(PIECES[0][0] // speed + n, piece) for n, (_, piece) in enumerate(PIECES)]
    replays = (at_once, at_speed(PIECES, 8)) if speed == 1 else (PIECES, at_once)
    found = {name for name, of in disagreeing(loop_of(tmp_path, *replays)) if of == speed}
    assert {"gap_p50_ms", "itl_ms", "e2e_ms"} <= found


def test_one_other_byte_is_seen(tmp_path: Path):
    changed = [*PIECES[:-1], (PIECES[-1][0], DONE.replace(b" ", b""))]
    found = disagreeing(loop_of(tmp_path, changed, at_speed(PIECES, 8)))
    assert {name for name, _ in found} == {"every byte", "every piece", "bytes"}


def test_a_piece_that_was_cut_again_is_seen(tmp_path: Path):
    ns, piece = PIECES[10]
    cut = [*PIECES[:10], (ns, piece[:7]), (ns, piece[7:]), *PIECES[11:]]
    found = disagreeing(loop_of(tmp_path, PIECES, at_speed(cut, 8)))
    assert found == {("every piece", 8), ("reads", 8)}


@pytest.mark.parametrize("spoil", ["bytes", "text"])
def test_the_demo_fails_if_the_replay_is_not_the_recording(tmp_path: Path, monkeypatch, spoil: str):
    changed = [*PIECES[:-1], (PIECES[-1][0], DONE.replace(b" ", b""))] if spoil == "bytes" else PIECES
    loop = loop_of(tmp_path, changed, at_speed(PIECES, 8))
    if spoil == "text":
        loop = replace(loop, texts=["x" * 50, "x" * 50, "x" * 49])
    monkeypatch.setattr(_loop, "run", lambda *_: loop)
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert (
        f"the replay is not the recording again: {'every byte' if spoil == 'bytes' else 'text'}"
        in result.output
    )


@pytest.mark.parametrize(("late_again", "tries", "code"), [(1, 1, 0), (2, 2, 0), (3, 2, 1)])
def test_replays_that_are_only_late_are_made_again_twice_at_most(
    tmp_path: Path, monkeypatch, late_again: int, tries: int, code: int
):
    late = [(ns + int((LATE["max"] + TRANSIT_MS + 1) * MS), piece) for ns, piece in PIECES]
    loops = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        loops.append(
            loop_of(tmp_path / str(number), late if number < late_again else PIECES, at_speed(PIECES, 8))
        )
    made = iter(loops[1:])
    monkeypatch.setattr(_loop, "run", lambda *_: loops[0])
    monkeypatch.setattr(_loop, "again", lambda *_: next(made))
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == code
    assert len(list(made)) == 3 - tries
    assert ("the replay is not the recording again: ttft_ms" in result.output) is bool(code)


def test_what_differs_in_more_than_times_is_not_tried_again(tmp_path: Path, monkeypatch):
    late = [(ns + 900 * MS, piece) for ns, piece in PIECES[:-1]]
    loop = loop_of(tmp_path, late, at_speed(PIECES, 8))
    monkeypatch.setattr(_loop, "run", lambda *_: loop)
    monkeypatch.setattr(_loop, "again", lambda *_: pytest.fail("it was"))
    assert CliRunner().invoke(main, ["demo"]).exit_code == 1


def test_a_loop_can_be_replayed_again(demo, tmp_path: Path):
    folder, _ = demo
    for name in ("recorded.tape", "replayed.tape"):
        shutil.copy(folder / "tapes" / name, tmp_path)
    before = (tmp_path / "replayed.tape").read_bytes()
    loop = Loop(
        recorded=tmp_path / "recorded.tape",
        replayed=tmp_path / "replayed.tape",
        texts=["live"],
        lateness_ms=[],
    )
    steps = SimpleNamespace(begin=lambda *_, **__: None, text=lambda _: None)
    found = _loop.again(loop, steps)
    assert (tmp_path / "replayed.tape").read_bytes() != before
    assert found.texts == ["live", _upstream.REPLY, _upstream.REPLY]
    assert [each.body for each in _loop.exchanges(found.replayed)] == [
        each.body for each in _loop.exchanges(folder / "tapes" / "replayed.tape")
    ]
    assert len(found.lateness_ms) == 2


def test_the_embedded_model_streams_in_the_shape_of_the_documentation():
    texts = _upstream.chunks()
    assert "".join(texts) == _upstream.REPLY
    assert 130 <= len(texts) <= 180
    gaps = [b - a for a, b in zip(_upstream._times_s(170), _upstream._times_s(170)[1:], strict=False)]
    assert len({round(gap, 3) for gap in gaps}) > 10


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, run("demo", "--keep", folder / "tapes", "--svg", folder / "demo.svg")


def test_the_demo_goes_through_the_whole_loop(demo):
    folder, done = demo
    assert _upstream.REPLY[:20] in done.stdout
    assert "TTFT" in done.stdout
    assert "usage-per-chunk" in done.stdout
    assert "at 8x" in done.stdout
    assert "✗" not in done.stdout
    (recorded,) = _loop.exchanges(folder / "tapes" / "recorded.tape")
    replayed = _loop.exchanges(folder / "tapes" / "replayed.tape")
    assert recorded.section
    assert recorded.section.proxy.startswith("mitmproxy ")
    assert [each.body for each in replayed] == [recorded.body] * 2
    assert len(recorded.chunks) == len(_upstream.chunks()) + 2
    streams = load(folder / "tapes" / "recorded.tape").streams
    assert streams["output_tokens"].tolist() == [len(_upstream.chunks())]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_stops_what_it_has_started(tmp_path: Path, how: signal.Signals):
    command = [*TOKENTAPE, "demo", "--keep", tmp_path / "tapes"]
    with subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        recorded = tmp_path / "tapes" / "recorded.tape"
        while not recorded.exists() or recorded.stat().st_size < 2_000:  # the stream is under way
            assert process.poll() is None
            time.sleep(0.01)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(how)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "Traceback" not in stderr
    assert len(children) >= 2
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    with cassette.open(recorded) as tape:
        assert list(tape)
        assert not tape.interrupted


@pytest.mark.parametrize("option", ["--svg", "--keep"])
def test_a_place_that_cannot_be_written_is_said_in_one_line(tmp_path: Path, option: str):
    (tmp_path / "file").write_text("")
    done = run("demo", option, tmp_path / "file" / "x.svg", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "file" in done.stderr.splitlines()[-1]


def test_a_terminal_of_ascii_shows_codes(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    loop = loop_of(tmp_path, PIECES, at_speed(PIECES, 8))
    done = run("analyze", loop.recorded)
    assert done.stdout.isascii()
    assert "TTFT" in done.stdout


def test_the_demo_can_be_kept_as_a_picture(demo):
    folder, _ = demo
    picture = (folder / "demo.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg")
    assert "url(" not in picture.replace("url(#", "")  # it loads nothing from elsewhere


def test_the_demo_does_not_write_over_what_was_kept(demo):
    folder, _ = demo
    before = (folder / "tapes" / "recorded.tape").read_bytes()
    done = run("demo", "--keep", folder / "tapes", check=False)
    assert done.returncode == 1
    assert "exists" in done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "tapes" / "recorded.tape").read_bytes() == before


def test_the_cassettes_of_the_demo_are_whole(demo):
    folder, _ = demo
    for name in ("recorded.tape", "replayed.tape"):
        with cassette.open(folder / "tapes" / name) as tape:
            assert list(tape)
            assert not tape.interrupted
