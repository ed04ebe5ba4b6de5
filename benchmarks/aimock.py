"""aimock, a mock server of the field for Node, installed from npm where it is not there yet.

It is kept in `build/`. Where npm, Node or the network are missing there is `Missing`, with the reason.
"""

import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

_VERSION = "1.43.0"
_BUILD = Path(__file__).parents[1] / "build"
_FOLDER = _BUILD / f"aimock-{_VERSION}"
_QUIETLY = ("--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error")
_TIMEOUT_S = 120


class Missing(Exception):
    """aimock cannot be run here; the message says why."""


def command() -> tuple[str, ...]:
    """Return what starts aimock, less its options. Raises `Missing`."""
    found = _tried()
    if isinstance(found, Missing):
        raise found
    return found


@cache
def _tried() -> tuple[str, ...] | Missing:
    """Try once: where npm waits for a network that is not there, it does so for minutes."""
    try:
        return _installed()
    except Missing as missing:
        return missing


def _installed() -> tuple[str, ...]:
    if not _FOLDER.exists():
        _BUILD.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=_BUILD) as folder:
            _done("npm", "install", "--prefix", folder, *_QUIETLY, f"@copilotkit/aimock@{_VERSION}")
            with suppress(OSError):  # another process was first
                Path(folder, "node_modules").rename(_FOLDER)
    script = str(_FOLDER / "@copilotkit" / "aimock" / "dist" / "cli.js")
    _done("node", script, "--help")
    return "node", script


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
