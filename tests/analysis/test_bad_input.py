"""Whatever is wrong with a cassette or a stream: a row with its reason or one line, never a wrong number."""

import csv
import json

import pytest
from msgspec.structs import replace

from tests.analysis.sound import check
from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, usage_chunk, write
from tests.cassette.golden import FOLDER
from tests.cassette.tapes import raw
from tests.cli.verbs import run
from tokentape.analysis import load

TOKEN = data(chunk({"content": "a"}))
END = data(chunk(finish="stop")) + DONE


def timed(*pieces, first=100, step=20):
    """Pieces 20 ms apart."""
    return [((first + number * step) * MS, piece) for number, piece in enumerate(pieces)]


DEEP = b'data: {"choices":' + b"[" * 50_000 + b"]" * 50_000 + b"}\n\n"
LARGE = data(chunk({"content": "x" * 10_000_000}))
TEXT_USAGE = {"prompt_tokens": "9", "completion_tokens": "3"}
BYTES = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'
STREAMS = {
    "no-json": ([b"data: hello\n\n", b"data: {broken\n\n", b"data: \xff\xfe\n\n"], "unparsed", 3),
    "numbers-as-strings": ([TOKEN, data({**usage_chunk(9, 3), "usage": TEXT_USAGE}), END], None, 0),
    "lists-for-objects": (
        [data([1, 2]), data({"choices": [[]]}), data({"choices": [{"delta": []}]})], "unparsed", 1
    ),
    "choices-null": ([data({"choices": None}), TOKEN, data({"choices": None, "usage": None}), END], None, 0),
    "choices-object": ([data({"choices": {}}), data({"choices": 7})], "truncated", 0),
    "deep": ([TOKEN, DEEP, TOKEN, END], None, 1),
    "large": ([LARGE, END], None, 0),
    "half-a-surrogate": ([BYTES % rb"\ud83d", END], None, 0),
    "raw-surrogate": ([BYTES % b"\xed\xa0\x80", END], None, 0),
    "huge-index": ([data({"choices": [{"index": 10**30, "delta": {"content": "a"}}]}), END], None, 0),
    "negative-index": ([data({"choices": [{"index": -1, "delta": {"content": "a"}}]}), END], None, 0),
    "index-as-text": ([data({"choices": [{"index": "0", "delta": {"content": "a"}}]}), END], None, 0),
    "no-number": ([b'data: {"choices":[],"usage":{"completion_tokens":NaN}}\n\n', TOKEN, END], None, 0),
    "huge-usage": ([TOKEN, TOKEN, data(usage_chunk(2**63, 2**64)), END], None, 0),
    "negative-usage": ([TOKEN, TOKEN, data(usage_chunk(-1, -5)), END], None, 0),
    "model-as-object": ([data({"model": {"a": 1}, "choices": []}), TOKEN, END], None, 0),
    "finish-as-number": ([TOKEN, data(chunk(finish=3)), DONE], None, 0),
    "error-null": ([data({"error": None, "choices": []}), TOKEN, END], None, 0),
}  # fmt: skip


@pytest.fixture(params=STREAMS)
def bad(request, tmp_path):
    pieces, why, unparsed = STREAMS[request.param]
    return write(tmp_path / "a.tape", records(timed(*pieces))), why, unparsed, request.param


def test_json_of_wrong_shapes_makes_no_number_that_is_not_so(bad):
    path, why, unparsed, name = bad
    recording = load(path)
    check(recording)
    assert recording.lost == ()
    rows = recording.as_dict()
    for row in rows["streams"]:
        if why is not None:
            assert (row["ttft_ms"], row["ttft_ms_why"]) == (None, why)
        assert row["output_tokens"] != 3 or row["tokens_from"] == "chunks"
    assert rows["exchanges"][0]["unparsed"] == unparsed
    tokens = recording.events[recording.events["is_token"]]
    assert tokens["t_ms"].isin([100, 120, 140, 160]).all()
    if name == "large":
        assert rows["streams"][0]["text_chars"] == 10_000_000
    if name in ("huge-usage", "negative-usage", "numbers-as-strings"):
        assert rows["streams"][0]["tokens_from"] == "chunks"
        assert rows["streams"][0]["prompt_tokens"] is None


VERBS = [
    ("analyze", *form)
    for form in ((), ("--json",), ("--format", "csv"), ("--format", "markdown"), ("--by", "model"),
                 ("--slo", "ttft_ms=500"), ("--slo", "ttft_ms=500", "--json"), ("--format", "otlp"),
                 ("--by", "model", "--format", "csv"), ("--names", "otel", "--json"))
] + [
    (verb, *form)
    for verb in ("compare", "fidelity")
    for form in ((), ("--json",), ("--format", "csv"), ("--format", "markdown"))
]  # fmt: skip


FEW = [("analyze",), ("analyze", "--json"), ("compare", "--json"), ("fidelity",)]


def no_constant(text):
    raise AssertionError(f"{text} is no JSON")


def ran(verb, *options, files, codes=(0,)):
    """What a verb says of bad files: no traceback, valid JSON where that was asked for, nothing to obey."""
    paths = files if verb == "analyze" else (files * 2)[:2]
    result = run(verb, *paths, *options)
    assert result.exit_code in codes, (verb, options, result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert not set(result.output) & set(map(chr, [0, 7, 8, 27, 0x9B]))
    if result.exit_code in (0, 3):
        assert result.stdout
        if "--json" in options:
            json.loads(result.stdout, parse_constant=no_constant)
        if "csv" in options:
            assert len({len(row) for row in csv.reader(result.stdout.splitlines())}) == 1
    else:
        *lost, error = result.stderr.strip().splitlines()
        assert all(line.startswith("lost: ") for line in lost)
        assert error.startswith("Error: ")
    return result


def test_every_verb_and_format_can_say_all_of_it(tmp_path):
    """All bad streams in one cassette, and what strangers may call a model."""
    exchanges = [
        records(timed(*pieces), exchange=number)
        for number, (name, (pieces, *_)) in enumerate(STREAMS.items())
        if name != "large"
    ]
    nasty = data({"model": "\x1b[31mred\x07\n\x9b,|\u202e", "choices": []})
    exchanges.append(records(timed(nasty, TOKEN, END), exchange=len(STREAMS), path=b"/\xff\x1b[2J"))
    path = write(tmp_path / "a.tape", *exchanges)
    check(load(path))
    for verb, *options in VERBS:
        ran(verb, *options, files=[path])


DAMAGED = {
    "flipped": lambda whole: whole.replace(b'"content": "a"', b'"content": "b"', 1),
    "torn": lambda whole: whole[:-9],
    "half": lambda whole: whole[: len(whole) // 2],
    "hole": lambda whole: whole[: len(whole) // 3] + whole[len(whole) // 3 + 200 :],
    "noise": lambda whole: whole[:400] + bytes(range(256)) + whole[400:],
}


@pytest.mark.parametrize("how", DAMAGED)
def test_damaged_cassette_is_analysed_as_far_as_it_is_whole(tmp_path, how):
    path = tmp_path / "a.tape"
    each = [records(timed(TOKEN, TOKEN, END), exchange=number) for number in range(3)]
    whole = load(write(path, *each)).streams
    path.write_bytes(DAMAGED[how](path.read_bytes()))
    recording = load(path)
    check(recording)
    assert recording.lost
    assert all(str(path) in line for line in recording.lost)
    sound = recording.streams[recording.streams["outcome"] == "complete"]
    assert len(sound) < 3 or how == "torn"  # of which the closing record is lost, and no exchange
    for row in sound.itertuples():
        assert (row.ttft_ms, row.itl_ms, row.e2e_ms) == (100, 20, 120)
    assert list(map(str, recording.streams.dtypes)) == list(map(str, whole.dtypes))
    for verb, *options in VERBS if how == "hole" else FEW:
        result = ran(verb, *options, files=[path], codes=(3,))
        assert result.stderr.startswith("lost: ")


def test_parquet_of_a_damaged_cassette_is_what_is_whole(tmp_path):
    import io

    import pandas as pd

    path = write(
        tmp_path / "a.tape", records(timed(TOKEN, TOKEN, END)), records(timed(TOKEN, END), exchange=1)
    )
    path.write_bytes(path.read_bytes()[:-9])
    result = run("analyze", path, "--format", "parquet")
    assert result.exit_code == 3
    found = pd.read_parquet(io.BytesIO(result.stdout_bytes))
    assert found["outcome"].tolist() == load(path).streams["outcome"].tolist()


@pytest.mark.parametrize(
    "golden", sorted(path.name for path in FOLDER.glob("*.tape*") if path.suffix != ".json")
)
def test_every_golden_cassette_is_sound(golden):
    recording = load(FOLDER / golden)
    check(recording)
    codes = (3,) if recording.lost else (0,)
    for verb, *options in FEW:
        ran(verb, *options, files=[FOLDER / golden], codes=(*codes, 1) if verb == "fidelity" else codes)


def test_clock_that_stands_still_has_no_rates(tmp_path):
    pieces = [(0, TOKEN), (0, TOKEN), (0, TOKEN), (0, END)]
    recording = load(write(tmp_path / "a.tape", records(pieces, headers_ns=0)))
    check(recording)
    (row,) = recording.as_dict()["streams"]
    assert (row["ttft_ms"], row["e2e_ms"], row["gap_max_ms"]) == (0, 0, 0)
    assert (row["itl_ms"], row["itl_ms_why"]) == (None, "no-time-between")
    assert (row["tokens_per_s"], row["tokens_per_s_why"]) == (None, "no-time-between")
    assert (row["read_gap_p50_ms"], row["read_gap_p50_ms_why"]) == (None, "no-time-between")
    assert recording.summary().loc["read_gap_ms", ["n", "why"]].tolist() == [0, "no-time-between"]
    assert not recording.events["coalesced"].any()
    assert recording.events["gap_ms"].dropna().tolist() == [0, 0]
    for table in (recording.events, recording.reads):
        assert table["read_gap_ms"].isna().all()


def test_clock_that_goes_back_is_damage_and_not_a_negative_gap(tmp_path):
    """No recorder writes it; the tables have no number below 0 for it."""
    pieces = [(200 * MS, TOKEN), (100 * MS, TOKEN), (150 * MS, END)]
    path = write(tmp_path / "a.tape", records(pieces))
    recording = load(path)
    check(recording)
    (row,) = recording.as_dict()["streams"]
    assert (row["outcome"], row["ttft_ms"], row["ttft_ms_why"]) == ("damaged", None, "damaged")
    assert recording.events["gap_ms"].isna().all()
    assert recording.lost == (
        f"{path}: exchange 0 of section 0: its times go back, which no recorder writes; it is not measured",
    )
    assert run("analyze", path).exit_code == 3


def test_empty_cassette_has_tables_without_rows(tmp_path):
    path = write(tmp_path / "a.tape")
    check(load(path))
    for verb, *options in FEW:
        ran(verb, *options, files=[path], codes=(1,) if verb == "fidelity" else (0,))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none-*.tape", "expected files whose names match this pattern; found none"),
        ("absent.tape", "No such file"),
        ("empty.tape", "empty file"),
        ("text.tape", "expected a cassette"),
        ("folder", "expected cassettes"),
        ("newer.tape", "please upgrade"),
    ],
)
def test_what_is_no_cassette_is_said_in_one_line(tmp_path, name, said):
    (tmp_path / "empty.tape").touch()
    (tmp_path / "text.tape").write_text("hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "newer.tape").write_bytes(raw(replace(SECTION, version=9)))
    whole = write(tmp_path / "whole.tape", records(timed(TOKEN, END)))
    for verb, *options in FEW:
        for files in ([tmp_path / name], [whole, tmp_path / name]):
            assert said in ran(verb, *options, files=files, codes=(1,)).stderr


def test_sections_of_other_versions_in_one_cassette_are_said(tmp_path):
    path = tmp_path / "a.tape"
    one = records(timed(TOKEN, END))
    path.write_bytes(raw(SECTION, *one, replace(SECTION, version=9), *one))
    result = run("analyze", path)
    assert result.exit_code in (1, 3)
    assert "upgrade" in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2


def test_name_of_a_file_that_is_no_text_is_shown_all_the_same(tmp_path):
    path = tmp_path / "\udcff\x1b[31m,.tape"
    write(path, records(timed(TOKEN, END)))
    check(load(path))
    for verb, *options in FEW:
        ran(verb, *options, files=[path])
    for options in (["--by", "cassette"], ["--by", "cassette", "--format", "csv"], ["--format", "parquet"]):
        assert run("analyze", path, *options).exit_code == 0
