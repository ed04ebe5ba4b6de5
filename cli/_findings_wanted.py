"""Which findings `tokentape lint` tells of: `--only` and `--ignore`, each a code, or a code and a path."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click

from tokentape.dialects.rules import CODES, Finding, anywhere


@dataclass(frozen=True, slots=True)
class Pattern:
    """Findings of a code, at a path and inside of it; "" is anywhere."""

    code: str
    path: str = ""

    def matches(self, finding: Finding) -> bool:
        """Whether it is such a finding. Which item of an array it is in does not count."""
        if finding.code != self.code:
            return False
        return self._has(shown_path(finding))

    def covers(self, other: "Pattern") -> bool:
        """Whether all that matches the other matches this."""
        return self.code == other.code and self._has(other.path)

    def _has(self, path: str) -> bool:
        return not self.path or path == self.path or path.startswith((f"{self.path}.", f"{self.path}["))


class PatternType(click.ParamType["Pattern"]):
    """CODE or CODE:PATH, the path as `lint` prints it."""

    name = "CODE[:PATH]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Pattern:
        if isinstance(value, Pattern):
            return value
        code, _, path = str(value).partition(":")
        if code not in CODES:
            self.fail(f"expected a code of docs/lint.md, such as unknown-field, found {code!r}", param, ctx)
        return Pattern(code, anywhere(path).removeprefix("$").removeprefix("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Those that match one of `only`, where it has any, and none of `ignored`."""

    only: Sequence[Pattern] = ()
    ignored: Sequence[Pattern] = ()

    def __post_init__(self) -> None:
        if self.only and all(any(other.covers(each) for other in self.ignored) for each in self.only):
            raise click.UsageError("expected --only to leave some finding that --ignore does not, found none")

    def of(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the wanted ones."""
        return [
            finding
            for finding in findings
            if (not self.only or any(pattern.matches(finding) for pattern in self.only))
            and not any(pattern.matches(finding) for pattern in self.ignored)
        ]


def shown_path(finding: Finding) -> str:
    """Return where in the event a finding is, as it is printed and asked for; "" for all of the event."""
    return anywhere(finding.path).removeprefix("$").removeprefix(".")
