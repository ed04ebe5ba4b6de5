"""What is said of a verified cassette: the verdict, what was found where, and what to do next."""

import shlex
from itertools import islice
from typing import Any

from tokentape.cassette import counted
from tokentape.cli._examination import Examination
from tokentape.cli._safe_text import safe_text

_SHOWN = 20


def verdict_lines(found: Examination) -> list[str]:
    """Return the verdict on the first line, and below it its reasons and the next command."""
    checked, name = found.verification, safe_text(found.path)
    what = f"{counted(found.survey.exchanges, 'exchange')}, {counted(found.survey.chunks, 'piece')}"
    lines = [*map(str, found.damage[:_SHOWN])]
    if len(found.damage) > _SHOWN:
        lines.append(f"and {len(found.damage) - _SHOWN} more damaged places")
    lines += [
        f"{'missing' if each.is_loss else 'warning'}: {each}" for each in islice(checked.findings, _SHOWN)
    ]
    if (more := checked.losses + checked.warnings - _SHOWN) > 0:
        lines.append(f"and {more} more of such")
    if checked.unclosed:
        sections = ", ".join(map(str, checked.unclosed[:_SHOWN]))
        lines.append(
            f"no close record in section {sections}: the recorder still runs, or did not stop cleanly; "
            f"{counted(checked.unended, 'exchange')} without an end"
        )
    return [f"{name}: {found.verdict}: {what}", *(f"  {safe_text(line)}" for line in [*lines, *_next(found)])]


def verdict_object(found: Examination) -> dict[str, Any]:
    """Return the same, and all of it, as an object for JSON."""
    checked = found.verification
    return {
        "file": found.path,
        "verdict": found.verdict,
        "exchanges": found.survey.exchanges,
        "pieces": found.survey.chunks,
        "damage": [each._asdict() for each in found.damage],
        "findings": [each._asdict() for each in checked.findings],
        "losses": checked.losses,
        "warnings": checked.warnings,
        "unclosed_sections": checked.unclosed,
        "interrupted_exchanges": checked.unended,
        "error": None,
    }


def unusable_object(path: str, error: str) -> dict[str, Any]:
    """Return the object for a file that could not be read as a cassette at all."""
    return {
        "file": path,
        "verdict": "unusable",
        "exchanges": 0,
        "pieces": 0,
        "damage": [],
        "findings": [],
        "losses": 0,
        "warnings": 0,
        "unclosed_sections": [],
        "interrupted_exchanges": 0,
        "error": error,
    }


def recover_command(path: str) -> str:
    """Return the command that mends a cassette."""
    stem, dot, ending = path.removesuffix(".zst").rpartition(".")
    out = f"{stem}.recovered.{ending}" if dot and stem else f"{path}.recovered.tape"
    if path == "-":
        out = "recovered.tape"
    return f"tokentape recover {shlex.quote(path)} {shlex.quote(out)}"


def _next(found: Examination) -> list[str]:
    match found.verdict:
        case "corrupt" if found.is_newer:  # whoever recovers it would lose what is whole to others
            return ["next: pip install --upgrade tokentape"]
        case "torn" | "corrupt" if found.damage:
            return [f"next: {recover_command(found.path)}"]
        case "corrupt":
            return ["next: nothing; what is missing is lost, and the other exchanges can be used"]
        case "interrupted":
            return ["next: nothing; all that was written is there and can be used"]
        case _:
            return []
