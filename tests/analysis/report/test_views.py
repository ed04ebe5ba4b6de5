"""A view is the recording of its streams: all that is theirs, and nothing of others."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analysis.report.recordings import pieces
from tests.analysis.tapes import DONE, MS, chunk, data, records, usage_chunk, write
from tokentape.analysis import Recording, load
from tokentape.analysis.report._views import MOST_VALUES, NO_VALUE, Parts, facets_of, views_of

KEY = ["cassette", "section", "exchange"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Two cassettes with the same numbers in them, and an answer with two choices in each."""
    folder = tmp_path_factory.mktemp("views")
    both = [(at * 10 * MS, data(chunk({"content": "a"}, index=at % 2))) for at in range(8)]
    both += [(90 * MS, data(chunk({}, "stop"))), (91 * MS, data(usage_chunk(1, 8))), (92 * MS, DONE)]
    for name in ("a", "b"):
        write(
            folder / f"{name}.tape",
            records(both, exchange=0),
            records(pieces("m-2", 30, 7, 5), exchange=1),
            records([], exchange=2, status=500),
        )
    return load(folder)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(chosen=st.lists(st.booleans(), min_size=8, max_size=8))
def test_a_part_has_all_of_its_streams_and_nothing_of_others(recording: Recording, chosen: list[bool]):
    mask = np.array(chosen)
    part = Parts(recording).of(mask)
    streams = recording.streams[mask]
    assert part.streams[[*KEY, "choice"]].to_numpy().tolist() == streams[[*KEY, "choice"]].to_numpy().tolist()
    exchanges = {tuple(row) for row in streams[KEY].to_numpy().tolist()}
    own = {tuple(row) for row in streams[[*KEY, "choice"]].to_numpy().tolist()}
    for name in ("exchanges", "reads"):
        table = getattr(recording, name)
        expected = [row for row in table[KEY].to_numpy().tolist() if tuple(row) in exchanges]
        assert getattr(part, name)[KEY].to_numpy().tolist() == expected
    events = recording.events[[*KEY, "choice", "event"]].astype("object").to_numpy().tolist()
    expected = [
        row[4] for row in events if tuple(row[:3]) in exchanges and (row[3] is pd.NA or tuple(row[:4]) in own)
    ]
    assert part.events["event"].tolist() == expected


def test_each_value_has_a_view_and_the_only_one_has_none(recording: Recording):
    facets = {facet.name: facet for facet in facets_of([recording.streams], ["host"])}
    assert list(facets) == ["host", "model", "outcome", "route", "cassette"]
    assert [value.view for value in facets["host"].options] == [None]
    assert {value.name: value.streams for value in facets["model"].options} == {
        "m-1": 4, "m-2": 2, NO_VALUE: 2,
    }  # fmt: skip
    masks = views_of(recording.streams, tuple(facets.values()))
    for facet in facets.values():
        for value in facet.options:
            assert value.view is None or masks[value.view].sum() == value.streams


def test_rare_values_are_counted_and_not_listed(tmp_path):
    many = load(
        write(tmp_path / "many.tape", *(records(pieces(f"m-{n}", 9, 9, 3), exchange=n) for n in range(12)))
    )
    (facet,) = (each for each in facets_of([many.streams], []) if each.name == "model")
    assert len(facet.options) == MOST_VALUES
    assert facet.more == 12 - MOST_VALUES
