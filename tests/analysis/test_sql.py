"""Queries over the tables: types both ways, and nothing but the tables in reach."""

import subprocess
import sys

import pandas as pd
import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, usage_chunk, write
from tokentape.analysis import load

duckdb = pytest.importorskip("duckdb")

PIECES = [
    (200 * MS, data(chunk({"content": "a"}))),
    (230 * MS, data(chunk({"content": "b"}, "stop"))),
    (240 * MS, data(usage_chunk(9, 2))),
    (241 * MS, DONE),
]


@pytest.fixture
def made(tmp_path):
    return load(
        write(
            tmp_path / "a.tape",
            records(PIECES, body=b'{"model":"a"}'),
            records([(300 * MS, data(chunk({"content": "a"})))], exchange=1, body=b'{"model":"b"}'),
            records([], exchange=2, status=None, end="client-closed"),
        )
    )


def test_a_query_groups_streams(made):
    found = made.sql(
        "select model_requested, median(ttft_ms) as p50, count(*) as n from streams group by all order by all"
    )
    assert found["model_requested"].tolist() == ["a", "asked-for", "b"]
    assert found["p50"].tolist()[::2] == [200, 300]
    assert found["n"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("table", ["exchanges", "streams", "events", "reads"])
def test_tables_come_through_with_their_types_and_what_is_missing(made, table):
    expected = getattr(made, table)
    found = made.sql(f"select * from {table}")
    assert found.columns.tolist() == expected.columns.tolist()
    assert found.isna().equals(expected.isna())
    for name, dtype in expected.dtypes.items():
        given = expected[name].dropna()
        assert found[name].dropna().astype(dtype).tolist() == given.tolist(), name
        if str(dtype) in ("Int64", "float64", "boolean", "datetime64[ns, UTC]"):
            assert str(found[name].dtype) == str(dtype), name


def test_times_of_day_are_exact_and_utc(made):
    (moment,) = made.sql("select started_at from streams where exchange = 0")["started_at"]
    assert moment == pd.Timestamp("2026-09-21T14:13:27.000000123Z")
    (hour,) = made.sql("select distinct date_trunc('hour', started_at) as hour from streams")["hour"]
    assert hour == pd.Timestamp("2026-09-21T14:00Z")


def test_sums_are_integers_and_too_large_ones_floats(made):
    found = made.sql(
        "select sum(output_tokens) as s, sum(prompt_tokens) as p, 1e30::hugeint as h from streams"
    )
    assert (found["s"].dtype, found["s"].tolist()) == (pd.Int64Dtype(), [3])
    assert found["p"].tolist() == [9]
    assert found["h"].tolist() == [1e30]
    assert made.sql("select sum(prompt_tokens) as p from streams where false")["p"].isna().tolist() == [True]


def test_missing_is_null_also_in_a_column_without_any_value(made):
    assert made.sql("select count(*) as n from streams where cached_tokens is null")["n"].tolist() == [3]
    assert made.sql("select count(itl_ms) as n from streams")["n"].tolist() == [1]
    for column in ("content_encoding", "error", "first_byte_ms_why"):
        assert made.sql(f"select 1 from exchanges where {column} = 'nope'").empty


def test_an_empty_recording_can_be_asked(tmp_path):
    empty = load(write(tmp_path / "a.tape"))
    assert empty.sql("select * from streams where model = 'a' and itl_ms_why = 'role-only'").empty
    assert empty.sql("select count(*) as n from events")["n"].tolist() == [0]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("select nope from streams", 'Referenced column "nope" not found'),
        ("selec 1", "syntax error"),
        ("select * from mine", "mine does not exist"),
        ("", "expected a query"),
        ("from '{here}/a.csv'", "disabled (by|through) configuration"),
        ("copy streams to '{here}/b.csv'", "disabled (by|through) configuration"),
        ("attach '{here}/c.db'", "disabled (by|through) configuration"),
        ("set enable_external_access = true", "has been locked"),
    ],
)
def test_a_query_that_cannot_be_is_one_line_and_reaches_nothing(made, tmp_path, query, says):
    mine = pd.DataFrame({"a": [1]})
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match=says) as raised:
        made.sql(query.format(here=tmp_path))
    assert "\n" not in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.tape"]
    assert len(mine) == 1


def test_a_query_changes_nothing(made):
    made.sql("create table streams2 as from streams; drop view reads; select 1")
    assert made.sql("from reads").shape[0] == len(made.reads)
    with pytest.raises(ValueError, match="streams2"):
        made.sql("from streams2")


def test_packages_that_are_extras_are_loaded_when_they_are_asked_for():
    code = (
        "import sys, tokentape.analysis; "
        "print([name for name in ('duckdb', 'tiktoken', 'tokenizers') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    assert result.stdout.strip() == b"[]"


def test_without_duckdb_the_error_says_how_to_add_it(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tokentape\[sql\]'"):
        made.sql("select 1")
