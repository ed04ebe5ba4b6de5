"""What has no name of its own: an answer that failed names no model, and is still that model's failure."""

import json

import dask
import pandas as pd
import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tokentape.analysis import compare, load
from tokentape.analysis import dask as analysis_dask
from tokentape.analysis.report._views import facets_of, views_of
from tokentape.analysis.summarising._grouping import models_by_request


def answered(number, asked, model, *, status=200, first=100):
    """Three tokens of a model; without a name where `model` is None."""
    said = [chunk({"content": "a"}, finish) for finish in (None, None, "stop")]
    for each in said:
        each["model"] = model
    pieces = [((first + 10 * at * (number + 1)) * MS, data(each)) for at, each in enumerate(said)]
    body = json.dumps({"model": asked, "n": number} if asked else {"n": number}).encode()
    if status != 200:
        pieces = [(MS, b'{"error":{"message":"no"}}')]
    end = [(900 * MS, DONE)] if status == 200 else []
    return records(
        [*pieces, *end], exchange=number, status=status, body=body,
        content_type="text/event-stream" if status == 200 else "application/json",
    )  # fmt: skip


EXCHANGES = [
    answered(0, "gpt", "gpt-1"),
    answered(1, "gpt", None, status=500),
    answered(2, "gpt", "gpt-2"),
    answered(3, "gpt", "gpt-2"),
    answered(4, "even", "b"),
    answered(5, "even", "a"),
    answered(6, "even", None),
    answered(7, "down", None, status=500),
    answered(8, None, None),
    answered(9, "gpt", None),
]
SENT = {"a": 2, "b": 1, "down": 1, "gpt-1": 1, "gpt-2": 4, "": 1}


@pytest.fixture
def made(tmp_path):
    return load(write(tmp_path / "a.tape", *EXCHANGES))


def test_answer_without_a_model_is_with_the_model_that_most_answers_to_its_request_name(made):
    assert models_by_request(made.streams) == {"gpt": "gpt-2", "even": "a"}
    assert made.outcomes("model").loc[("gpt-2", "http-error"), "streams"] == 1
    assert {name: each["streams"] for name, each in made.as_dict("model")["summary"].items()} == SENT
    assert made.streams["model"].isna().sum() == 5


def test_failures_of_a_model_count_where_it_is_asked_for(made):
    found = made.slo("model", ttft_ms=500)
    assert found.loc["gpt-2", ["sent", "met", "attainment"]].tolist() == [4, 3, 0.75]
    assert found.loc["down", "attainment"] == 0
    both = made.slo(["model", "model_requested"], ttft_ms=500)
    assert both.loc[("gpt-2", "gpt"), "sent"] == 4
    assert both.loc[("down", "down"), "sent"] == 1
    failed = compare(made, made, by="model").failures
    assert failed.loc["gpt-2", ["failed_b", "n_b"]].tolist() == [1, 4]


def test_groups_have_their_streams_as_they_are(made):
    found = made.summary("model").xs("gap_ms", level="metric")["n"]
    assert found.loc["gpt-2"] == 6
    assert made.throughput("model").loc["gpt-2", "requests"] == 3


def test_a_view_of_a_page_has_the_failures_of_its_model(made):
    (facet, *_) = facets_of([made.streams], [])
    assert facet.name == "model"
    assert {each.name: each.streams for each in facet.options} == {
        name or "(none)": count for name, count in SENT.items()
    }
    masks = views_of(made.streams, [facet])
    (view,) = [each.view for each in facet.options if each.name == "gpt-2"]
    assert made.streams["outcome"][masks[view]].tolist().count("http-error") == 1


@pytest.mark.parametrize("by", ["model", ["model"], ["model", "model_requested"], ["outcome", "model"]])
def test_dask_names_the_groups_that_only_all_parts_know(tmp_path, by):
    for number, each in enumerate(EXCHANGES):
        write(tmp_path / f"{number}.tape", each)
    whole = load(tmp_path)
    with dask.config.set(scheduler="synchronous"):
        exact = analysis_dask.load(tmp_path, max_part_bytes=1)
        pd.testing.assert_frame_equal(exact.summary(by), whole.summary(by))
        found = analysis_dask.load(tmp_path, max_part_bytes=1, exact_up_to=1).summary(by)
    assert found.attrs["relative_error"]
    pd.testing.assert_frame_equal(found[["n", "max"]], whole.summary(by)[["n", "max"]])
    pd.testing.assert_frame_equal(found, whole.summary(by), rtol=0.001, check_exact=False)
