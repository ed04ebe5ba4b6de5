"""aimock, a mock server of the field for Node, installed from npm where it is not there yet.

`build/bench` keeps it. Where npm, Node or the network are missing there is `Missing`, with the reason.
"""

import subprocess
from functools import cache
from pathlib import Path

_VERSION = "1.43.0"
_FOLDER = Path(__file__).parents[1] / "build" / "bench"
_TIMEOUT_S = 120


class Missing(Exception):
    """aimock cannot be run here; the message says why."""


@cache
def command() -> tuple[str, ...]:
    """Return what starts aimock, less its options. Raises `Missing`."""
    package = _FOLDER / "node_modules" / "@copilotkit" / "aimock"
    script = package / "dist" / "cli.js"
    if not (script.exists() and f'"version": "{_VERSION}"' in (package / "package.json").read_text()):
        _FOLDER.mkdir(parents=True, exist_ok=True)
        _done("npm", "install", "--prefix", str(_FOLDER), *_QUIETLY, f"@copilotkit/aimock@{_VERSION}")
    _done("node", str(script), "--help")
    return "node", str(script)


_QUIETLY = ("--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error")


def _done(*arguments: str) -> None:
    try:
        subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except FileNotFoundError:
        raise Missing(f"{arguments[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{arguments[0]} took longer than {_TIMEOUT_S} s") from None
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()] or [f"exit {error.returncode}"]
        raise Missing(f"{arguments[0]}: {lines[-1]}") from None
