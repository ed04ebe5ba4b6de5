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
WORKFLOW = next(re.finditer(r"```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))[1]


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
        (job,) = yaml.safe_load(WORKFLOW)["jobs"].values()
        for step in job["steps"]:
            line = step.get("run", "")
            if not line.startswith("pip install"):
                newcomer.line(line if HAS_XDIST else line.replace(" -n auto", ""))
    outputs = newcomer.outputs
    assert "1 passed" in outputs["pytest test_weather.py --tape-mode none"]
    assert "9 passed" in outputs["pytest --tape-report"]
    assert "before.tape: no test of this run has used it" in outputs["pytest --tape-report"]
    assert any("9 passed" in output for line, output in outputs.items() if "-n auto" in line or not HAS_XDIST)
    assert "How is the weather" in outputs["tokentape cat tapes/test_weather.tape"]
    assert len(server.seen) == 2
    newcomer.run("git", "add", "tapes")
    shown = newcomer.run("git", "diff", "--cached")
    assert re.search(r"^\+.*How is the weather", shown, re.MULTILINE)


@pytest.mark.parametrize("link", ["metrics.md", "redaction.md"])
def test_what_the_document_links_to_is_there(link: str):
    assert f"({link})" in DOCUMENT
    assert (ROOT / "docs" / link).is_file()
