"""Every test, command and CI step of docs/testing.md is run here, in the order printed."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.e2e.newcomer import Newcomer, blocks
from tests.e2e.processes import ROOT
from tests.e2e.upstream import upstream
from tests.replay.testing.project import HAS_XDIST, Project
from tests.streams import openai_usage

DOCUMENT = (ROOT / "docs" / "testing.md").read_text()
WORKFLOWS = re.findall(r"```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def test_every_test_and_command_works_as_printed(
    tmp_path: Path, home: dict[str, str], node_modules: Path | None
):
    with upstream() as server, ExitStack() as stack:
        server.streams = {"gpt-4o-mini": openai_usage()}
        newcomer = Newcomer(tmp_path, server, home, stack)
        newcomer.env = Project(tmp_path).env(**home, PATH=newcomer.env["PATH"], OPENAI_API_KEY="k" * 20)
        newcomer.run("git", "init", "-q")
        if node_modules is not None:
            (tmp_path / "node_modules").symlink_to(node_modules)
        for kind, text in blocks(DOCUMENT):
            if kind == "sh":
                for line in text.splitlines():
                    if line.startswith("node") and node_modules is None:
                        continue
                    newcomer.line(line)
                    if line == "pytest test_weather.py":
                        assert len(server.seen) == 1
            else:
                newcomer.code(kind, text.replace("https://api.openai.com", server.url))
        assert len(server.seen) == 2  # recorded once, and once again
        newcomer.env |= {"CI": "true"}
        for line in steps(WORKFLOWS[0]):
            newcomer.line(line if HAS_XDIST else line.replace(" -n auto", ""))
        assert len(server.seen) == 2
        for line in steps(WORKFLOWS[1]):
            newcomer.line(line)
        assert len(server.seen) == 3
    outputs = newcomer.outputs
    assert "1 passed" in outputs["pytest test_weather.py --tape-mode none"]
    assert "11 passed" in outputs["pytest --tape-report"]
    assert "before.tape: no test of this run has used it" in outputs["pytest --tape-report"]
    assert any(
        "11 passed" in output for line, output in outputs.items() if "-n auto" in line or not HAS_XDIST
    )
    assert "How is the weather" in outputs["tokentape cat tapes/test_weather.tape"]
    newcomer.run("git", "add", "tapes")
    shown = newcomer.run("git", "diff", "--cached")
    assert re.search(r"^\+.*How is the weather", shown, re.MULTILINE)


def steps(workflow: str) -> list[str]:
    """The commands of a workflow, of which each job installs something first."""
    (job,) = yaml.safe_load(workflow)["jobs"].values()
    lines = [step["run"] for step in job["steps"] if "run" in step]
    assert lines[0].startswith("pip install ")
    assert all("uses" in step or "run" in step for step in job["steps"])
    return lines[1:]


@pytest.mark.parametrize("link", ["metrics.md", "redaction.md", "faults.md"])
def test_what_the_document_links_to_is_there(link: str):
    assert f"({link})" in DOCUMENT
    assert (ROOT / "docs" / link).is_file()
