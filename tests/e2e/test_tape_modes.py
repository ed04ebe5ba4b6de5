"""Cassettes that tests make themselves, with the real recorder between them and an API."""

import re
from collections.abc import Iterator

import pytest

from tests.e2e.upstream import Upstream, upstream
from tests.replay.testing.cassettes import chat
from tests.replay.testing.project import HAS_XDIST, Project
from tests.streams import openai_usage
from tokentape import cassette

TEST = """
    import os
    import openai
    import pytest

    @pytest.mark.tape(upstream={upstream!r})
    def test_it(tape):
        client = openai.OpenAI(base_url=tape.base_url, api_key="none", max_retries=0)
        for content in os.environ.get("ASK", "hi").split():
            stream = client.chat.completions.create(
                model="m", stream=True, messages=[{{"role": "user", "content": content}}]
            )
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
            assert text == {text!r}
        assert tape.all_played and tape.ttft_ms > 0
        assert "FAIL" not in os.environ
        if "INTERRUPT" in os.environ:
            raise KeyboardInterrupt
        if "SKIP" in os.environ:
            pytest.skip("not today")
"""


@pytest.fixture
def server() -> Iterator[Upstream]:
    with upstream() as server:
        server.streams["m"] = openai_usage()
        yield server


@pytest.fixture
def tested(project: Project, server: Upstream) -> Project:
    project.write("test_it.py", TEST.format(upstream=server.url, text=openai_usage().texts[0]))
    return project


@pytest.fixture
def project(tmp_path, home) -> Project:
    return Project(tmp_path, home)


def files(project):
    folder = project.folder / "tapes"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def contents(project):
    with cassette.open(project.folder / "tapes" / "test_it.tape") as tape:
        found = [exchange.request.body for exchange in cassette.exchanges(tape)]
        assert not tape.interrupted
    return found


def test_a_cassette_is_recorded_once_and_replayed_from_then_on(tested, server):
    ran = tested.run()
    assert ran.outcomes == {"passed": 1}, ran.output
    assert files(tested) == ["test_it.tape"]
    assert len(server.seen) == 1
    ran = tested.run(CI="true")
    assert ran.outcomes == {"passed": 1}, ran.output
    assert len(server.seen) == 1
    assert tested.run("--tape-mode", "all").outcomes == {"passed": 1}
    assert len(server.seen) == 2
    assert files(tested) == ["test_it.tape"]


@pytest.mark.parametrize("how", ["FAIL", "SKIP"])
@pytest.mark.parametrize("before", [False, True], ids=["absent", "there"])
def test_a_test_that_does_not_pass_leaves_no_recording_and_harms_none(tested, server, how, before):
    path = tested.folder / "tapes" / "test_it.tape"
    was = chat(path, "hi").read_bytes() if before else None
    ran = tested.run("--tape-mode", "all", **{how: "1"})
    assert ran.outcomes == {"failed" if how == "FAIL" else "skipped": 1}, ran.output
    assert len(server.seen) == 1
    assert (path.read_bytes() if path.exists() else None) == was
    assert files(tested) == ["test_it.tape"] * before
    if how == "FAIL":
        assert "test_it.tape is not made, since the test has not passed" in ran.output


def test_a_test_that_is_interrupted_leaves_no_recording(tested, server):
    ran = tested.run(INTERRUPT="1")
    assert ran.returncode == 2
    assert len(server.seen) == 1
    assert files(tested) == []


def test_a_test_that_asks_nothing_makes_no_cassette(tested):
    tested.write(
        "test_it.py",
        "import pytest\n@pytest.mark.tape(upstream='http://127.0.0.1:9')\ndef test_it(tape): pass\n",
    )
    ran = tested.run()
    assert ran.outcomes == {"passed": 1, "error": 1}
    assert "test_it.tape is not made: nothing was recorded" in ran.output
    assert "ReplayError" not in ran.output
    assert files(tested) == []


def test_a_recorder_that_does_not_start_is_one_line(tested):
    tested.hide("mitmproxy")
    ran = tested.run()
    assert ran.outcomes == {"error": 1}
    assert "the recorder did not start: this needs the package 'mitmproxy'" in ran.output
    assert "pip install 'tokentape[record]'" in ran.output
    assert files(tested) == []


def test_a_module_records_through_the_factory(tested, server):
    tested.write(
        "test_it.py",
        f"""
        import pytest
        from client import ask

        @pytest.fixture(scope="module")
        def api(tape_factory):
            with tape_factory("tapes/test_it.tape", upstream={server.url!r}) as tape:
                yield tape

        def test_one(api):
            assert ask(api.url, "one")[0] == 200

        def test_two(api):
            assert ask(api.url, "two")[0] == 200
        """,
    )
    assert tested.run().outcomes == {"passed": 2}
    assert tested.run().outcomes == {"passed": 2}
    assert len(server.seen) == 2
    assert [b'"two"' in body for body in contents(tested)] == [False, True]


def test_new_requests_are_added_and_what_is_recorded_is_not_asked_again(tested, server):
    assert tested.run().outcomes == {"passed": 1}
    ran = tested.run("--tape-mode", "new", ASK="hi ho")
    assert ran.outcomes == {"passed": 1}, ran.output
    assert len(server.seen) == 2
    assert [b'"ho"' in body for body in contents(tested)] == [False, True]
    assert tested.run("--tape-mode", "new", ASK="hi ho").outcomes == {"passed": 1}
    assert len(server.seen) == 2
    assert tested.run(ASK="hi ho hi").outcomes == {"failed": 1}
    assert tested.run("--tape-mode", "new", ASK="hi ho hi").outcomes == {"passed": 1}
    assert len(server.seen) == 3
    assert tested.run(ASK="hi ho hi").outcomes == {"passed": 1}
    assert tested.run("--tape-mode", "none", ASK="hi hum").outcomes == {"failed": 1}
    assert files(tested) == ["test_it.tape"]


def test_what_a_failed_test_has_added_is_discarded(tested, server):
    assert tested.run().outcomes == {"passed": 1}
    was = (tested.folder / "tapes" / "test_it.tape").read_bytes()
    assert tested.run("--tape-mode", "new", ASK="hi ho", FAIL="1").outcomes == {"failed": 1}
    assert len(server.seen) == 2
    assert (tested.folder / "tapes" / "test_it.tape").read_bytes() == was
    assert files(tested) == ["test_it.tape"]


def test_what_cannot_be_added_is_said(tested):
    chat(tested.folder / "tapes" / "test_it.tape", "other")
    tested.hide("mitmproxy")
    ran = tested.run("--tape-mode", "new")
    assert ran.outcomes == {"failed": 1, "error": 1}
    assert "this needs the package 'mitmproxy'" in ran.output
    assert files(tested) == ["test_it.tape"]


ONE = """
    import pytest
    from client import ask

    @pytest.mark.tape(upstream={upstream!r})
    def test_it(tape):
        assert ask(tape.url, {content!r})[0] == 200
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_tests_of_one_name_do_not_overwrite_what_the_other_records(project, server, processes):
    if processes > 1 and not HAS_XDIST:
        pytest.skip("needs pytest-xdist")
    parallel = ["-n", str(processes)] if processes > 1 else []
    for name in ("one", "two"):
        project.write(f"test_{name}.py", ONE.format(upstream=server.url, content=name))
    ran = project.run("-rE", *parallel)
    assert ran.outcomes == {"error": 2}, ran.output
    said = [line for line in ran.output.splitlines() if "test_it.tape is not recorded" in line]
    assert any("it is also what test_two.py::test_it would record" in line for line in said)
    assert any(
        'as in @pytest.mark.tape("tapes/test_two.test_it.tape", upstream="...")' in line for line in said
    )
    assert server.seen == []
    assert files(project) == []

    assert project.run("test_one.py").outcomes == {"passed": 1}  # alone it may, and both replay it
    ran = project.run(*parallel)
    assert ran.outcomes == {"passed": 1, "failed": 1}
    assert "recorded 'one', the request has 'two'" in ran.output
    assert project.run("--tape-mode", "all", *parallel).outcomes == {"error": 2}
    assert [b'"one"' in body for body in contents(project)] == [True]


def test_faults_are_injected_where_it_is_replayed_and_a_recording_that_needs_them_says_so(project, server):
    project.write(
        "test_it.py",
        f"""
        import pytest
        from client import ask

        @pytest.mark.tape(upstream={server.url!r}, faults=["status=500"])
        def test_it(tape):
            assert ask(tape.url)[0] == 500

        @pytest.mark.tape(upstream={server.url!r})
        def test_at_run_time(tape):
            tape.set_faults(["status=500"])
            assert ask(tape.url)[0] == 500
        """,
    )
    ran = project.run()
    assert ran.outcomes == {"failed": 2}
    said = "is not made, since the test has not passed; faults are injected only where it is replayed"
    assert ran.output.count(said) == 2
    assert files(project) == []
    chat(project.folder / "tapes" / "test_it.tape", "hi")
    chat(project.folder / "tapes" / "test_at_run_time.tape", "hi")
    assert project.run().outcomes == {"passed": 2}


def test_an_api_that_is_not_there_is_one_line_whatever_the_client_made_of_it(project):
    project.write(
        "test_it.py",
        """
        import pytest
        from client import ask

        pytestmark = pytest.mark.tape(upstream="http://127.0.0.1:9")

        def test_once(tape):
            assert ask(tape.url)[0] == 502

        def test_new(tape):
            assert ask(tape.url, "hi")[0] == 200
            assert ask(tape.url, "other")[0] == 502
        """,
    )
    path = chat(project.folder / "tapes" / "test_new.tape", "hi")
    was = path.read_bytes()
    ran = project.run("--tape-mode", "new")
    assert ran.outcomes == {"passed": 2, "error": 2}, ran.output
    said = [
        line for line in ran.output.splitlines() if line.startswith(("nothing is added", str(path.parent)))
    ]
    why = r"http://127\.0\.0\.1:9 did not answer.*: \[Errno \d+\] Connect.*"  # Pythons go on differently
    assert re.fullmatch(rf".*/test_once\.tape is not made: {why}", said[0])
    assert re.fullmatch(rf"nothing is added to .*/test_new\.tape: {why}", said[1])
    assert len(said) == 2
    assert "ReplayError" not in ran.output
    assert files(project) == ["test_new.tape"]
    assert path.read_bytes() == was


def test_what_another_test_has_recorded_meanwhile_is_not_lost(tested, server):
    tested.write(
        "test_it.py",
        f"""
        import shutil
        import pytest
        from client import ask

        @pytest.mark.tape(upstream={server.url!r})
        def test_it(tape):
            assert ask(tape.url, "new")[0] == 200
            shutil.copyfile("other.tape", tape.paths[0])
        """,
    )
    chat(tested.folder / "tapes" / "test_it.tape", "hi")
    other = chat(tested.folder / "other.tape", "one", "two").read_bytes()
    ran = tested.run("--tape-mode", "new")
    assert ran.outcomes == {"passed": 1, "error": 1}, ran.output
    assert "another test has recorded to it meanwhile; run this one again" in ran.output
    assert (tested.folder / "tapes" / "test_it.tape").read_bytes() == other


def test_with_new_what_comes_out_of_order_fails_and_the_list_of_models_is_that_of_the_recording(
    project, server
):
    project.write(
        "test_it.py",
        f"""
        import http.client
        import pytest
        from urllib.parse import urlsplit
        from client import ask

        @pytest.mark.tape("a.tape", upstream={server.url!r}, order="recorded")
        def test_order(tape):
            assert ask(tape.url, "ho")[0] == 404

        @pytest.mark.tape("a.tape", upstream={server.url!r})
        def test_models(tape):
            connection = http.client.HTTPConnection(urlsplit(tape.url).netloc, timeout=20)
            for method, path in (("GET", "/v1/models"), ("HEAD", "/v1/models"), ("HEAD", "/v1/models/m")):
                connection.request(method, path)
                answer = connection.getresponse()
                body = answer.read()
                assert answer.status == 200
                assert (b'"id": "m"' in body) == (method == "GET")
            assert tape.stats.models_listed == 3 and not tape.recording
        """,
    )
    path = chat(project.folder / "a.tape", "hi", "ho")
    was = path.read_bytes()
    ran = project.run("--tape-mode", "new")
    assert ran.outcomes == {"failed": 1, "passed": 1}, ran.output
    assert "is recorded, but number 1 of 2 is due" in ran.output
    assert server.seen == []
    assert path.read_bytes() == was
