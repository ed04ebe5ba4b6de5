import pytest

from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, write
from tokentape import cassette
from tokentape.analysis import load

PIECES = [(200 * MS, data(chunk({"content": "a"}, "stop"))), (201 * MS, DONE)]


@pytest.fixture
def tapes(tmp_path):
    labelled = cassette.Section(
        version=1, wall_ns=SECTION.wall_ns + 86_400 * 10**9, mono_ns=5, writer="t", proxy="p", host="h",
        labels={"env": "prod"},
    )  # fmt: skip
    write(
        tmp_path / "a.tape",
        records(PIECES, body=b'{"model":"gpt-4o"}'),
        records([(5, b"{}")], exchange=1, status=429, content_type="application/json"),
        [labelled],
        records(PIECES, exchange=2, path=b"/v1/other"),
        records([], exchange=3, status=None, end="client-closed"),
    )
    return tmp_path


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (None, [0, 1, 2, 3]),
        ("status=200", [0, 2]),
        ("status!=200", [1, 3]),
        ("status = 200|429", [0, 1, 2]),
        ("status>=400", [1]),
        ("status=", [3]),
        ("model_requested=gpt-4?", [0]),
        ("model_requested=[g]*|asked-for", [0, 1, 2, 3]),
        ("model=m-1", [0, 2]),
        ("model!=m-1", [1, 3]),
        ("host=*.example", [0, 1, 2, 3]),
        ("path=/v1/other", [2]),
        ("label.env=prod", [2, 3]),
        ("label.env!=prod", [0, 1]),
        ("started_at>=2026-09-22", [2, 3]),
        ("started_at<2026-09-22T14:13:27+00:00", [0, 1]),
        (["status=200", "label.env=prod"], [2]),
        ("end_ms>200.5", [0, 2]),
        ("connection_reused=true", [0, 1, 2]),
        ("connection_reused=True", [0, 1, 2]),
        ("connection_reused!=TRUE", [3]),
        ("connection_reused=false", []),
        ("connection_reused=true|false", [0, 1, 2]),
        ("connection_reused=", [3]),
    ],
)
def test_conditions_choose_exchanges(tapes, where, found):
    made = load(tapes / "a.tape", where=where)
    for name in ("exchanges", "streams"):
        assert getattr(made, name)["exchange"].tolist() == found
    assert set(made.events["exchange"]) == set(found) & {0, 2}


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("model", "expected a condition such as"),
        ("nope=1", "expected a column of exchanges"),
        ("status>many", "expected a number, found 'many'"),
        ("status=nan", "expected a number, found 'nan'"),
        ("status<1e400", "expected a number, found '1e400'"),
        ("end_ms>=-inf", "expected a number, found '-inf'"),
        ("connection_reused=yes", "expected true or false, found 'yes'"),
        ("connection_reused!=1", "expected true or false, found '1'"),
        ("connection_reused=true|t*", "expected true or false, found 't\\*'"),
        ("started_at>yesterday", "expected a time such as"),
        ("host>a", "expected = or !="),
    ],
)
def test_condition_that_cannot_be_understood_says_what_was_expected(tapes, where, says):
    with pytest.raises(ValueError, match=says):
        load(tapes, where=where)


def test_folders_and_patterns_are_their_cassettes_in_order_each_once(tapes):
    below = tapes / "b"
    below.mkdir()
    for name in ("c.tape.zst", "b.tape"):
        write(below / name, records(PIECES))
    (below / "notes.txt").write_text("no cassette")
    names = [str(tapes / "a.tape"), str(below / "b.tape"), str(below / "c.tape.zst")]
    assert list(load(tapes).exchanges["cassette"].unique()) == names
    assert list(load(f"{tapes}/**/*.tape").exchanges["cassette"].unique()) == names[:2]
    assert list(load([below, tapes]).exchanges["cassette"].unique()) == [*names[1:], names[0]]


def test_file_with_the_name_of_a_pattern_is_that_file(tapes):
    write(tapes / "[ab].tape", records(PIECES))
    assert list(load(tapes / "[ab].tape").exchanges["cassette"].unique()) == [str(tapes / "[ab].tape")]


@pytest.mark.parametrize("name", ["", "*.nope"])
def test_folder_or_pattern_without_cassettes_is_an_error_of_one_line(tmp_path, name):
    with pytest.raises(cassette.Unreadable, match=r"expected .* found none"):
        load(f"{tmp_path}/{name}")
