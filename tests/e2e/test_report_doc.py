"""Every command and program of docs/report.md is run here, and its pages are what it says."""

from contextlib import ExitStack
from pathlib import Path

from tests.analysis.report.recordings import tape
from tests.e2e.newcomer import Newcomer, blocks
from tests.e2e.processes import ROOT
from tests.e2e.upstream import upstream

DOCUMENT = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")


def test_every_command_and_program_works_as_printed(tmp_path: Path, home: dict[str, str]):
    tape(tmp_path / "session.tape", n=4)
    tape(tmp_path / "before.tape", n=4)
    tape(tmp_path / "after.tape", n=4, slower=1.5)
    pages = {}
    with upstream() as server, ExitStack() as stack:
        newcomer = Newcomer(tmp_path, server, home, stack)
        for kind, text in blocks(DOCUMENT):
            for line in text.splitlines() if kind == "sh" else ():
                newcomer.line(line)
            if kind == "python":
                newcomer.code(kind, text)
            for page in tmp_path.glob("*.html"):
                pages[page.name, kind] = page.read_text(encoding="utf-8")
    assert "before.tape against after.tape" in pages["change.html", "sh"]
    assert "Before and after" in pages["change.html", "python"]
    assert all("Gaps over 200 ms" in page for page in pages.values())
    assert {name for name, _ in pages} == {"report.html", "change.html"}


def test_every_section_of_the_page_is_in_its_table():
    template = (ROOT / "analysis" / "report" / "page.html.jinja").read_text(encoding="utf-8")
    headings = [part.partition("</h2>")[0].rpartition(">")[2] for part in template.split("<h2")[1:]]
    assert len(headings) > 5
    for heading in headings:
        assert f"| {heading} |" in DOCUMENT
