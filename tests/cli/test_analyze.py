import io
import json
import os
import subprocess
import sys

import click
import pandas as pd
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.cassette.tapes import SECTION, closed, exchange, raw
from tokentape import cassette
from tokentape.analysis import load
from tokentape.cli import main
from tokentape.cli.analyze import command

PIECES = [
    (200 * MS, data(chunk({"content": "a"}))),
    (230 * MS, data(chunk({"content": "b"}, "stop"))),
    (231 * MS, DONE),
]


def analyze(*arguments, **options):
    return CliRunner().invoke(main, ["analyze", *map(str, arguments)], **options)


@pytest.fixture
def tape(tmp_path):
    return write(
        tmp_path / "a.tape",
        records(PIECES, body='{"model":"千问"}'.encode()),
        records(PIECES[:1], exchange=1, end="client-closed", body=b'{"model":"b"}'),
    )


def test_table_has_the_numbers_and_says_what_they_mean(tape):
    result = analyze(tape)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    ttft = next(line.split() for line in lines if "TTFT" in line)
    assert ttft[-5:] == ["200.0", "200.0", "200.0", "200.0", "2"]
    tokens = next(line.split() for line in lines if "output tokens" in line)
    assert tokens[-5:] == ["1.5", "1.9", "2.0", "2", "2"]
    itl = next(line.split() for line in lines if "ITL ms" in line)
    assert itl[-5:] == ["30.0", "30.0", "30.0", "30.0", "1"]
    assert "(last token - first token) / (output tokens - 1)" in result.stdout
    assert "streams: 2; 1 client-closed, 1 complete" in result.stdout
    assert "tokens from: 2 chunks" in result.stdout
    assert result.stderr == ""


def test_table_has_the_throughput_below_it(tape):
    # one request is complete and both sent tokens, from 0 to 231 ms
    assert "throughput: 4.33 requests/s and 13.0 tokens/s (from chunks) in 0.2 s" in analyze(tape).stdout


def test_table_of_another_tool_has_its_tpot_and_end(tape):
    lines = analyze(tape, "--definitions", "servebench").stdout.splitlines()
    rows = {name: next(line.split() for line in lines if name in line) for name in ("TPOT ms", "E2E ms")}
    assert rows["TPOT ms"][-5:] == ["31.0", "31.0", "31.0", "31.0", "1"]
    assert rows["E2E ms"][-5:] == ["231.0", "231.0", "231.0", "231.0", "1"]
    assert not any("last token" in line for line in lines)


def test_missing_number_is_its_reason_in_the_table(tape):
    result = analyze(tape, "--by", "model_requested")
    rows = result.stdout.split("千问")[0]
    assert "single-token" in rows
    assert "client-closed" in rows


def test_rows_have_a_section_each_where_the_record_of_one_was_lost(tmp_path):
    sections = [closed(SECTION, *exchange(0)) for _ in range(3)]
    del sections[1][0]
    tape = tmp_path / "a.tape"
    tape.write_bytes(raw(*(record for section in sections for record in section)))
    rows = json.loads(analyze(tape, "--json").stdout)["exchanges"]
    assert [(row["section"], row["exchange"]) for row in rows] == [(0, 0), (1, 0), (2, 0)]


def test_json_is_one_object_with_a_reason_beside_every_null(tape):
    result = analyze(tape, "--json")
    made = json.loads(result.stdout)
    assert list(made) == ["exchanges", "streams", "summary"]
    first, second = made["streams"]
    assert (first["ttft_ms"], first["ttft_ms_why"], first["model_requested"]) == (200, None, "千问")
    assert (second["itl_ms"], second["itl_ms_why"]) == (None, "single-token")
    assert made["summary"]["ttft_ms"]["p50"] == 200
    assert made["summary"]["outcomes"]["client-closed"] == 1
    assert list(json.loads(analyze(tape, "--json", "--by", "outcome").stdout)["summary"]) == [
        "client-closed",
        "complete",
    ]


def test_standard_input_is_a_file(tape):
    result = analyze("-", "--json", input=tape.read_bytes())
    assert json.loads(result.stdout)["exchanges"][0]["cassette"] == "-"


def test_damage_is_said_and_what_is_whole_is_used(tape):
    raw = bytearray(tape.read_bytes())
    raw[raw.index(b"[DONE]")] ^= 1
    tape.write_bytes(bytes(raw))
    result = analyze(tape)
    assert result.exit_code == 3
    assert "damaged at byte" in result.stderr
    assert "1 of its pieces is missing" in result.stderr
    assert "1 damaged" in result.stdout


def test_cut_tail_is_said(tape):
    tape.write_bytes(tape.read_bytes()[:-5])
    result = analyze(tape, "--json")
    assert result.exit_code == 3
    assert "cut off at byte" in result.stderr
    assert json.loads(result.stdout)["streams"][0]["ttft_ms"] == 200


def bad_files(folder):
    (folder / "empty").write_bytes(b"")
    (folder / "text").write_bytes(b"hello, this is no cassette")
    (folder / "folder").mkdir()
    section = cassette.Section(version=99, wall_ns=0, mono_ns=0, writer="", proxy="", host="")
    cassette.Writer(folder / "newer", section).close()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "No such file"),
        ("folder", "in this folder; found none"),
        ("empty", "empty file"),
        ("text", "expected a cassette"),
        ("newer", "please upgrade"),
    ],
)
def test_file_that_cannot_be_used_is_one_line_and_exit_1(tmp_path, name, says):
    bad_files(tmp_path)
    result = analyze(tmp_path / name)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert says in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--by", "ttft_ms"], "model_requested"),
        (["--by", "model", "--by", "nope"], "label.NAME; found 'nope'"),
        (["--by", "model", "--by", "model"], "'model' twice"),
        (["--dialect", "nope"], "openai-chat"),
        (["--nope"], "--nope"),
        (["--where", "model"], "expected a condition such as"),
        (["--where", "nope=1"], "expected a column of exchanges (cassette,"),
        (["--where", "in_flight>3"], "expected a column of exchanges"),
        (["--where", "status>many"], "expected a number, found 'many'"),
        (["--where", "status=200", "--where", "started_at<soon"], "expected a time such as"),
        (["--where", "host<a"], "expected = or !="),
        (["--definitions", "nope"], "guidellm"),
    ],
)
def test_wrong_usage_is_exit_2_and_names_what_there_is(tape, arguments, says):
    result = analyze(tape, *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_standard_input_twice_is_wrong_usage():
    result = analyze("-", "-", input=b"")
    assert result.exit_code == 2
    assert "expected - once" in result.stderr


def test_events_that_could_not_be_read_are_told_below_the_table(tmp_path):
    pieces = [(200 * MS, b"data: {broken\n\n")] * 20
    result = analyze(write(tmp_path / "a.tape", records(pieces)))
    assert "unparsed: 20 events that could not be read" in result.stdout


def test_where_and_folders_and_patterns_choose_what_is_analysed(tape):
    for files in (tape.parent, tape.parent / "*.tape"):
        rows = json.loads(analyze(files, "--json", "--where", "outcome!=complete").stdout)["streams"]
        assert [row["exchange"] for row in rows] == [1]


def test_formats_are_the_same_summary(tape):
    lines = analyze(tape, "--format", "csv", "--by", "outcome").stdout.splitlines()
    assert lines[0] == "outcome,metric,n,p50,p90,p99,max,why"
    assert lines[1].startswith("client-closed,ttft_ms,1,200.0,")
    assert "| ttft_ms" in analyze(tape, "--format", "markdown").stdout
    assert analyze(tape, "--format", "json").stdout == analyze(tape, "--json").stdout
    table = pd.read_parquet(io.BytesIO(analyze(tape, "--format", "parquet").stdout_bytes))
    assert table["ttft_ms"].tolist() == [200, 200]


def test_slo_is_a_table_and_an_object(tape):
    result = analyze(tape, "--slo", "ttft_ms=500,gap_ms=30", "--format", "json")
    (row,) = json.loads(result.stdout)
    assert (row["sent"], row["met"], row["attainment"]) == (2, 1, 0.5)
    result = analyze(tape, "--slo", "ttft_ms=500, gap_ms=30, tokens_per_s=5", "--by", "outcome")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["client-closed", "1", "0", "0", "0.0%", "0.2", "0"] in lines
    assert ["complete", "1", "1", "0", "100.0%", "0.231", "4.33"] in lines
    assert "met: complete, and ttft_ms <= 500, gap_ms <= 30, tokens_per_s >= 5" in result.stdout
    assert "|" not in result.stdout
    result = analyze(tape, "--slo", "ttft_ms=1", "--by", "outcome", "--format", "markdown")
    assert "| complete" in result.stdout


@pytest.mark.parametrize(
    ("slo", "says"),
    [
        ("ttft_ms", "NAME=NUMBER"),
        ("nope=1", "tokens_per_s, found 'nope'"),
        ("ttft_ms=nan", "a number that is finite"),
        ("ttft_ms=-1", "expected ttft_ms to be a number from 0, found -1.0"),
        ("ttft_ms=1,gap_ms=3, ttft_ms=2", "expected each objective once, found 'ttft_ms' twice"),
        ("", "NAME=NUMBER"),
    ],
)
def test_wrong_objectives_are_refused_before_anything_is_read(slo, says):
    result = analyze("never.tape", "--slo", slo)
    assert (result.exit_code, says in result.stderr) == (2, True)


def test_stalls_are_gaps_above_a_bound_in_every_format(tape):
    expected = load(tape).stalls(25)
    assert (len(expected), len(load(tape).stalls(30))) == (1, 0)
    rows = json.loads(analyze(tape, "--stalls", "25", "--json").stdout)
    assert list(rows[0]) == [
        "cassette", "section", "exchange", "choice", "model", "token_event", "t_ms", "gap_ms"
    ]  # fmt: skip
    assert [(row["token_event"], row["gap_ms"]) for row in rows] == [
        (row.token_event, row.gap_ms) for row in expected.itertuples()
    ]
    assert json.loads(analyze(tape, "--stalls", "25", "--format", "json").stdout) == rows
    lines = analyze(tape, "--stalls", "25", "--format", "csv").stdout.splitlines()
    assert lines[0] == "cassette,section,exchange,choice,model,token_event,t_ms,gap_ms"
    assert len(lines) == 1 + len(rows)
    assert "| token_event |" in analyze(tape, "--stalls", "25", "--format", "markdown").stdout
    shown = analyze(tape, "--stalls", "25").stdout
    assert f"{len(rows)} stall" in shown
    assert "more than 25 ms" in shown
    assert "0 stalls in 0 of 2 streams" in analyze(tape, "--stalls", "1e9").stdout


@pytest.mark.parametrize(
    "more",
    [
        ["--by", "model"],
        ["--slo", "ttft_ms=1"],
        ["--names", "otel"],
        ["--format", "parquet"],
        ["--format", "parquet", "-o", "tables"],
        ["--format", "otlp"],
    ],
)
def test_stalls_are_no_summary_and_no_other_table(tape, more):
    result = analyze(tape, "--stalls", "25", *more)
    assert (result.exit_code, "expected --stalls with" in result.stderr) == (2, True)


@pytest.mark.parametrize("bound", ["-1", "nan", "inf", "slow"])
def test_a_bound_of_stalls_that_is_no_number_is_wrong_usage(bound):
    assert analyze("never.tape", "--stalls", bound).exit_code == 2


def test_parquet_has_no_objectives(tape):
    result = analyze(tape, "--slo", "ttft_ms=1", "--format", "parquet")
    assert (result.exit_code, "expected --slo without" in result.stderr) == (2, True)


def test_groups_are_by_several_columns_in_every_format(tape):
    by = ["--by", "host", "--by", "outcome", "--by", "hour"]
    lines = analyze(tape, *by).stdout.splitlines()
    assert lines[1].split()[:4] == ["host", "outcome", "hour", "p50"]
    (row,) = [line.split() for line in lines if "client-closed" in line and "TTFT" in line]
    assert row[:2] == ["api.example", "client-closed"]
    lines = analyze(tape, *by, "--format", "csv").stdout.splitlines()
    assert lines[0] == "host,outcome,hour,metric,n,p50,p90,p99,max,why"
    assert lines[1].startswith("api.example,client-closed,2026-09-21 14:00:00+00:00,ttft_ms,1,200.0,")
    assert "| host " in analyze(tape, *by, "--format", "markdown").stdout
    summary = json.loads(analyze(tape, *by, "--json").stdout)["summary"]
    assert list(summary["api.example"]) == ["client-closed", "complete"]
    ((hour, group),) = summary["api.example"]["complete"].items()
    assert (hour, group["ttft_ms"]["p50"]) == ("2026-09-21 14:00:00+00:00", 200)
    (row, _) = json.loads(analyze(tape, *by, "--slo", "ttft_ms=500", "--format", "json").stdout)
    assert (row["outcome"], row["sent"]) == ("client-closed", 1)
    assert row["hour"].startswith("2026-09-21")


def test_tokens_are_counted_with_a_tokenizer(tape, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    tokenizers.Tokenizer(tokenizers.models.WordLevel({"ab": 0, "a": 1}, unk_token="a")).save(
        str(tmp_path / "tokenizer.json")
    )
    result = analyze(tape, "--tokens", f"tokenizers:{tmp_path / 'tokenizer.json'}")
    assert "tokens from: 2 tokenizer" in result.stdout


@pytest.mark.parametrize("tokens", ["o200k_base", "tokenizers:none.json", "tiktoken:nope"])
def test_a_tokenizer_that_is_none_is_wrong_usage(tape, tokens):
    pytest.importorskip("tokenizers")
    result = analyze(tape, "--tokens", tokens)
    assert (result.exit_code, "expected a" in result.stderr) == (2, True)


def test_missing_tokenizers_say_how_to_add_them(tape, monkeypatch):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    result = analyze(tape, "--tokens", "tiktoken:o200k_base")
    assert result.exit_code == 1
    assert "pip install 'tokentape[tokenizers]'" in result.stderr


def test_no_file_is_wrong_usage():
    assert analyze().exit_code == 2


def test_missing_pandas_says_how_to_add_it(tape, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("tokentape.analysis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pandas", None)
    result = analyze(tape)
    assert result.exit_code == 1
    assert "pip install 'tokentape[analysis]'" in result.stderr


def test_name_in_a_recording_cannot_command_the_terminal(tmp_path):
    body = json.dumps({"model": "\x1b[2Jx"}).encode()
    result = analyze(write(tmp_path / "a.tape", records(PIECES, body=body)), "--by", "model_requested")
    assert "\x1b" not in result.stdout
    assert "x" in result.stdout


def test_table_can_be_printed_where_only_ascii_can(tape):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    arguments = [sys.executable, "-m", "tokentape.cli", "analyze", str(tape)]
    for more in (["--by", "model_requested"], ["--json"]):
        result = subprocess.run([*arguments, *more], check=False, capture_output=True, env=environment)
        assert result.returncode == 0, result.stderr
        assert "\\u5343\\u95ee" in result.stdout.decode()


def test_help_has_an_example():
    result = analyze("--help")
    assert "tokentape analyze session.tape" in result.stdout
    assert isinstance(command, click.Command)


def test_help_needs_no_pandas():
    code = (
        "import sys; from tokentape.cli import main;"
        "main(['analyze', '--help'], standalone_mode=False);"
        "sys.exit('pandas' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (result.returncode, b"tokentape analyze" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"chunks": 9}, "7 of its pieces are missing; it is not measured"),
        ({"chunks": 1}, "it has more pieces than its end record says; it is not measured"),
        ({"bytes": 99}, "its pieces have 22 bytes, and its end record says 99"),
    ],
)
def test_an_end_that_counts_other_pieces_is_said(counts, says, tmp_path):
    tape = tmp_path / "a.tape"
    changed = [
        replace(each, **counts) if isinstance(each, cassette.End) else each
        for each in closed(SECTION, *exchange(0))
    ]
    tape.write_bytes(raw(*changed))
    result = analyze(tape)
    assert result.exit_code == 3
    assert result.stderr == f"lost: {tape}: exchange 0 of section 0: {says}\n"
