"""Every command and program of docs/control.md is run here."""

import re
from contextlib import ExitStack
from pathlib import Path

import yaml

from tests.e2e.newcomer import Newcomer, blocks
from tests.e2e.processes import ROOT
from tests.e2e.upstream import upstream
from tests.replay.control.asking import ask, steering
from tests.replay.recordings import exchange, tape

DOCUMENT = (ROOT / "docs" / "control.md").read_text()
ADDRESS = "http://127.0.0.1:8090"


def test_every_command_and_program_works_as_printed(tmp_path: Path, home: dict[str, str]):
    tape(tmp_path / "session.tape", exchange())
    with upstream() as server, ExitStack() as stack:
        newcomer = Newcomer(tmp_path, server, home, stack)
        for kind, text in blocks(DOCUMENT):
            if kind == "sh":
                for line in text.splitlines():
                    newcomer.line(line)
                    if line.startswith("curl"):
                        assert '"error"' not in newcomer.outputs["curl"]
                        newcomer.outputs[line] = newcomer.outputs["curl"]
            else:
                newcomer.code(kind, text.replace(ADDRESS, newcomer.url_of("replay")))
        newcomer.stop_all()
    assert '"paused": true, "speed": 2.0' in next(
        out for line, out in newcomer.outputs.items() if line.endswith("""'{"speed": 2}'""")
    )


def test_the_document_has_a_row_for_every_path_method_and_metric():
    of = steering()
    for path, methods in of.steering._paths.items():
        for method in methods:
            assert f"| `{method} {path}` |" in DOCUMENT
    metrics = ask(of, "GET", "/-/metrics").body.decode()
    for name in re.findall(r"^# TYPE (\S+)", metrics, re.MULTILINE):
        assert f"| `{name}` |" in DOCUMENT


def test_what_prometheus_is_told_is_yaml():
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    (job,) = yaml.safe_load(text)["scrape_configs"]
    assert job["metrics_path"] == "/-/metrics"
