"""What no test has played is listed, also where several processes have run the tests."""

import pytest

from tests.replay.testing.cassettes import chat
from tests.replay.testing.project import HAS_XDIST

TESTS = """
    import pytest
    from client import ask

    @pytest.mark.tape("weather.tape")
    @pytest.mark.parametrize("content", ["one", "two", "three"])
    def test_weather(tape, content):
        assert ask(tape.url, content)[0] == 200

    @pytest.mark.tape("all.tape")
    def test_all(tape):
        assert ask(tape.url)[0] == 200

    @pytest.mark.tape("all.tape")
    def test_miss(tape):
        ask(tape.url, "hello")
"""
XDIST = pytest.param(
    ("-n", "2"),
    marks=pytest.mark.skipif(not HAS_XDIST, reason="needs pytest-xdist"),
    id="xdist",
)
ALONE = pytest.param((), id="alone")


@pytest.fixture
def tested(project):
    project.write("sub/test_it.py", TESTS)
    chat(project.folder / "sub" / "weather.tape", "one", "two", "three", "four")
    chat(project.folder / "sub" / "all.tape", "hi")
    chat(project.folder / "sub" / "tapes" / "old.tape", "hi")
    return project


@pytest.mark.parametrize("options", [ALONE, XDIST])
def test_what_no_test_has_played_is_listed(tested, options):
    ran = tested.run("--tape-report", *options)
    assert ran.outcomes == {"failed": 1, "passed": 4}, ran.output
    report = ran.output.partition("= tapes =")[2].splitlines()[1:4]
    assert report == [
        "sub/weather.tape: 1 of 4 exchanges never played",
        "  exchange 3: POST /v1/chat/completions",
        "sub/tapes/old.tape: no test of this run has used it",
    ]
    assert "sub/all.tape" not in "".join(report)


@pytest.mark.parametrize("options", [ALONE, XDIST])
def test_a_miss_is_explained_wherever_the_test_ran(tested, options):
    ran = tested.run(*options, "-k", "test_miss")
    assert ran.outcomes["failed"] == 1
    assert "body.messages[0].content: recorded 'hi', the request has 'hello'" in ran.output
    assert "= tapes =" not in ran.output


def test_where_all_was_played_the_report_says_so(project):
    project.write("test_it.py", "from client import ask\ndef test_it(tape): assert ask(tape.url)[0] == 200\n")
    chat(project.folder / "tapes" / "test_it.tape", "hi")
    assert (
        "all that is in 1 cassette was played, and no other is there" in project.run("--tape-report").output
    )
