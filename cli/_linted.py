"""What `tokentape lint` does with a file: each exchange held against its rules, in words and as an object."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tokentape import cassette
from tokentape.cli._extras import needs
from tokentape.cli._lost import missing_pieces
from tokentape.dialects.rules import Finding, Linted, RuleSet, anywhere, folded, lint, summary


@dataclass(frozen=True, slots=True)
class LintedExchange:
    """An exchange of a file, and what was found in it."""

    file: str
    exchange: cassette.Exchange
    linted: Linted

    @property
    def place(self) -> str:
        """The file and the exchange; its section where there are several."""
        section = self.exchange.section_index
        of_section = f" of section {section}" if section > 0 else ""
        return f"{self.file}: exchange {self.exchange.number}{of_section}"


def lint_file(
    file: str, rules: RuleSet | None, where: Sequence[str], lost: list[str]
) -> Iterator[LintedExchange]:
    """Yield what was found in each exchange that is wanted, as they ended; what was lost goes into `lost`.

    Raises ValueError for a condition that cannot be understood.
    """
    wanted = _wanted(file, where) if where else None
    with cassette.open(file, lenient=True) as tape:
        for exchange in cassette.exchanges(tape):
            if wanted is not None and (exchange.section_index, exchange.number) not in wanted:
                continue
            # Of one without an end record nobody knows whether a piece of it was lost.
            damaged = exchange.end is None and any(not damage.torn for damage in tape.damage)
            found = LintedExchange(file, exchange, lint(exchange, rules, file_is_damaged=damaged))
            yield found
            lost += missing_pieces(exchange, file)
            if found.linted.undecodable:
                lost.append(f"{found.place}: {found.linted.undecodable}")
        lost += [f"{file}: {damage}" for damage in tape.damage]


def _wanted(file: str, where: Sequence[str]) -> set[tuple[int, int]]:
    """Return the section and the number of each exchange that satisfies the conditions.

    They are those of `analyze`, on its columns, and need what it needs.
    """
    if file == "-":
        raise ValueError("expected a file beside --where, found -: it is read twice")
    with needs("analysis"):
        from tokentape.analysis import load
    exchanges = load(file, where=where).exchanges
    return set(zip(exchanges["section"].tolist(), exchanges["exchange"].tolist(), strict=True))


def summary_line(found: LintedExchange) -> str:
    """Return what an exchange was held against and how many findings there are, or why it was skipped."""
    return f"{found.place}: {summary(found.linted)}"


def finding_lines(found: LintedExchange, *, each: bool) -> Iterator[str]:
    """Yield a line for each finding, or for `each` time that it was found."""
    for finding, events in _findings(found.linted.findings, each=each):
        choice = "" if finding.choice is None else f", choice {finding.choice}"
        where = finding.path if events == 1 else anywhere(finding.path)
        path = "" if where == "$" else f" {where.removeprefix('$.')}"
        if events == 1:
            place = f"{found.place}{choice}, event {finding.event}"
            yield f"{place}: {finding.code}{path}: expected {finding.expected}, found {finding.found}"
        else:
            times = f"in {events} events, first event {finding.event}"
            yield (
                f"{found.place}{choice}: {finding.code}{path} {times}: "
                f"expected {finding.expected}, found {finding.found}"
            )


def as_objects(found: LintedExchange, *, each: bool) -> dict[str, Any]:
    """Return an exchange and its findings as an object for JSON."""
    linted = found.linted
    return {
        "file": found.file,
        "section": found.exchange.section_index,
        "exchange": found.exchange.number,
        "rules": linted.rules.name if linted.rules else None,
        "chosen_by": linted.chosen_by or None,
        "skipped": linted.skipped or None,
        "events": linted.events,
        "findings": [
            msgspec.to_builtins(finding) | {"events": events}
            for finding, events in _findings(linted.findings, each=each)
        ],
    }


def _findings(findings: Sequence[Finding], *, each: bool) -> Iterable[tuple[Finding, int]]:
    if each:
        return [(finding, 1) for finding in findings]
    return [(fold.finding, fold.events) for fold in folded(findings)]
