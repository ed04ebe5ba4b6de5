from html import unescape
from pathlib import Path

import pytest

from tests.analysis.report.recordings import tape
from tests.cli.verbs import run

DAMAGED = Path(__file__).parents[1] / "golden" / "v1-damaged.tape"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tape(tmp_path_factory.mktemp("report") / "a.tape", n=4)


def test_a_page_is_written_and_not_over_another(small, tmp_path):
    page = tmp_path / "page.html"
    done = run("report", small, "-o", page)
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "4 streams" in done.stderr
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    page.write_text("mine")
    refused = run("report", small, "-o", page)
    assert refused.exit_code == 1
    assert "add --overwrite" in refused.stderr
    assert page.read_text() == "mine"
    assert run("report", small, "-o", page, "--overwrite", "--title", "Ours & <theirs>").exit_code == 0
    assert "<h1>Ours &amp; &lt;theirs&gt;</h1>" in page.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_page_goes_into_a_pipe_and_a_cassette_comes_from_one(small):
    done = run("report", "-", "-o", "-", stdin=small.read_bytes())
    assert done.exit_code == 0
    assert done.stdout.startswith("<!doctype html>")
    assert "4 streams" not in done.stdout.partition("</head>")[0]


def test_what_where_leaves_out_is_said_with_counts(small, tmp_path):
    page = tmp_path / "page.html"
    assert run("report", small, small, "-o", page, "--where", "model=model-a").exit_code == 0
    said = unescape(page.read_text(encoding="utf-8"))
    assert "Only requests with model=model-a are here: A 2 of 4 requests, B 2 of 4 requests." in said
    assert run("report", "-", "-o", page, "--overwrite", "--where", "choice<0", stdin=b"").exit_code == 2
    done = run("report", "-", "-o", page, "--overwrite", "--where", "model=model-a", stdin=small.read_bytes())
    assert done.exit_code == 0
    assert "2 of standard input's" in unescape(page.read_text(encoding="utf-8"))


def test_a_damaged_cassette_has_a_page_and_exit_code_3(tmp_path):
    page = tmp_path / "page.html"
    done = run("report", DAMAGED, "-o", page)
    assert done.exit_code == 3
    assert "lost: " in done.stderr
    assert "Not all that was recorded could be read." in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--by", "nope"), "label.NAME; found 'nope'"),
        (("--where", "nope=1"), "expected a column of exchanges"),
        (("--definitions", "nope"), "expected one of aiperf"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors_and_leave_no_file(small, tmp_path, arguments, said):
    done = run("report", small, "-o", tmp_path / "page.html", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_cassette_is_never_written_over(small):
    before = small.read_bytes()
    done = run("report", small, "-o", small, "--overwrite")
    assert done.exit_code == 2
    assert small.read_bytes() == before
