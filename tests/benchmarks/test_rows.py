"""The command behind the figures: what it prints, and that every benchmark's rows fit it."""

import json
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command

ROW = {"benchmark": "b", "what": "w", "measured": 0.96, "limit": 0.95, "better": "higher"}


def run_with(monkeypatch: pytest.MonkeyPatch, *rows: dict[str, object]) -> bool:
    monkeypatch.setattr(command, "import_module", lambda _: SimpleNamespace(run=lambda: list(rows)))
    return command.main(["any"])


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

    monkeypatch.setattr(analysis, "EXCHANGES", 2)
    monkeypatch.setattr(analysis, "EVENTS", 20)
    monkeypatch.setattr(analysis, "REPETITIONS", 1)
    rows = analysis.run()
    assert rows
    for row in rows:
        assert isinstance(command.met(row), bool)
        assert row["measured"] > 0


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


def test_an_instant_replay_and_the_bare_protocol_send_the_same_answer(monkeypatch, tmp_path):
    from benchmarks import replay

    monkeypatch.setattr(replay, "INSTANT_ROUNDS", 2)
    monkeypatch.setattr(replay, "INSTANT_SECONDS", 0.01)
    rounds = replay._instant(tmp_path, 5)
    assert len(rounds) == 2
    assert all(rate > 0 for pair in rounds for rate in pair)


def test_a_large_cassette_and_its_connections_are_rows(monkeypatch):
    from benchmarks import replay_memory

    monkeypatch.setattr(replay_memory, "MEGABYTES", 1)
    monkeypatch.setattr(replay_memory, "CONNECTIONS", 5)
    rows = replay_memory.run()
    assert len(rows) == 4
    for row in rows:
        assert isinstance(command.met(row), bool)
    assert rows[0]["opened_s"] > 0
