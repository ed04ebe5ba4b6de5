"""Every command of the README is run here as it is printed, but for ports and the address of the API."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT, TOKENTAPE, Process
from tests.e2e.upstream import Upstream, upstream
from tests.streams import openai_usage

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
MAKE = ("demo", "test")
API = "https://api.openai.com"


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as server:
        server.streams["gpt-4o-mini"] = openai_usage()
        yield server


class Reader:
    """A newcomer who runs the README from top to bottom, in one folder."""

    def __init__(self, folder: Path, server: Upstream, home: dict[str, str], stack: ExitStack) -> None:
        self.folder = folder
        self.server = server
        self.stack = stack
        self.home = home
        self.env = os.environ | {"OPENAI_API_KEY": "k" * 20, "NO_PROXY": "", "no_proxy": ""}
        self.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.env['PATH']}"
        self.addresses = {API: server.url}
        self.serving: list[Process] = []
        self.outputs: dict[str, str] = {}

    def line(self, line: str) -> None:
        for printed, real in self.addresses.items():
            line = line.replace(printed, real)
        words = shlex.split(line, comments=True)
        match words:
            case ["make", target]:
                assert target in MAKE  # the demo has a test of its own, and this is `make test`
            case ["export", *settings]:
                for setting in settings:
                    name, _, value = setting.partition("=")
                    self.env[name] = value.replace("~", self.home["HOME"])
            case ["python", "my_program.py"]:
                self.my_program()
            case ["tokentape", "record" | "replay", *options]:
                self.serve(words[1], *options)
            case ["mitmdump", "-s", addon, *options]:
                mode = ["--mode", f"reverse:{self.server.url}", "--listen-host", "127.0.0.1"]
                mitmdump = Path(sys.executable).with_name("mitmdump")
                self.start(mitmdump, "-s", ROOT / addon, *options, *mode, "-p", "0")
            case ["tokentape", *arguments]:
                self.outputs[line] = self.run(*TOKENTAPE, *arguments)
            case _:
                raise AssertionError(f"the README has a command that no test runs: {line}")

    def serve(self, verb: str, *options: str) -> None:
        default = {"record": "http://127.0.0.1:8080", "replay": "http://127.0.0.1:8090"}[verb]
        plain = [option for option in options if not re.fullmatch(r"--listen|[\d.]+:\d+", option)]
        process = self.start(*TOKENTAPE, verb, *plain, "--listen", "127.0.0.1:0")
        self.addresses[default] = process.url

    def start(self, *command: str | Path) -> Process:
        process = self.stack.enter_context(Process(*command, env=self.home, cwd=self.folder))
        self.serving.append(process)
        return process

    def stop_all(self) -> None:
        for process in self.serving:
            process.stop()
            assert process.returncode == 0, process.stderr
        self.serving = []

    def my_program(self) -> None:
        """Run the program; where no base URL was exported, what `openai` goes to by default is our API."""
        self.env.setdefault("OPENAI_BASE_URL", f"{self.server.url}/v1")
        assert self.run(sys.executable, "my_program.py") == openai_usage().texts[0]
        del self.env["OPENAI_BASE_URL"]
        self.stop_all()

    def python(self, code: str) -> None:
        name = re.match(r"# (\w+\.py)\n", code)
        if name is None:
            self.outputs["python"] = self.run(sys.executable, "-c", code)
            return
        (self.folder / name[1]).write_text(code)
        if name[1].startswith("test_"):
            self.outputs[name[1]] = self.run(sys.executable, "-m", "pytest", "-q", name[1])

    def run(self, *command: str | Path) -> str:
        env = {
            name: value for name, value in self.env.items() if name != "SSL_CERT_FILE" or Path(value).exists()
        }
        done = subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def test_every_command_works_as_printed(server: Upstream, tmp_path: Path, home: dict[str, str]):
    with ExitStack() as stack:
        reader = Reader(tmp_path, server, home, stack)
        for kind, block in BLOCKS:
            if kind == "python":
                for name in ("HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_FILE"):
                    reader.env.pop(name, None)
                reader.python(block)
            else:
                for line in filter(None, block.splitlines()):
                    reader.line(line)
        reader.stop_all()
    assert sorted(path.name for path in tmp_path.glob("*.tape")) == [
        "any.tape",
        "dump.tape",
        "public.tape",
        "session.tape",
    ]
    assert "1 passed" in reader.outputs["test_my_client.py"]
    assert "usage" in reader.outputs["python"]
    assert "usage-per-chunk" in reader.outputs["tokentape analyze tapes/recorded.tape"]
    assert "TTFT" in reader.outputs["tokentape analyze session.tape"]


def test_the_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in MAKE:
        assert f"\nmake {target} " in README
        assert re.search(rf"^{target}: .*## ", makefile, re.MULTILINE)


def test_the_picture_and_the_documents_that_the_readme_names_are_there():
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert {"docs/demo.svg", "docs/cassette-format.md", "docs/metrics.md"} <= set(links)
    for link in links:
        assert (ROOT / link).is_file(), link
