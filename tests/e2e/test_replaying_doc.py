"""Every command and program of docs/replaying.md is run here."""

import json
from contextlib import ExitStack
from pathlib import Path

import click
from msgspec.structs import replace

from tests.e2e.newcomer import Newcomer, blocks
from tests.e2e.processes import ROOT
from tests.e2e.upstream import upstream
from tests.replay.recordings import exchange, tape
from tests.streams import openai_usage
from tokentape.cassette import Request
from tokentape.cli import main

DOCUMENT = (ROOT / "docs" / "replaying.md").read_text()


def test_every_command_and_program_works_as_printed(tmp_path: Path, home: dict[str, str]):
    pieces = [(10.0 * (n + 1), data) for n, data in enumerate(openai_usage().pieces)]
    asked = {"messages": [{"role": "user", "content": "Why is the sky blue?"}], "model": "gpt-4o-mini"}
    body = json.dumps(asked | {"stream": True}).encode()
    request, *answer = exchange(body=body, pieces=pieces, end_ms=10.0 * (len(pieces) + 1))
    assert isinstance(request, Request)
    tape(tmp_path / "session.tape", [replace(request, host="api.openai.com"), *answer])
    printed: list[str] = []
    with upstream() as server, ExitStack() as stack:
        newcomer = Newcomer(tmp_path, server, home, stack)
        for kind, text in blocks(DOCUMENT):
            if kind == "sh":
                for line in text.splitlines():
                    newcomer.line(line)
                newcomer.stop_all()
            else:
                newcomer.forget()
                newcomer.code(kind, text)
                printed.append(newcomer.outputs.pop("python", ""))
    explained = {line: out for line, out in newcomer.outputs.items() if "--explain" in line}
    table, as_json = explained.values()
    assert "first token" in table
    assert len(json.loads(as_json)[0]["parts"]) == len(pieces) + 2
    explanation, limited, program, listed = printed
    assert "first token" in explanation
    assert limited.split()[1:] == ["0", "0"]
    assert program == ""  # it is saved, and run by a line of the shell
    assert newcomer.outputs["fixed_program.py"] == openai_usage().texts[0]
    assert listed.count("'id': 'gpt-4o-mini'") == 2


def test_the_document_has_a_row_for_every_option_that_says_when():
    from tokentape.cli._timing_options import _OPTIONS

    assert isinstance(main, click.Group)
    command = main.get_command(click.Context(main), "replay")
    assert command is not None
    for name in _OPTIONS:
        assert any(parameter.name == name for parameter in command.params)
        assert f"| `--{name.replace('_', '-')} " in DOCUMENT
        assert f"| `{name}` |" in DOCUMENT
