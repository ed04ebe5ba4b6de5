import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tokentape.analysis import GROUPINGS, load
from tokentape.analysis._metrics import percentile


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
    row = made.summary().loc["all"]
    ttft, gaps = [100, 200, 300, 400], [10, 20, 40, 100, 100, 100, 500]
    assert (row["ttft_n"], row["gap_n"], row["streams"]) == (4, 7, 5)
    for percent in (50, 90, 99):
        assert row[f"ttft_p{percent}_ms"] == pytest.approx(np.percentile(ttft, percent), rel=1e-15)
        assert row[f"gap_p{percent}_ms"] == pytest.approx(np.percentile(gaps, percent), rel=1e-15)
    assert (row["ttft_max_ms"], row["gap_max_ms"]) == (400, 500)
    assert row["e2e_n"] == 3
    assert row["output_tokens_p50"] == 2.5


def test_outcomes_are_counted_also_those_that_did_not_occur(made):
    row = made.summary().loc["all"]
    assert (row["outcome_complete"], row["outcome_truncated"], row["outcome_http-error"]) == (4, 1, 0)


def test_groups_have_their_own_streams_and_gaps(made):
    summary = made.summary("model_requested")
    assert summary.index.tolist() == ["a", "b", "模型"]
    assert summary.index.name == "model_requested"
    assert summary["streams"].tolist() == [3, 1, 1]
    assert summary["gap_n"].tolist() == [4, 0, 3]
    assert summary["gap_max_ms"].tolist()[::2] == [500, 100]
    assert summary["ttft_p50_ms"].tolist()[::2] == [200, 300]


def test_what_is_missing_in_a_group_says_why(made):
    row = made.summary("model_requested").loc["b"]
    assert np.isnan(row["ttft_p50_ms"])
    assert (row["ttft_n"], row["ttft_why"], row["gap_why"]) == (0, "role-only", "role-only")


def test_columns_are_the_same_for_every_grouping(made, tmp_path):
    columns = made.summary().columns.tolist()
    empty = load(write(tmp_path / "empty.tape"))
    for by in GROUPINGS:
        assert made.summary(by).columns.tolist() == columns, by
        assert empty.summary(by).columns.tolist() == columns, by
    assert empty.summary().loc["all", "ttft_why"] == "no-streams"


def test_group_without_a_name_is_a_group(tmp_path):
    exchanges = [spoken(0, [100, 110], "a"), records([(5, b"data: x\n\n")], exchange=1, body=b"", path=b"/x")]
    summary = load(write(tmp_path / "a.tape", *exchanges)).summary("model_requested")
    assert summary["streams"].tolist() == [1, 1]
    assert summary["gap_n"].tolist() == [1, 0]


def test_measurement_is_no_group(made):
    with pytest.raises(ValueError, match=r"model_requested.*'ttft_ms'"):
        made.summary("ttft_ms")


def test_summary_is_json_by_the_groups_name(made):
    summary = made.as_dict("model_requested")["summary"]
    assert list(summary) == ["a", "b", "模型"]
    assert (summary["b"]["ttft_p50_ms"], summary["b"]["ttft_why"]) == (None, "role-only")
    assert made.as_dict()["summary"]["streams"] == 5


@given(st.lists(st.integers(0, 10**12), min_size=1), st.sampled_from([50, 90, 99]))
def test_percentile_is_numpys(values, percent):
    assert percentile(sorted(values), percent) == pytest.approx(np.percentile(values, percent), rel=1e-12)


@given(st.integers(2**53, 2**62), st.integers(1, 5))
def test_percentile_that_falls_on_a_value_is_that_value(value, above):
    assert percentile([value - 1, value, value + above], 50) == value
