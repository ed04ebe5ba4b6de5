"""Somebody's project with tests of its own, and pytest run on it as a process."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

HAS_XDIST = importlib.util.find_spec("xdist") is not None
ROOT = Path(__file__).parents[3]
INI = "[pytest]\naddopts = -p no:cacheprovider --strict-markers -rN\npythonpath = .\n"
CLIENT = '''
import http.client
import json
from urllib.parse import urlsplit


def ask(url, content="hi", path="/v1/chat/completions"):
    """Return the status and the body of an answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": content}]}
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()
'''


@dataclass(frozen=True)
class Ran:
    """What a run of pytest printed, and how many tests came out how."""

    output: str
    returncode: int

    @property
    def outcomes(self) -> dict[str, int]:
        last = self.output.strip().splitlines()[-1]
        found = {word.rstrip("s"): int(count) for count, word in re.findall(r"(\d+) ([a-z]+)", last)}
        found.pop("warning", None)  # of other plugins, about each other
        return found


class Project:
    """A folder with tests. The plugin is found as where tokentape is installed: by its entry point."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self._env = env or {}
        self.folder = folder / "project"
        self.folder.mkdir()
        self.write("client.py", CLIENT)
        self.write("pytest.ini", INI)
        self._installed = folder / "installed"
        declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
        info = self._installed / "tokentape_as_declared-0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tokentape-as-declared\nVersion: 0\n")
        lines = [f"{name} = {module}" for name, module in declared.items()]
        (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def env(self, **more: str) -> dict[str, str]:
        known = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "CI", "COV_"))
        }
        paths = [str(self._installed), *filter(None, [known.get("PYTHONPATH")])]
        return known | self._env | {"PYTHONPATH": os.pathsep.join(paths)} | more

    def hide(self, package: str) -> None:
        """Make a package one that is not installed."""
        code = f"import sys; sys.modules[{package!r}] = None\n"
        (self._installed / "sitecustomize.py").write_text(code)

    def run(self, *arguments: str, **env: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=self.folder,
            env=self.env(**env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return Ran(done.stdout, done.returncode)
