"""Every command and program of docs/recording.md is run here with the clients that it names."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.newcomer import Newcomer, blocks
from tests.e2e.processes import ROOT
from tests.e2e.upstream import upstream
from tests.streams import anthropic_messages, openai_usage
from tokentape import cassette

DOCUMENT = (ROOT / "docs" / "recording.md").read_text()
HELLO = openai_usage().texts[0]


def test_every_command_and_program_works_as_printed(tmp_path: Path, home: dict[str, str]):
    outputs, recorded = followed(tmp_path, home, programs=("python",))
    assert json.loads(outputs["curl"].splitlines()[0].removeprefix("data: "))["model"]
    assert outputs["ask_openai.py"].strip() == HELLO
    assert outputs["ask_anthropic.py"].strip() == HELLO
    assert recorded["session.tape"] == ["gpt-4o-mini", "gpt-4o-mini", "claude-sonnet-4-5"]
    assert {"any.tape", "dump.tape", "week.tape"} < set(recorded)
    assert (tmp_path / "session.jsonl").stat().st_size > 1000


def test_every_program_for_node_works_as_printed(
    tmp_path: Path, home: dict[str, str], node_modules: Path | None
):
    if node_modules is None:
        pytest.skip("the clients for Node come with npm, which is not installed")
    (tmp_path / "node_modules").symlink_to(node_modules)
    outputs, recorded = followed(tmp_path, home, programs=("js",))
    assert outputs["ask_openai.mjs"].strip() == HELLO
    assert outputs["through_the_proxy.mjs"].strip() == HELLO
    assert recorded["session.tape"] == ["gpt-4o-mini", "gpt-4o-mini"]  # the other is curl's
    assert recorded["any.tape"] == ["gpt-4o-mini"]


def followed(
    folder: Path, home: dict[str, str], *, programs: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Do what the document says, with the programs of some languages.

    Returns what was printed, by command, and the models that are in each cassette.
    """
    with upstream() as server, ExitStack() as stack:
        server.streams = {"gpt-4o-mini": openai_usage(), "claude-sonnet-4-5": anthropic_messages()}
        newcomer = Newcomer(folder, server, home, stack)
        for kind, text in blocks(DOCUMENT):
            if kind == "sh":
                for line in text.splitlines():
                    if line.startswith(("tokentape record", "mitmdump")):
                        newcomer.stop_all()
                        newcomer.forget()
                        newcomer.forget("OPENAI_BASE_URL")
                    newcomer.line(line)
            elif kind in programs:
                newcomer.code(kind, text)
                newcomer.program(text.split()[1])
        newcomer.stop_all()
    return newcomer.outputs, {path.name: models(path) for path in sorted(folder.glob("*.tape"))}


def models(path: Path) -> list[str]:
    """Return the model of each request."""
    with cassette.open(path) as tape:
        return [
            json.loads(exchange.request.body)["model"]
            for exchange in cassette.exchanges(tape)
            if exchange.request
        ]


@pytest.mark.parametrize("link", ["cassette-format.md", "redaction.md", "../examples/read_cassette.py"])
def test_what_the_document_links_to_is_there(link: str):
    assert f"({link})" in DOCUMENT
    assert (ROOT / "docs" / link).is_file()
