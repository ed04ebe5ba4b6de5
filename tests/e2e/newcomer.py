"""A newcomer who goes through a document from top to bottom and does what it says, in one folder."""

import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent

from tests.e2e.processes import ROOT, TOKENTAPE, Process
from tests.e2e.upstream import Upstream

APIS = ("https://api.openai.com", "https://api.anthropic.com")
_BLOCK = re.compile(r"^( *)```(sh|python|js|toml)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_DEFAULTS = {"record": "http://127.0.0.1:8080", "replay": "http://127.0.0.1:8090"}
_PROXY = ("HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_FILE")


def blocks(document: str) -> list[tuple[str, str]]:
    """Return what is to be typed or saved: the language of each fenced block, and its text."""
    return [(kind, dedent(text)) for _, kind, text in _BLOCK.findall(document)]


class Newcomer:
    """Runs shell lines as printed, but for ports and the address of the API; a line it does not know fails.

    Code whose first line names a file is saved as that file. `outputs` has what each line printed.
    """

    def __init__(
        self,
        folder: Path,
        server: Upstream,
        home: dict[str, str],
        stack: ExitStack,
        *,
        make: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.server = server
        self.outputs: dict[str, str] = {}
        self.env = os.environ | home | {"NO_PROXY": "", "no_proxy": ""}
        self.env |= {"OPENAI_API_KEY": "k" * 20, "ANTHROPIC_API_KEY": "k" * 20}
        self.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.env['PATH']}"
        self._make = make
        self._home = home
        self._stack = stack
        self._addresses = dict.fromkeys(APIS, server.url)
        self._serving: list[Process] = []

    def line(self, line: str) -> None:  # noqa: C901  (a case for each command)
        """Do what a line of shell says."""
        for printed, real in self._addresses.items():
            line = line.replace(printed, real)
        match shlex.split(line, comments=True):
            case []:
                pass
            case ["make", target]:
                assert target in self._make  # each has a test of its own, or is what runs this
            case ["export", *settings]:
                for setting in settings:
                    name, _, value = setting.partition("=")
                    self.env[name] = value.replace("~", self._home["HOME"])
            case ["tokentape", "record" | "replay" as verb, *options] if "--explain" not in options:
                self._serve(verb, *options)
            case ["mitmdump", "-s", addon, *options]:
                mode = ["--mode", f"reverse:{self.server.url}", "--listen-host", "127.0.0.1"]
                mitmdump = Path(sys.executable).with_name("mitmdump")
                self._start(mitmdump, "-s", ROOT / addon, *options, *mode, "-p", "0")
            case ["tokentape", *arguments]:
                self.outputs[line] = self.run(*TOKENTAPE, *arguments)
            case ["pytest" | "node" | "git" | "cp" | "echo", *_] | ["python", "-m", *_]:
                self.outputs[line] = self.run("sh", "-c", line)
            case ["curl", *_]:
                self.outputs["curl"] = self.run("sh", "-c", line)
            case ["python", program]:
                self.program(program)
            case _:
                raise AssertionError(f"the document has a command that no test runs: {line}")

    def code(self, kind: str, code: str) -> None:
        """Save a file, or run what is no file."""
        name = re.match(r"(?:#|//) (\w+\.(?:m?[jp][sy]|toml))\n", code)
        if name is None:
            assert kind == "python", f"a block of code that no test runs: {code}"
            self.outputs["python"] = self.outputs.get("python", "") + self.run(sys.executable, "-c", code)
            return
        (self.folder / name[1]).write_text(code)

    def program(self, name: str) -> None:
        """Run a saved program; where no base URL was exported, what it goes to by default is our API."""
        env = {"OPENAI_BASE_URL": f"{self.server.url}/v1"} | self.env
        interpreter = "node" if name.endswith("js") else sys.executable
        self.outputs[name] = self.run(interpreter, name, env=env)

    def url_of(self, verb: str) -> str:
        """Return where what was started last of a verb listens in truth."""
        return self._addresses[_DEFAULTS[verb]]

    def forget(self, *names: str) -> None:
        """Unset variables; by default those that lead through the proxy."""
        for name in names or _PROXY:
            self.env.pop(name, None)

    def stop_all(self) -> None:
        """Stop what is serving, as Ctrl-C does."""
        for process in self._serving:
            process.stop()
            assert process.returncode == 0, process.stderr
        self._serving = []

    def run(self, *command: str | Path, env: dict[str, str] | None = None) -> str:
        """Run a command to its good end and return what it printed."""
        known = {
            name: value
            for name, value in (env or self.env).items()
            if name != "SSL_CERT_FILE" or Path(value).exists()
        }
        done = subprocess.run(
            command, cwd=self.folder, env=known, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _serve(self, verb: str, *options: str) -> None:
        plain = [option for option in options if not re.fullmatch(r"--listen|[\d.]+:\d+", option)]
        process = self._start(*TOKENTAPE, verb, *plain, "--listen", "127.0.0.1:0")
        self._addresses[_DEFAULTS[verb]] = process.url

    def _start(self, *command: str | Path) -> Process:
        process = self._stack.enter_context(Process(*command, env=self._home, cwd=self.folder))
        self._serving.append(process)
        return process
