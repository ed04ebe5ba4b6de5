"""What a server has done, as a snapshot and as JSON."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.recordings import exchange, tape
from tokentape.replay import LatenessSummary, Missed, Served, Server, Stats, load
from tokentape.replay._stats import Rows
from tokentape.replay.faults import FaultHits
from tokentape.replay.serving._requests import IncomingRequest


def row(number, times):
    return Served(method="POST", path=f"/{number}", status=200, source=f"exchange {number}", times=times)


TIMES = st.lists(st.integers(0, 3), max_size=8)


@given(TIMES, TIMES, st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 3))
def test_rows_are_what_a_tuple_of_them_would_be(times, gone, start, stop, step):
    more = tuple(row(100 + number, count) for number, count in enumerate(gone))
    rows = Rows(times, row, more=more)
    expected = (*(row(number, count) for number, count in enumerate(times)), *more)
    assert (len(rows), tuple(rows)) == (len(expected), expected)
    assert rows.times == [each.times for each in expected]
    assert rows[start:stop:step] == expected[start:stop:step]
    assert rows == expected
    assert rows == Rows(times, row, more=more)
    assert (hash(rows), repr(rows)) == (hash(expected), repr(expected))
    assert (rows == expected[:-1]) is (not expected)
    for index in range(-len(expected) - 1, len(expected) + 1):
        if -len(expected) <= index < len(expected):
            assert rows[index] == expected[index]
        else:
            with pytest.raises(IndexError):
                rows[index]
    stats, plain = Stats(served=rows), Stats(served=expected)
    assert (stats, stats.hits, stats.never_played) == (plain, plain.hits, plain.never_played)
    assert stats.as_json() == plain.as_json()


def test_no_row_is_made_before_somebody_looks():
    made = []
    stats = Stats(served=Rows([0, 2, 1], lambda number, times: made.append(number) or row(number, times)))
    assert (stats.hits, len(stats.served)) == (3, 3)
    assert made == []
    assert len(stats.as_json(limit=1)["served"]) == 1
    assert made == [0]


def test_a_snapshot_can_be_sent_to_another_process():
    stats = Stats(served=Rows([0, 2], lambda number, times: row(number, times or 0), more=(row(2, 1),)))
    assert pickle.loads(pickle.dumps(stats)) == stats


def test_a_snapshot_does_not_change(tmp_path):
    server = Server(load(tape(tmp_path / "a.tape", exchange(body=b"x"))))
    before = server.stats
    request = IncomingRequest(
        method="POST", target=b"/v1/chat/completions", http_version="1.1", body=b"x", keep_alive=True
    )
    server._answering.reply_to(request)
    assert (before.hits, server.stats.hits) == (0, 1)
    server.reset()
    assert server.stats == before


ANY = Stats(
    served=(row(0, 1), row(1, 0)),
    missed=(Missed(method="GET", path="/x", times=2),),
    misses=2,
    lateness=LatenessSummary(pieces=7, p50_ns=1_000, p99_ns=123_456_000, max_ns=123_456_789_123),
    cut_off=1,
    models_listed=3,
    speed=0.1,
    faults=(FaultHits(fault="drop-done", times=4),),
)


@pytest.mark.parametrize("stats", [ANY, Stats()])
def test_it_comes_back_from_json(stats):
    assert Stats.from_json(json.loads(json.dumps(stats.as_json()))) == stats


def test_json_has_every_field():
    found = ANY.as_json()
    assert set(Stats.__dataclass_fields__) - {"lateness"} <= set(found)
    assert {name for name in LatenessSummary.__dataclass_fields__ if not name.endswith("_ns")} <= set(found)
    assert (found["hits"], found["exchanges"], found["never_played"], found["pieces"]) == (1, 2, 1, 7)
    assert found["lateness_ms"] == {"p50": 0.001, "p99": 123.456, "max": 123456.789123}
