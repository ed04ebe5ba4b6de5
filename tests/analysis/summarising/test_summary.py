import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, usage_chunk, write
from tokentape.analysis import GROUPINGS, load
from tokentape.analysis.measuring._metrics import percentile
from tokentape.analysis.summarising._summary import METRICS, PER_TOKEN
from tokentape.dialects import OUTCOMES


def spoken(exchange, times, model, finish="stop"):
    body = f'{{"model":"{model}"}}'.encode()
    pieces = [(ns * MS, data(chunk({"content": "a"}))) for ns in times]
    end = [(times[-1] * MS, data(chunk(finish=finish))), (times[-1] * MS, DONE)] if finish else []
    return records([*pieces, *end], exchange=exchange, body=body)


@pytest.fixture
def made(tmp_path):
    exchanges = [
        spoken(0, [100, 110, 130], "a"),
        spoken(1, [200, 240], "a"),
        spoken(2, [300, 400, 500, 600], "模型"),
        spoken(3, [400, 900], "a", finish=None),
        records([(50 * MS, data(chunk({"role": "assistant"}, "stop")))], exchange=4, body=b'{"model":"b"}'),
    ]
    return load(write(tmp_path / "a.tape", *exchanges))


def test_percentiles_are_of_all_streams_and_of_all_gaps(made):
    summary = made.summary()
    ttft, gaps = [100, 200, 300, 400], [10, 20, 40, 100, 100, 100, 500]
    assert summary["n"].loc[["ttft_ms", "gap_ms", "e2e_ms"]].tolist() == [4, 7, 3]
    for percent in (50, 90, 99):
        assert summary.loc["ttft_ms", f"p{percent}"] == pytest.approx(np.percentile(ttft, percent), rel=1e-15)
        assert summary.loc["gap_ms", f"p{percent}"] == pytest.approx(np.percentile(gaps, percent), rel=1e-15)
    assert summary["max"].loc[["ttft_ms", "gap_ms"]].tolist() == [400, 500]
    assert summary.loc["output_tokens", "p50"] == 2.5


def test_outcomes_are_counted_also_those_that_did_not_occur(made):
    outcomes = made.outcomes()["streams"]
    assert outcomes.index.tolist() == list(OUTCOMES)
    assert outcomes.loc[["complete", "truncated", "http-error"]].tolist() == [4, 1, 0]
    by_model = made.outcomes("model_requested")["streams"]
    assert by_model.loc[[("a", "complete"), ("a", "truncated"), ("b", "complete")]].tolist() == [2, 1, 1]
    assert by_model.sum() == outcomes.sum() == 5


def test_groups_have_their_own_streams_and_gaps(made):
    summary = made.summary("model_requested")
    assert summary.index.names == ["model_requested", "metric"]
    assert summary.index.unique(0).tolist() == ["a", "b", "模型"]
    gaps = summary.xs("gap_ms", level="metric")
    assert gaps["n"].tolist() == [4, 0, 3]
    assert gaps["max"].tolist()[::2] == [500, 100]
    assert summary.xs("ttft_ms", level="metric")["p50"].tolist()[::2] == [200, 300]


def test_groups_by_several_columns_have_a_level_for_each(made):
    by = ["model_requested", "outcome"]
    summary = made.summary(by)
    assert summary.index.names == [*by, "metric"]
    assert summary.index.droplevel("metric").unique().tolist() == [
        ("a", "complete"),
        ("a", "truncated"),
        ("b", "complete"),
        ("模型", "complete"),
    ]
    assert summary.loc[("a", "truncated", "gap_ms"), ["n", "max"]].tolist() == [1, 500]
    assert summary.loc[("a", "complete", "gap_ms"), ["n", "max"]].tolist() == [3, 40]
    outcomes = made.outcomes(by)["streams"]
    assert (outcomes.sum(), outcomes[("a", "truncated", "truncated")]) == (5, 1)
    nested = made.as_dict(by)["summary"]
    assert {name: list(inner) for name, inner in nested.items()} == {
        "a": ["complete", "truncated"],
        "b": ["complete"],
        "模型": ["complete"],
    }
    assert nested["a"]["truncated"]["ttft_ms"]["p50"] == 400
    assert made.summary(["model_requested"]).equals(made.summary("model_requested"))
    assert made.summary([]).equals(made.summary())


@pytest.mark.parametrize(
    ("first", "second"), [("hour", "model"), ("status", "route"), ("cache_hit", "choice")]
)
def test_groups_by_two_things_share_out_all_streams_and_gaps(made, first, second):
    found = made.summary([first, second])["n"]
    for metric, n in made.summary()["n"].items():
        assert found.xs(metric, level="metric").sum() == n


def test_gaps_are_given_with_those_inside_a_read_and_without(tmp_path):
    five = b"".join(data(chunk({"content": "a"})) for _ in range(5))
    made = load(write(tmp_path / "a.tape", records([(ns * MS, five) for ns in (200, 300, 450)])))
    summary = made.summary()
    assert summary.loc["gap_ms", ["n", "p50", "max"]].tolist() == [14, 0, 150]
    assert summary.loc["read_gap_ms", ["n", "p50", "max"]].tolist() == [2, 125, 150]
    # without those inside a read, gaps between events are the gaps between reads: the same numbers
    between_reads = made.reads["read_gap_ms"].dropna().tolist()
    assert made.events.loc[~made.events["coalesced"], "gap_ms"].dropna().tolist() == between_reads
    assert made.events["read_gap_ms"].dropna().tolist() == between_reads == [100, 150]


def test_a_column_twice_is_no_grouping(made):
    with pytest.raises(ValueError, match="'model' twice"):
        made.summary(["model", "model"])
    with pytest.raises(ValueError, match=r"label.NAME\), found 'nope'"):
        made.summary(["model", "nope"])


def test_columns_are_plain_pandas(made):
    found = made.streams.ttft_ms.describe()
    assert found[["count", "min", "50%", "max"]].tolist() == [4, 100, 250, 400]
    assert made.streams.groupby("model_requested", observed=True).ttft_ms.median()["a"] == 200
    assert made.streams.output_tokens.sum() == 11
    assert made.streams.started_at.dt.tz is not None


def test_what_is_missing_in_a_group_says_why(made):
    rows = made.summary("model_requested").loc["b"]
    assert rows.loc["ttft_ms", ["n", "why"]].tolist() == [0, "role-only"]
    assert rows.loc["gap_ms", ["n", "why"]].tolist() == [0, "role-only"]
    assert np.isnan(rows.loc["ttft_ms", "p50"])


def test_how_tokens_are_known_is_said_where_that_is_in_several_ways(tmp_path):
    def stream(exchange, *more):
        pieces = [
            (100 * MS, data(chunk({"content": "a"}))),
            (120 * MS, data(chunk({"content": "b"}, "stop"))),
        ]
        return records(
            [*pieces, *((130 * MS, data(each)) for each in more), (140 * MS, DONE)], exchange=exchange
        )

    billed, counted = stream(0, usage_chunk(3, 2)), stream(1)
    for name, exchanges, why in (("billed", [billed], None), ("both", [billed, counted], "chunks+usage")):
        rows = load(write(tmp_path / f"{name}.tape", *exchanges)).summary()
        for metric in METRICS:
            said = rows["why"].where(rows["why"].notna(), None).loc[metric]
            assert said == (why if metric in PER_TOKEN else None)


def test_shape_is_the_same_for_every_grouping(made, tmp_path):
    empty = load(write(tmp_path / "empty.tape"))
    types = made.summary().dtypes.to_dict()
    assert list(types) == ["n", "p50", "p90", "p99", "max", "why"]
    for by in GROUPINGS:
        assert made.summary(by).dtypes.to_dict() == types, by
        assert empty.summary(by).dtypes.to_dict() == types, by
        assert set(made.summary(by).index.get_level_values("metric")) == set(METRICS), by
        assert len(empty.summary(by)) == len(empty.outcomes(by)) == 0, by
        assert made.outcomes(by)["streams"].sum() == 5, by
    assert empty.summary()["why"].tolist() == ["no-streams"] * len(METRICS)


def test_group_without_a_name_is_a_group(tmp_path):
    exchanges = [spoken(0, [100, 110], "a"), records([(5, b"data: x\n\n")], exchange=1, body=b"", path=b"/x")]
    made = load(write(tmp_path / "a.tape", *exchanges))
    gaps = made.summary("model_requested").xs("gap_ms", level="metric")
    assert gaps["n"].tolist() == [1, 0]
    assert gaps.index.isna().tolist() == [False, True]
    assert list(made.as_dict("model_requested")["summary"]) == ["a", ""]


def test_an_exchange_number_that_was_used_twice_has_no_gaps_in_any_group(tmp_path):
    twice = spoken(0, [100, 110], "a"), spoken(0, [100, 110, 120], "b")
    made = load(write(tmp_path / "a.tape", *twice, spoken(1, [100, 130], "a")))
    summary = made.summary("model_requested")
    assert made.summary().loc["gap_ms", ["n", "max"]].tolist() == [1, 30]
    assert summary.xs("gap_ms", level="metric")["n"].to_dict() == {"a": 1, "b": 0}


def test_an_empty_label_is_no_name_of_a_group(tmp_path):
    empty = replace(SECTION, labels={"env": ""})
    made = load(write(tmp_path / "a.tape", spoken(0, [100], "a"), [empty], spoken(0, [100, 120], "a")))
    assert made.as_dict("label.env")["summary"][""]["streams"] == 2
    assert made.summary("label.env").index.get_level_values("label.env").isna().all()


def test_file_given_twice_does_not_double_the_summary(tmp_path):
    path = write(tmp_path / "a.tape", spoken(0, [100, 110, 130], "a"))
    for by in (None, "model_requested"):
        assert load([path, path]).summary(by).equals(load(path).summary(by))


def test_measurement_is_no_group(made):
    for table in (made.summary, made.outcomes, made.as_dict):
        with pytest.raises(ValueError, match=r"model_requested.*'ttft_ms'"):
            table("ttft_ms")


def test_printed_summary_has_every_number_in_it(made):
    for printed in (str(made.summary()), str(made.summary("model_requested").round(1))):
        assert "..." not in printed
        assert all(name in printed for name in (*METRICS, "p50", "p90", "p99", "max", "why"))


def test_summary_is_json_by_the_groups_name(made):
    summary = made.as_dict("model_requested")["summary"]
    assert list(summary) == ["a", "b", "模型"]
    row = {"n": 0, "p50": None, "p90": None, "p99": None, "max": None, "why": "role-only"}
    assert summary["b"]["ttft_ms"] == row
    everything = made.as_dict()["summary"]
    assert list(everything) == ["streams", "outcomes", "throughput", *METRICS]
    assert everything["streams"] == 5
    assert everything["outcomes"] == made.outcomes()["streams"].to_dict()
    assert everything["ttft_ms"]["p50"] == 250
    json.dumps(everything)


def test_whole_numbers_of_tokens_are_integers_in_json(made):
    tokens = made.as_dict()["summary"]["output_tokens"]
    assert (tokens["p50"], tokens["max"]) == (2.5, 4)
    assert type(tokens["max"]) is int


@given(st.lists(st.integers(0, 10**12), min_size=1), st.sampled_from([50, 90, 99]))
def test_percentile_is_numpys(values, percent):
    assert percentile(sorted(values), percent) == pytest.approx(np.percentile(values, percent), rel=1e-12)


@given(st.integers(2**53, 2**62), st.integers(1, 5))
def test_percentile_that_falls_on_a_value_is_that_value(value, above):
    assert percentile([value - 1, value, value + above], 50) == value
