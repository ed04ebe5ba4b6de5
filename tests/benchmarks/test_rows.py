"""The command behind the figures: what it prints, and that every benchmark's rows fit it."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command
from tokentape.analysis import load

pytestmark = pytest.mark.once
ROW = {"benchmark": "b", "what": "w", "measured": 0.96, "limit": 0.95, "better": "higher"}


def run_with(monkeypatch: pytest.MonkeyPatch, *rows: dict[str, object]) -> bool:
    monkeypatch.setattr(command, "import_module", lambda _: SimpleNamespace(run=lambda: list(rows)))
    return command.main(["recorder"])


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (ROW, True),
        (ROW | {"measured": 0.949}, False),
        (ROW | {"better": "lower"}, False),
        (ROW | {"better": "lower", "measured": 0.9, "unit": "ms"}, True),
        (ROW | {"limit": None}, True),
    ],
)
def test_a_row_is_printed_as_json_and_in_the_table_with_its_verdict(monkeypatch, capsys, row, met):
    assert run_with(monkeypatch, row) is met
    first, *table = capsys.readouterr().out.splitlines()
    assert json.loads(first) == row
    shown = "\n".join(table)
    assert ("MISSED" in shown) is not met
    assert ("met" in shown) is (met and row["limit"] is not None)


def test_the_analysis_measures_what_the_command_shows(monkeypatch):
    from benchmarks import analysis

    alone = []
    found = {"peak_bytes": 30, "tables_bytes": 10, "cpu_s": 0.5}
    monkeypatch.setattr(analysis, "EXCHANGES", 2)
    monkeypatch.setattr(analysis, "EVENTS", 20)
    monkeypatch.setattr(analysis, "SIZES", (20, 40, 80))
    monkeypatch.setattr(analysis, "REPETITIONS", 1)
    monkeypatch.setattr(analysis, "loaded_alone", lambda path: alone.append(len(load(path).events)) or found)
    rows = analysis.run()
    assert alone == [200, 200, 20, 40, 80]
    assert [row["limit"] for row in rows] == [2.0, 6.0, 2.0, 6.0, 1.25, 1.25]
    for row in rows:
        assert isinstance(command.met(row), bool)
        assert row["measured"] > 0


def test_a_cassette_is_loaded_in_a_process_of_its_own(tmp_path):
    from benchmarks import analysis, loading

    analysis.make(tmp_path / "a.tape", analysis.openai, exchanges=2, sections=3)
    found = loading.loaded_alone(tmp_path / "a.tape")
    assert found["events"] == 2 * 3 * analysis.EVENTS
    assert found["tables_bytes"] == sum(
        table.memory_usage(deep=True).sum()
        for table in [
            getattr(load(tmp_path / "a.tape"), name) for name in ("exchanges", "streams", "events", "reads")
        ]
    )
    assert found["peak_bytes"] > 0
    assert found["cpu_s"] > 0


def test_writing_to_parquet_is_measured_in_processes_of_their_own(monkeypatch):
    from benchmarks import analysis_parquet

    monkeypatch.setattr(analysis_parquet, "EVENTS", 10)
    monkeypatch.setattr(analysis_parquet, "SIZES", (10, 20, 40))
    rows = analysis_parquet.run()
    assert [row["limit"] for row in rows] == [1.3, 1.2]
    assert [row["what"] for row in rows] == [
        "to Parquet: time of an event among 40 / among 10",
        "to Parquet: memory at its peak of 40 events / of 20",
    ]
    for row in rows:
        assert isinstance(command.met(row), bool)
        assert row["measured"] > 0


def test_the_peak_of_a_child_is_not_its_parents():
    """The parent has 300 MB, which `getrusage` of a child would say, too."""
    kept = bytearray(300_000_000)
    kept[::4096] = b"1" * len(kept[::4096])
    child = "from benchmarks.loading import status; print(status('VmHWM'))"
    done = subprocess.run([sys.executable, "-c", child], check=True, capture_output=True, timeout=120)
    assert 10_000_000 < int(done.stdout) < 300_000_000


def test_the_analysis_is_measured_beside_its_peers(monkeypatch):
    from benchmarks import analysis, analysis_peers

    monkeypatch.setattr(analysis, "EVENTS", 20)
    monkeypatch.setattr(analysis, "REPETITIONS", 1)
    monkeypatch.setattr(analysis_peers, "EXCHANGES", 2)
    rows = analysis_peers.run()
    assert [row["limit"] for row in rows] == [10.0] * 4
    for row in rows:
        assert isinstance(command.met(row), bool)
        assert row["what"].startswith("38 events")


def test_the_recorder_measures_what_the_command_shows(monkeypatch):
    from benchmarks import recorder

    monkeypatch.setattr(recorder, "STREAMS", 2)
    monkeypatch.setattr(recorder, "PIECES_EACH", 5)
    monkeypatch.setattr(recorder, "BULK_PIECES", 50)
    monkeypatch.setattr(recorder, "ROUNDS", 1)
    rows = recorder.run()
    assert len(rows) == 8
    for row in rows:
        assert isinstance(command.met(row), bool)


def test_the_stamps_are_found_again_in_packets_and_cassette(monkeypatch):
    from benchmarks import stamps

    monkeypatch.setattr(stamps, "STREAMS", 2)
    monkeypatch.setattr(stamps, "PIECES_EACH", 5)
    rows = stamps.run()
    if not rows:
        pytest.skip("packets cannot be captured here: no right to open a raw socket")
    (row,) = rows
    assert isinstance(command.met(row), bool)
    assert row["pieces"] == 10
    assert row["min_ms"] > -1, "a piece was stamped before its packet came"


def test_the_memory_of_each_proxy_is_a_row(monkeypatch):
    from benchmarks import memory

    monkeypatch.setattr(memory, "EXCHANGES", 4)
    monkeypatch.setattr(memory, "PIECES_EACH", 2)
    monkeypatch.setattr(memory, "WARM_UP", 1)
    rows = memory.run()
    assert len(rows) == 2
    for row in rows:
        assert isinstance(command.met(row), bool)
        assert row["resident_mb"] > 10


@pytest.fixture(params=["with aimock", "without aimock"])
def peers(request, monkeypatch):
    """aimock as it is here, or a machine that cannot install it."""
    from benchmarks import aimock

    if request.param == "without aimock":

        def missing():
            raise aimock.Missing("npm is not installed")

        monkeypatch.setattr(aimock, "command", missing)
        return False
    try:
        aimock.command()
    except aimock.Missing as missing:
        pytest.skip(str(missing))
    return True


def test_an_instant_replay_is_measured_beside_its_peers(monkeypatch, peers):
    from benchmarks import replay_instant

    monkeypatch.setattr(replay_instant, "PIECES", (5, 2_000))
    monkeypatch.setattr(replay_instant, "ROUNDS", 2)
    monkeypatch.setattr(replay_instant, "ROUND_S", 0.01)
    monkeypatch.setattr(replay_instant, "SPELLINGS", 10)
    rows = list(replay_instant.run())
    assert [row["limit"] for row in rows] == [None, None, 0.8, None, 3.0 if peers else None]
    assert_shown(rows, aimock_rows=2, peers=peers)


def test_the_lateness_of_a_replay_is_measured_beside_its_peers(monkeypatch, peers):
    from benchmarks import replay_lateness

    monkeypatch.setattr(replay_lateness, "STREAMS", (1, 3))
    monkeypatch.setattr(replay_lateness, "RATIO_STREAMS", 3)
    monkeypatch.setattr(replay_lateness, "SPEED_STREAMS", 2)
    monkeypatch.setattr(replay_lateness, "SPEEDS", (0.25, 16.0))
    monkeypatch.setattr(replay_lateness, "GAP_NS", 4_000_000)
    monkeypatch.setattr(replay_lateness, "PLAYED_NS", 40_000_000)
    monkeypatch.setattr(replay_lateness, "LONG_GAPS", 5)
    monkeypatch.setattr(replay_lateness, "LONG_STREAMS", 2)
    rows = list(replay_lateness.run())
    assert [row["limit"] for row in rows if row["limit"]] == [0.2, 5.0, 0.2, 5.0, 5.0, 2.0]
    played = [
        (row["benchmark"].split()[0], row["what"].partition(":")[0], row["pieces"])
        for row in rows
        if "pieces" in row
    ]
    assert [each for each in played if each[0] != "aimock"] == [
        ("replay", "1 stream x 250 pieces/s", 10),
        ("aiohttp", "1 stream x 250 pieces/s", 10),
        ("replay", "3 streams x 250 pieces/s", 30),
        ("aiohttp", "3 streams x 250 pieces/s", 30),
        ("replay", "0.25x, 2 streams x 62.5 pieces/s", 2 * 2),
        ("replay", "16x, 2 streams x 4000 pieces/s", 2 * 160),
        ("replay", "2 streams of 5 gaps of 5 ms", 2 * 6),
        ("aiohttp", "2 streams of 5 gaps of 5 ms", 2 * 6),
    ]
    assert (
        all(each in played for each in [("aimock", *each[1:]) for each in played if each[0] == "aiohttp"])
        is peers
    )
    assert_shown(rows, aimock_rows=3, peers=peers)


def assert_shown(rows, *, aimock_rows, peers):
    skipped = [row for row in rows if row["measured"] is None]
    assert len(skipped) == (0 if peers else aimock_rows)
    assert all(
        row["skipped"] == "npm is not installed" and "aimock" in row["benchmark"] + row["what"]
        for row in skipped
    )
    for row in rows:
        assert isinstance(command.met(row), bool)
        assert json.loads(json.dumps(row)) == row


def test_what_cannot_be_measured_is_in_the_table_with_the_reason(monkeypatch, capsys):
    row = ROW | {"measured": None, "skipped": "npm: [no network]"}
    assert run_with(monkeypatch, row)
    shown = capsys.readouterr().out
    assert "skipped" in shown
    assert "npm: [no network]" in shown.partition("\n")[2]


def test_benchmarks_are_chosen_by_how_their_names_begin(monkeypatch):
    asked = []
    found = SimpleNamespace(run=list)
    monkeypatch.setattr(command, "import_module", lambda name: asked.append(name) or found)
    command.main(["replay"])
    assert asked == [f"benchmarks.replay_{what}" for what in ("lateness", "instant", "memory")]
    with pytest.raises(SystemExit, match="found 'replays'"):
        command.main(["replays"])


def test_the_server_and_the_client_of_a_benchmark_see_the_same_pieces(tmp_path):
    """Each piece once, none before its time: the anchors of both are before the request was answered."""
    from benchmarks import answers, load, servers

    gap_ns = 5_000_000
    with servers.replay(answers.tape(tmp_path / "a.tape", 20, gap_ns)) as served:
        client = load.lateness_ms(served.port, streams=3, gap_ns=gap_ns)
    assert client["pieces"] == 3 * 20
    assert served.pieces == 3 * (20 + 2)  # and the head and the end of each
    assert 0 < client["p50"] <= client["p99"] <= client["max"]
    assert client["last"] > 0


def test_a_request_is_the_same_however_it_is_spelled():
    from benchmarks.answers import BODY, request

    spelled = {request(spelling) for spelling in range(1 << 10)}
    assert len(spelled) == 1 << 10
    assert {len(each) for each in spelled} == {len(request())}
    assert {each.partition(b"\r\n\r\n")[2].rstrip() for each in spelled} == {BODY}


def test_a_large_cassette_and_its_connections_are_rows(monkeypatch):
    from benchmarks import replay_memory

    monkeypatch.setattr(replay_memory, "MEGABYTES", 1)
    monkeypatch.setattr(replay_memory, "CONNECTIONS", 5)
    rows = replay_memory.run()
    assert len(rows) == 4
    for row in rows:
        assert isinstance(command.met(row), bool)
    assert rows[0]["opened_s"] > 0
