"""Every command of the README is run here as it is printed, but for ports and the address of the API."""

import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.newcomer import Newcomer, blocks
from tests.e2e.processes import ROOT
from tests.e2e.upstream import Upstream, upstream
from tests.streams import openai_usage

README = (ROOT / "README.md").read_text()
MAKE = ("demo", "test")


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as server:
        server.streams["gpt-4o-mini"] = openai_usage()
        yield server


def test_every_command_works_as_printed(server: Upstream, tmp_path: Path, home: dict[str, str]):
    with ExitStack() as stack:
        newcomer = Newcomer(tmp_path, server, home, stack, make=MAKE)
        for kind, text in blocks(README):
            if kind == "sh":
                for line in text.splitlines():
                    if line.startswith("pip install "):  # into the environment that runs this
                        continue
                    newcomer.line(line)
                    if line.startswith("python my_program.py"):
                        assert newcomer.outputs["my_program.py"] == openai_usage().texts[0]
                        newcomer.forget("OPENAI_BASE_URL")
                        newcomer.forget()
                        newcomer.stop_all()
            else:
                newcomer.forget()
                newcomer.code(kind, text)
                if "test_my_client.py" in text:
                    tested = newcomer.run(sys.executable, "-m", "pytest", "-q", "test_my_client.py")
        newcomer.stop_all()
    assert {"any.tape", "dump.tape", "public.tape", "session.tape", "week.tape"} <= {
        path.name for path in tmp_path.glob("*.tape")
    }
    assert "1 passed" in tested
    assert "usage" in newcomer.outputs["python"]
    assert "usage-per-chunk" in newcomer.outputs["tokentape analyze tapes/recorded.tape"]
    assert "TTFT" in newcomer.outputs["tokentape analyze session.tape"]


def test_every_extra_is_named_and_no_other():
    section = README.partition("\n## Install\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([a-z]+)`", row.split("|")[1])]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(named) == sorted(project["optional-dependencies"])
    lines = section.splitlines()
    assert lines.index("pip install '.[all]'") == 1 + next(
        number for number, line in enumerate(lines) if line.startswith("pip install --upgrade pip ")
    )


def test_numbers_are_defined_beside_the_first_command_that_prints_them():
    first = README.index("tokentape analyze")
    assert 0 < README.index("](docs/metrics.md)", first) - first < 300


def test_the_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in MAKE:
        assert f"\nmake {target} " in README
        assert re.search(rf"^{target}: .*## ", makefile, re.MULTILINE)


def test_the_picture_and_the_documents_that_the_readme_names_are_there():
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert {"docs/demo.svg", "docs/cassette-format.md", "docs/formats.md", "docs/metrics.md"} <= set(links)
    for link in links:
        assert (ROOT / link.partition("#")[0]).is_file(), link
