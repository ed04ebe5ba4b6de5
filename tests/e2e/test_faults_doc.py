"""Every command and program of docs/faults.md is run here, and every fault in it hits."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.newcomer import Newcomer, blocks
from tests.e2e.processes import ROOT
from tests.e2e.upstream import upstream
from tests.replay.recordings import connected, exchange, post, tape
from tests.streams import openai_usage
from tokentape.replay.faults._spelling import _KINDS, _SCOPE

DOCUMENT = (ROOT / "docs" / "faults.md").read_text()
CHAT = (
    b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Why is the sky blue?"}], '
    b'"stream": true}'
)


@pytest.fixture
def newcomer(tmp_path: Path, home: dict[str, str]):
    pieces = [(10.0 * (n + 1), data) for n, data in enumerate(openai_usage().pieces)]
    tape(tmp_path / "session.tape", exchange(body=CHAT, pieces=pieces, end_ms=10.0 * (len(pieces) + 1)))
    with upstream() as server, ExitStack() as stack:
        yield Newcomer(tmp_path, server, home, stack)


COMMANDS = [line for kind, text in blocks(DOCUMENT) if kind == "sh" for line in text.splitlines()]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_serves_with_its_faults(newcomer: Newcomer, line: str):
    newcomer.line(line)
    if "--explain" in line:
        assert newcomer.outputs[line].endswith("the connection is closed\n")
        return
    (process,) = newcomer._serving
    asked = 20 if "p=" in line else 1
    for _ in range(asked):
        with connected(process.url) as client:
            client.sendall(post(CHAT, headers="Connection: close\r\n"))
            drain(client)
    newcomer.stop_all()
    faults = [row for row in process.stdout.splitlines() if row.startswith("fault ")]
    assert len(faults) == line.count("--fault ")
    assert all(": hit " in row for row in faults)


def drain(client) -> None:
    client.settimeout(20)
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        pass


def test_every_program_works_as_printed(newcomer: Newcomer):
    programs = [(kind, text) for kind, text in blocks(DOCUMENT) if kind != "sh"]
    assert programs
    for kind, text in programs:
        newcomer.code(kind, text)


def test_every_kind_and_every_option_is_in_the_document():
    sections = [line.removeprefix("### ") for line in DOCUMENT.splitlines() if line.startswith("### ")]
    assert sections == [*_KINDS]
    for kind in _KINDS:
        section = DOCUMENT.partition(f"\n### {kind}\n")[2].split("\n##")[0]
        assert "*Imitates* " in section
        assert f"--fault {kind}" in section
    for option in _SCOPE:
        assert f"| `{option}=" in DOCUMENT
