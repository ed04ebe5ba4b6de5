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


def test_every_command_and_program_works_as_printed(
    tmp_path: Path, home: dict[str, str], node_modules: Path | None
):
    with upstream() as server, ExitStack() as stack:
        server.streams = {"gpt-4o-mini": openai_usage(), "claude-sonnet-4-5": anthropic_messages()}
        if node_modules is not None:
            (tmp_path / "node_modules").symlink_to(node_modules)
        newcomer = Newcomer(tmp_path, server, home, stack)
        for kind, text in blocks(DOCUMENT):
            if kind == "sh":
                for line in text.splitlines():
                    if line.startswith(("tokentape record", "mitmdump")):
                        newcomer.stop_all()
                        newcomer.forget()
                        newcomer.forget("OPENAI_BASE_URL")
                    newcomer.line(line)
            else:
                newcomer.code(kind, text)
                name = text.split()[1]
                if kind == "js" and node_modules is None:
                    continue  # `node_modules` says why there are none
                newcomer.program(name)
                assert newcomer.outputs[name].strip() == HELLO
        newcomer.stop_all()
    assert [json.loads(line[6:])["model"] for line in newcomer.outputs["curl"].split("\n\n")[:1]]
    recorded = {path.name: models(path) for path in sorted(tmp_path.glob("*.tape"))}
    by_node = node_modules is not None
    assert recorded["session.tape"] == ["gpt-4o-mini"] * (2 + by_node) + ["claude-sonnet-4-5"]
    assert recorded["any.tape"] == ["gpt-4o-mini"] * by_node
    assert {"dump.tape", "week.tape"} < set(recorded)
    assert (tmp_path / "session.jsonl").stat().st_size > 1000


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
