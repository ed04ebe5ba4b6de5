"""How many requests were under way, against counting them at every moment."""

import msgspec
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, write
from tokentape.analysis import load
from tokentape.analysis._recording import Recording, with_in_flight
from tokentape.analysis.summarising._in_flight import concurrency

TOKEN = data(chunk({"content": "a"}))


def moved(made, ns):
    """Records so much later."""
    return [
        msgspec.structs.replace(
            record,
            t=record.t + ns,
            **({"t_end": record.t_end + ns} if hasattr(record, "t_end") else {}),
        )
        for record in made
    ]


def spoken(number, start_ms, length_ms, **options):
    return moved(
        records([(length_ms * MS, TOKEN + DONE)], exchange=number, headers_ns=1, **options), start_ms * MS
    )


def test_each_request_has_those_under_way_when_it_was_sent_itself_too(tmp_path):
    made = load(
        write(
            tmp_path / "a.tape",
            spoken(0, 0, 100),
            spoken(1, 50, 100),
            spoken(2, 100, 100),  # the first ends in the nanosecond in which this one begins
            spoken(3, 300, 10),
        )
    )
    assert made.exchanges["in_flight"].tolist() == [1, 2, 2, 1]
    assert made.streams["in_flight"].tolist() == [1, 2, 2, 1]
    assert made.concurrency().tolist() == [1, 2, 1, 0, 1, 0]
    assert made.summary("in_flight").xs("ttft_ms", level="metric")["n"].tolist() == [2, 2]
    names = made.summary("concurrency").index.unique(0).tolist()
    assert names == ["1", "2-3"]


def test_every_choice_of_an_answer_has_its_requests_number(tmp_path):
    both = TOKEN + data(chunk({"content": "b"}, index=1)) + DONE
    made = load(
        write(tmp_path / "a.tape", records([(100 * MS, both)]), records([(90 * MS, both)], exchange=1))
    )
    assert made.streams["in_flight"].tolist() == [2, 2, 2, 2]
    assert str(made.streams["in_flight"].dtype) == "Int64"


def test_a_request_without_an_end_is_under_way_until_its_last_read(tmp_path):
    pieces = [(100 * MS, TOKEN), (700 * MS, TOKEN)]
    killed = records(pieces, end=None)
    made = load(write(tmp_path / "a.tape", killed, spoken(1, 650, 200)))
    flight = made.concurrency()
    assert flight.tolist() == [1, 2, 1, 0]
    assert (flight.index[2] - flight.index[0]) == pd.Timedelta(700, "ms")
    assert made.exchanges["in_flight"].tolist() == [1, 2]


@pytest.mark.parametrize(("pieces", "status", "last_ms"), [([], 200, 30), ([], None, 0)])
def test_one_without_a_read_is_under_way_until_its_response(tmp_path, pieces, status, last_ms):
    flight = load(
        write(tmp_path / "a.tape", records(pieces, status=status, end=None), spoken(1, 400, 1))
    ).concurrency()
    assert flight.iloc[0] == (1 if last_ms else 0)
    assert (flight == 0).idxmax() - flight.index[0] == pd.Timedelta(last_ms, "ms")


def test_a_request_without_a_time_of_day_is_not_counted(tmp_path):
    undated = msgspec.structs.replace(SECTION, wall_ns=0)
    path = tmp_path / "a.tape"
    write(path, spoken(0, 0, 100), [undated], spoken(0, 0, 100))
    made = load(path)
    assert made.exchanges["in_flight"].isna().tolist() == [False, True]
    assert made.exchanges["in_flight"].iloc[0] == 1
    assert made.concurrency().max() == 1


def test_all_that_is_loaded_counts_together_and_nothing_else(tmp_path):
    one = write(tmp_path / "a.tape", spoken(0, 0, 100), spoken(1, 10, 10, body=b'{"model":"other"}'))
    other = write(tmp_path / "b.tape", spoken(0, 5, 100))
    assert load([one, other]).exchanges["in_flight"].tolist() == [1, 3, 2]
    assert load([one, other], where="model_requested!=other").exchanges["in_flight"].tolist() == [1, 2]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), max_size=12))
def test_counts_are_those_of_looking_at_every_request(spans):
    start = pd.Timestamp("2026-09-21", tz="UTC").as_unit("ns")
    exchanges = pd.DataFrame(
        {
            "started_at": pd.Series([start + pd.Timedelta(at, "ms") for at, _ in spans]).astype(
                "datetime64[ns, UTC]"
            ),
            "end_ms": pd.Series([length for _, length in spans], dtype="float64"),
            "first_byte_ms": 0.0,
            "headers_ms": 0.0,
            "streams": 1,
        }
    )
    none = pd.DataFrame()
    found = with_in_flight(Recording(exchanges=exchanges, streams=exchanges, events=none, reads=none))
    expected = [
        sum((other <= at < other + length) or place == number for place, (other, length) in enumerate(spans))
        for number, (at, _) in enumerate(spans)
    ]
    assert found.exchanges["in_flight"].tolist() == found.streams["in_flight"].tolist() == expected
    flight = concurrency(exchanges, none)
    assert flight.diff().iloc[1:].ne(0).all()
    assert len(flight) or not spans
    for moment, count in flight.items():
        at = (moment - start) / pd.Timedelta(1, "ms")
        assert count == sum(other <= at < other + length for other, length in spans)
