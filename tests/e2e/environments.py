"""The environments of client programs: that of the tests, and others for what does not fit in it."""

import fcntl
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from tests.e2e.processes import ROOT

_MADE_WITHIN_S = 300


class Absent(Exception):
    """There is no such environment here, and this is why."""


def python_with_openai(major: int) -> str:
    """Return an interpreter that has this version of `openai`. Raises `Absent`."""
    if version("openai").startswith(f"{major}."):
        return sys.executable
    return python_of("openai-2" if major == 2 else "langchain")


def python_of(environment: str) -> str:
    """Return the interpreter of an environment of tests/clients/, made if need be. Raises `Absent`."""
    return str(_made(f"build/clients/{environment}", f"PYTHON={sys.executable}") / "bin" / "python")


def node_packages() -> str:
    """Return the folder that has the packages of tests/node. Raises `Absent`."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise Absent(f"there is no {tool} here")
    return str(_made("build/node"))


def _made(target: str, *variables: str) -> Path:
    if reason := _why_not_made(target, *variables):
        raise Absent(reason)
    return ROOT / target


@cache
def _why_not_made(target: str, *variables: str) -> str:
    """Make a target, and return why it cannot be made; "" if it can."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / ".making").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests with another interpreter want it, too
        try:
            made = subprocess.run(
                ["make", target, *variables],
                cwd=ROOT,
                check=False,
                capture_output=True,
                text=True,
                timeout=_MADE_WITHIN_S,
            )
        except subprocess.TimeoutExpired:
            return f"`make {target}` took more than {_MADE_WITHIN_S} s"
    said = [line for line in made.stderr.splitlines() if line and not line.startswith("make")]
    return f"`make {target}` failed: {(said or ['no word of why'])[-1]}" if made.returncode else ""
