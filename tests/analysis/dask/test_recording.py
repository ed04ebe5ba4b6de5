"""On one machine and one thread: what is computed is what pandas computes. With processes: tests/e2e."""

import json
from functools import cache, partial
from random import Random

import dask
import numpy as np
import pandas as pd
import pytest

from tests.analysis.loading.test_parts import plain
from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, usage, write
from tests.analysis.test_load import damaged
from tokentape import analysis, cassette
from tokentape.analysis import _schema as schema
from tokentape.analysis import dask as analysis_dask
from tokentape.analysis.dask import RELATIVE_ERROR, ApproximateRecording, compare

TABLES = ("exchanges", "streams", "events", "reads")
TWO = 40 * 1024
"""Room for two small cassettes: a file counts as 16 KiB at least."""
load = partial(analysis_dask.load, gather_bytes=TWO)
GROUPINGS = [
    None,
    "model_requested",
    "status",
    "hour",
    "prompt_size",
    "cassette",
    "label.env",
    "in_flight",
    "concurrency",
    ["outcome"],
    ["model_requested", "label.env"],
    [],
]


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def tapes(folder, count=8, seed=1, slower=1.0):
    """Cassettes with several models, endings, sections and gaps, of which some are missing."""
    folder.mkdir()
    random = Random(seed)
    for position in range(count):
        exchanges = []
        for number in range(random.randrange(4)):
            at, pieces = random.randrange(100, 900) * MS, []
            for each in range(size := random.randrange(1, 9)):
                last = each == size - 1
                bill = {"usage": usage(random.randrange(9000), size)} if last and number % 2 else {}
                pieces.append(
                    (int(at * slower), data(chunk({"content": "a"}, "stop" if last else None, **bill)))
                )
                at += random.choice([0, 1, 20, 21, 400]) * MS + random.randrange(MS)
            ending = random.choice(["complete", "complete", "client-closed", None])
            exchanges.append(
                records(
                    [*pieces, (int(at * slower), DONE)] if ending == "complete" else pieces,
                    exchange=number,
                    end=ending,
                    status=random.choice([200, 200, 429]),
                    body=json.dumps({"model": random.choice("xyz"), "n": [position, number]}).encode(),
                )
            )
        labels = {"env": random.choice(["prod", "test"])} if position % 3 else {}
        section = cassette.Section(
            version=1, wall_ns=SECTION.wall_ns + position * 1000 * 10**9, mono_ns=0, writer="", proxy="",
            host="", labels=labels,
        )  # fmt: skip
        with cassette.Writer(folder / f"{position:03}.tape", section) as tape:
            for each in exchanges:
                for record in each:
                    tape.write(record)
    return folder


@cache
def in_pandas(folder, definitions=None):
    """What all is compared with, read once."""
    return analysis.load(folder, definitions=definitions)


def test_no_cassettes_are_the_empty_tables_of_pandas(tmp_path):
    found, expected = analysis_dask.load([]), analysis.load([])
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(found, name).compute(), getattr(expected, name))
    for by in (None, "model", "in_flight"):
        assert found.summary(by).equals(expected.summary(by))
    assert found.lost == ()
    assert found.to_parquet(tmp_path / "dask") == analysis.to_parquet([], tmp_path / "pandas") == ()
    for name in TABLES:
        for folder in ("dask", "pandas"):
            table = pd.read_parquet(tmp_path / folder / f"{name}.parquet")
            assert (len(table), [*table.columns]) == (0, [*getattr(expected, name).columns])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tapes(tmp_path_factory.mktemp("tapes") / "some", count=6)


@pytest.mark.parametrize(
    ("division", "partitions"),
    [({"max_part_bytes": 1}, None), ({"gather_bytes": 0}, 6), ({"gather_bytes": TWO}, 3), ({}, 1)],
)
def test_tables_are_those_of_pandas(folder, division, partitions):
    whole, made = in_pandas(folder), analysis_dask.load(folder, **division)
    assert partitions in (None, len(made.partitions))
    for name in TABLES:
        found, expected = getattr(made, name).compute().reset_index(drop=True), getattr(whole, name)
        assert found.dtypes.astype("str").to_dict() == expected.dtypes.astype("str").to_dict()
        pd.testing.assert_frame_equal(plain(found), plain(expected))
        assert getattr(made, name).npartitions == len(made.partitions)


def _here(dtype):
    return "string" if dtype == schema.TEXT and pd.__version__.startswith("2.") else dtype


def test_types_are_known_before_anything_is_read(folder):
    made = load(folder)
    for name, types in zip(
        TABLES, (schema.EXCHANGES, schema.STREAMS, schema.EVENTS, schema.READS), strict=True
    ):
        known = {each: _here(dtype) for each, dtype in types.items()}
        assert getattr(made, name).dtypes.astype("str").to_dict() == known


def test_columns_are_computed_with_as_dask_does(folder):
    whole, made = in_pandas(folder), load(folder, max_part_bytes=1)
    assert made.streams["ttft_ms"].max().compute() == whole.streams["ttft_ms"].max()
    assert len(made.events) == len(whole.events)
    found = made.streams.groupby("model_requested", observed=True)["bytes"].sum().compute()
    assert found.to_dict() == whole.streams.groupby("model_requested", observed=True)["bytes"].sum().to_dict()
    late = made.streams[made.streams["started_at"] > whole.streams["started_at"].min()]
    assert len(late) == len(whole.streams) - 1
    found = made.streams["outcome"].value_counts().compute()
    assert found[found > 0].to_dict() == whole.streams["outcome"].value_counts().to_dict()


@pytest.mark.parametrize("by", GROUPINGS)
def test_summary_and_outcomes_are_those_of_pandas(folder, by):
    whole, made = in_pandas(folder), load(folder)
    found = made.summary(by)
    pd.testing.assert_frame_equal(found, whole.summary(by))
    assert found.attrs == {"percentiles": "exact", "relative_error": 0.0}
    if by in (None, "hour", []):
        pd.testing.assert_frame_equal(made.outcomes(by), whole.outcomes(by))
        pd.testing.assert_frame_equal(made.slo(by, ttft_ms=500), whole.slo(by, ttft_ms=500))


def test_what_is_collected_answers_as_the_whole_does(folder):
    whole, made = in_pandas(folder), load(folder, max_part_bytes=1).collected()
    for name in ("exchanges", "streams"):
        pd.testing.assert_frame_equal(getattr(made, name), getattr(whole, name))
    assert made.as_dict("host") == whole.as_dict("host")
    pd.testing.assert_frame_equal(plain(made.stalls(300)), plain(whole.stalls(300)))
    pd.testing.assert_series_equal(made.deadline_miss_rate(20), whole.deadline_miss_rate(20))
    pd.testing.assert_series_equal(made.concurrency(), whole.concurrency())


@pytest.mark.parametrize("by", GROUPINGS)
def test_percentiles_of_too_many_gaps_are_within_the_error_that_they_say(folder, by):
    whole, made = in_pandas(folder), load(folder, exact_up_to=3)
    exact, found = whole.summary(by), made.summary(by)
    assert found.attrs["relative_error"] == RELATIVE_ERROR
    assert "within 0.1%" in found.attrs["percentiles"]
    names = found.index.get_level_values("metric")
    gaps = names.isin(["gap_ms", "read_gap_ms"])
    pd.testing.assert_frame_equal(found[~gaps], exact[~gaps])
    same = ["n", "max", "why"]
    pd.testing.assert_frame_equal(found[same], exact[same])
    for name in ("p50", "p90", "p99"):
        np.testing.assert_allclose(found[name], exact[name], rtol=RELATIVE_ERROR)
    assert not found[gaps].equals(exact[gaps])


def test_what_is_approximate_is_the_same_in_any_parts(folder):
    one, other = (load(folder, exact_up_to=3, max_part_bytes=size) for size in (1, 10**9))
    pd.testing.assert_frame_equal(one.summary("model_requested"), other.summary("model_requested"))


def test_an_approximate_recording_refuses_what_it_does_not_have(folder):
    made = load(folder, exact_up_to=3).collected("status", exact=False)
    assert isinstance(made, ApproximateRecording)
    with pytest.raises(ValueError, match="by 'status'"):
        made.summary("model")
    for ask in (lambda: made.as_dict("status"), lambda: made.stalls(5), lambda: made.deadline_miss_rate(5)):
        with pytest.raises(ValueError, match="fewer gaps"):
            ask()


def test_comparison_is_that_of_pandas(tmp_path):
    one = tapes(tmp_path / "one", count=8)
    other = tapes(tmp_path / "other", count=8, seed=2, slower=1.5)
    a, b = (load(each, max_part_bytes=1) for each in (one, other))
    expected = analysis.compare(analysis.load(one), analysis.load(other), by="host")
    found = compare(a, b, by="host")
    pd.testing.assert_frame_equal(found.quantiles, expected.quantiles)
    pd.testing.assert_frame_equal(found.effects, expected.effects)
    assert (found.verdict, found.paired) == (expected.verdict, expected.paired)
    assert compare(a, analysis.load(other), by="host").verdict == expected.verdict


def test_conditions_and_definitions_hold(folder):
    options = {
        "where": ["status=200", "model_requested=x|y"],
        "definitions": "vllm",
        "dialect": "openai-chat",
    }
    whole, made = analysis.load(folder, **options), load(folder, **options, max_part_bytes=1)
    pd.testing.assert_frame_equal(made.summary("status"), whole.summary("status"))
    assert made.definitions == "vllm"


@pytest.mark.parametrize("definitions", [None, "aiperf", "guidellm", "servebench", "vllm"])
def test_numbers_under_the_definitions_of_a_tool_are_those_of_pandas(folder, definitions):
    by = ["model_requested", "host"]
    whole = in_pandas(folder, definitions)
    near = load(folder, definitions=definitions, exact_up_to=3)
    expected, found = whole.summary(by), near.summary(by)
    pd.testing.assert_frame_equal(found, expected, rtol=RELATIVE_ERROR)
    pooled = definitions in ("servebench", "vllm")
    assert ("itl_ms" in found.attrs["percentiles"]) is pooled
    sketched = expected.index.get_level_values("metric").isin(["gap_ms", "read_gap_ms", *["itl_ms"] * pooled])
    pd.testing.assert_frame_equal(found[~sketched], expected[~sketched])
    collected = load(folder, definitions=definitions).collected(by)
    pd.testing.assert_frame_equal(collected.summary(by), expected)
    pd.testing.assert_frame_equal(collected.throughput(by), whole.throughput(by))
    pd.testing.assert_frame_equal(collected.outcomes(by), whole.outcomes(by))
    objectives = {"ttft_ms": 500, "gap_ms": 100}
    pd.testing.assert_frame_equal(collected.slo(by, **objectives), whole.slo(by, **objectives))


def test_tokens_are_counted_with_the_tokenizer_that_is_named(folder, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    words.save(str(tmp_path / "tokenizer.json"))
    options = {"tokens": f"tokenizers:{tmp_path / 'tokenizer.json'}"}
    whole, made = analysis.load(folder, **options), load(folder, **options, max_part_bytes=1)
    assert "tokenizer" in set(whole.streams["tokens_from"])
    pd.testing.assert_frame_equal(made.summary("status"), whole.summary("status"))


def test_requests_in_flight_are_read_of_all_parts_only_where_they_are_asked_for(folder, monkeypatch):
    from tokentape.analysis.dask import _partitions

    whole, made = in_pandas(folder), load(folder, max_part_bytes=1)
    assert whole.streams["in_flight"].max() > 1
    found = made.streams.groupby("in_flight")["bytes"].sum().compute()
    assert found.to_dict() == whole.streams.groupby("in_flight")["bytes"].sum().to_dict()
    monkeypatch.setattr(_partitions, "spans_of", None)
    assert made.streams["ttft_ms"].max().compute() == whole.streams["ttft_ms"].max()
    with pytest.raises(TypeError):
        load(folder).exchanges["in_flight"].compute()


def test_parquet_has_the_tables_of_pandas_and_the_types(folder, tmp_path):
    whole, made = in_pandas(folder), load(folder, max_part_bytes=1)
    assert made.to_parquet(tmp_path / "out") == ()
    for name in TABLES:
        path = tmp_path / "out" / f"{name}.parquet"
        found = pd.read_parquet(path)
        assert found.dtypes.astype("str").to_dict() == getattr(whole, name).dtypes.astype("str").to_dict()
        pd.testing.assert_frame_equal(plain(found), plain(getattr(whole, name)))
        assert len(list(path.iterdir())) == len(made.partitions)
    with pytest.raises(FileExistsError):
        made.to_parquet(tmp_path / "out")


def test_what_was_lost_comes_together(tmp_path):
    path = tapes(tmp_path / "some")
    hurt = records([(5 * MS, data(chunk({"content": "LOST"}))), (6 * MS, DONE)])
    damaged(write(path / "1-hurt.tape", hurt), b"LOST")
    (path / "2-torn.tape").write_bytes(write(path / "whole.tape", hurt).read_bytes()[:-5])
    whole = analysis.load(path)
    for size in (1, 10**9):
        made = load(path, max_part_bytes=size)
        assert made.lost == whole.lost
        made.summary()
        assert made.lost == whole.lost
        assert made.to_parquet(tmp_path / str(size)) == whole.lost
    assert len(whole.lost) == 3


def test_requests_that_have_a_number_twice_and_no_end_are_in_flight_as_in_pandas(tmp_path):
    pieces = [(5 * MS, data(chunk({"content": "a"}))), (9 * MS, data(chunk({"content": "b"})))]
    twice = [records(pieces[:size], exchange=1, end=None) for size in (2, 1)]
    path = write(tmp_path / "a.tape", *twice, records(pieces, exchange=2))
    whole, made = analysis.load(path), load(path, max_part_bytes=1)
    pd.testing.assert_series_equal(made.collected().concurrency(), whole.concurrency())
    found = made.exchanges["in_flight"].compute().reset_index(drop=True)
    pd.testing.assert_series_equal(found, whole.exchanges["in_flight"])


def test_empty_cassettes_have_tables_without_rows(tmp_path):
    made = load(write(tmp_path / "a.tape"))
    whole = analysis.load(tmp_path / "a.tape")
    pd.testing.assert_frame_equal(made.summary(), whole.summary())
    pd.testing.assert_frame_equal(made.summary("model"), whole.summary("model"))
    assert len(made.streams) == 0


def test_what_cannot_be_used_is_said_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="standard input"):
        load("-")
    with pytest.raises(cassette.Unreadable, match="found none"):
        load(tmp_path)
    with pytest.raises(ValueError, match="nope"):
        load("-", dialect="nope")
    (tmp_path / "text.tape").write_text("no cassette")
    with pytest.raises(cassette.NotACassette):
        load(tmp_path, max_part_bytes=1)
    with pytest.raises(cassette.NotACassette):
        load(tmp_path).summary()


def test_only_the_columns_that_are_asked_for_are_made(folder, monkeypatch):
    from tokentape.analysis import _tables

    made, frame, seen = load(folder), _tables.frame, []
    monkeypatch.setattr(
        _tables, "frame", lambda columns, types: (seen.append([*types]), frame(columns, types))[1]
    )
    made.streams["ttft_ms"].max().compute()
    assert seen == [["ttft_ms"]] * 3
    seen.clear()
    counts = made.exchanges["in_flight"].compute()
    assert counts.tolist() == in_pandas(folder).exchanges["in_flight"].tolist()
    assert ["exchange"] in seen  # how many rows there are
    seen.clear()
    made.summary()
    assert len(seen) == 3 * len(TABLES)
    assert not any("text" in names for names in seen)


def test_what_is_read_is_read_once_whatever_is_computed_of_it(folder, monkeypatch):
    from tokentape.analysis.loading import _parts

    made, load_one, seen = load(folder), _parts.load_one, []
    monkeypatch.setattr(
        _parts, "load_one", lambda *arguments: (seen.append(arguments[0]), load_one(*arguments))[1]
    )
    made.streams[["model", "ttft_ms", "bytes"]].compute()
    assert len(seen) == 6
    for more in (made.streams[["model", "in_flight"]], made.streams):
        seen.clear()
        more.compute()
        assert len(seen) == 12  # and before for the times of all requests


def test_another_file_of_the_same_name_is_another_partition(tmp_path):
    path = write(tmp_path / "a.tape", records([(5, DONE)]))
    names = {load(path).streams._name}
    path.unlink()
    write(path, records([(5, DONE)]), records([(5, DONE)], exchange=1))
    names.add(load(path).streams._name)
    assert len(names) == 2
