from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay.testing._choosing import MODES, Wanted, default_mode, default_path, is_recorded

PATH = Path("a.tape")


@pytest.mark.parametrize(
    ("ci", "mode"),
    [(None, "once"), ("", "once"), ("false", "once"), ("true", "none"), ("1", "none")],
)
def test_in_ci_nothing_is_recorded_unless_asked_for(ci, mode):
    assert default_mode({} if ci is None else {"CI": ci}) == mode


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("absent", [[], [PATH]], ids=["there", "absent"])
def test_what_is_recorded_in_which_mode(mode, absent):
    recorded = is_recorded(mode, Wanted(paths=(PATH,), upstream="https://api.example"), absent)
    assert recorded == (mode == "all" or (mode != "none" and bool(absent)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "wanted",
    [Wanted(paths=(PATH,)), Wanted(paths=(PATH, Path("b.tape")), upstream="https://api.example")],
    ids=["no API", "several cassettes"],
)
def test_nothing_is_recorded_from_nowhere_or_to_several_files(mode, wanted):
    assert not is_recorded(mode, wanted, wanted.paths)


@given(st.text(min_size=1), st.text(min_size=1))
def test_tests_of_two_names_never_share_a_cassette_that_neither_has_named(one, other):
    paths = default_path(one), default_path(other)
    assert (paths[0] == paths[1]) == (one == other)
    for path in paths:
        assert path.parent == Path("tapes")
        assert path.name.endswith(".tape")
        assert len(path.name.encode()) < 140


def test_a_name_that_is_one_for_a_file_is_kept():
    assert default_path("test_it[gpt-4o]", "TestChat") == Path("tapes", "TestChat.test_it[gpt-4o].tape")
