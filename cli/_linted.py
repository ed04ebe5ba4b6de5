"""What `tokentape lint` does with a file: each exchange held against its rules, in words and as an object."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tokentape import cassette
from tokentape.cassette import counted
from tokentape.cli._extras import needs
from tokentape.cli._findings_wanted import Wanted, shown_path
from tokentape.cli._lost import Checked
from tokentape.dialects.rules import DAMAGED, Finding, FoldedOver, Folds, Linted, RuleSet, folded, lint
from tokentape.progress import Follow, reading_bar

_MOST_REASONS = 4


@dataclass(frozen=True, slots=True)
class LintedExchange:
    """An exchange of a file, and what was found in it that is wanted."""

    file: str
    section: int
    number: int
    linted: Linted
    findings: list[Finding]

    @property
    def place(self) -> str:
        """The exchange; its section where there are several."""
        return f"exchange {self.number}" + (f" of section {self.section}" if self.section > 0 else "")


def lint_files(
    files: Sequence[str],
    rules: RuleSet | None,
    where: Sequence[str],
    wanted: Wanted,
    *,
    take: Callable[[LintedExchange], None],
    lost: list[str],
    errors: list[cassette.CassetteError],
    shown: bool,
) -> "list[LintedFile]":
    """Return what was found in each file that can be read; `take` gets each exchange as it is found.

    What was lost goes into `lost`, why a file cannot be read into `errors`. `shown`: with a bar on a
    terminal. Raises ValueError for a condition that cannot be understood.
    """
    looked_at = []
    with reading_bar(files, shown=shown) as follow:
        for file in files:
            seen = LintedFile(file)
            try:
                for found in lint_file(file, rules, where, wanted, lost, follow=follow):
                    seen.add(found)
                    take(found)
            except cassette.CassetteError as error:
                errors.append(error)
            else:
                looked_at.append(seen)
    return looked_at


def lint_file(
    file: str, rules: RuleSet | None, where: Sequence[str], wanted: Wanted, lost: list[str], *, follow: Follow
) -> Iterator[LintedExchange]:
    """Yield what was found in each exchange that is wanted, as they ended; what was lost goes into `lost`.

    `follow` is told how far that is. Raises ValueError for a condition that cannot be understood.
    """
    chosen = _chosen(file, where) if where else None
    with cassette.open(file, lenient=True) as tape:
        checked = Checked(tape, file)
        for exchange in follow(cassette.exchanges(checked.records()), lambda: tape.position):
            place = exchange.section_index, exchange.number
            if chosen is not None and place not in chosen:
                continue
            # Of one without an end record nobody knows whether a piece of it was lost.
            damaged = exchange.end is None and any(not damage.torn for damage in tape.damage)
            linted = lint(exchange, rules, file_is_damaged=damaged)
            found = LintedExchange(file, *place, linted, wanted.of(linted.findings))
            yield found
            if linted.skipped == DAMAGED:
                lost.append(f"{file}: {found.place}: {DAMAGED}; it is not checked")
            if linted.undecodable:
                lost.append(f"{file}: {found.place}: {linted.undecodable}")
        lost += checked.lost()


def _chosen(file: str, where: Sequence[str]) -> set[tuple[int, int]]:
    """Return the section and the number of each exchange that satisfies the conditions.

    They are those of `analyze`, on its columns, and need what it needs.
    """
    if file == "-":
        raise ValueError("expected a file beside --where, found -: it is read twice")
    with needs("analysis"):
        from tokentape.analysis import load
    exchanges = load(file, where=where, progress=False).exchanges
    return set(zip(exchanges["section"].tolist(), exchanges["exchange"].tolist(), strict=True))


@dataclass(slots=True)
class LintedFile:
    """What was found in the exchanges of a file, folded, and how many were checked or skipped, and why."""

    file: str
    folds: Folds[str] = field(default_factory=Folds)
    levels: Counter[str] = field(default_factory=Counter)
    _checked: Counter[str] = field(default_factory=Counter)
    _skipped: Counter[str] = field(default_factory=Counter)

    @property
    def exchanges(self) -> int:
        """How many exchanges there were, checked or not."""
        return self._checked.total() + self._skipped.total()

    def add(self, found: LintedExchange) -> None:
        """Count an exchange and fold its findings."""
        linted = found.linted
        if linted.rules is None:
            self._skipped[linted.skipped] += 1
            return
        how = "as asked" if linted.chosen_by == "name" else f"by {linted.chosen_by}"
        self._checked[f"{linted.rules.name} {how}"] += 1
        self.levels.update(finding.level for finding in found.findings)
        self.folds.add(found.findings, found.place)

    def lines(self) -> Iterator[str]:
        """Yield a line for each finding that exchanges have in common, the rarest first."""
        return (f"{self.file}: {_folded_words(fold)}" for fold in self.folds.rarest_first())

    def summary(self) -> str:
        """Return in a line how many exchanges were checked, against what, and what came of it."""
        words = [f"{counted(self._checked.total(), 'exchange')} checked{_by_reason(self._checked)}"]
        if self._skipped:
            words.append(f"{self._skipped.total()} skipped{_by_reason(self._skipped)}")
        kinds = Counter[str](fold.finding.level for fold in self.folds.rarest_first())
        for level, name in (("warning", "finding"), ("note", "note")):
            if kinds[level] or level == "warning":
                times = "" if self.levels[level] == kinds[level] else f" ({self.levels[level]} in all)"
                words.append(counted(kinds[level], name) + times)
        return f"{self.file}: {'; '.join(words)}"


def _by_reason(reasons: Counter[str]) -> str:
    if not reasons:
        return ""
    most = [f"{reason} ({number})" for reason, number in reasons.most_common(_MOST_REASONS)]
    others = reasons.total() - sum(number for _, number in reasons.most_common(_MOST_REASONS))
    return ": " + ", ".join(most + [f"others ({others})"] * (others > 0))


def _folded_words(fold: FoldedOver[str]) -> str:
    finding = fold.finding
    if fold.streams == fold.events == 1:
        return _words(finding, fold.place)
    choice = _choice(finding)
    said = f"expected {finding.expected}, found {finding.found}"
    if fold.streams == 1:
        events = f"in {fold.events} events, first event {finding.event}"
        return f"{fold.place}{choice}: {_named(finding)} {events}: {said}"
    events = "" if fold.events == fold.streams else f" ({fold.events} events)"
    first = f"first {fold.place}{choice}, event {finding.event}"
    return f"{_named(finding)} in {fold.streams} exchanges{events}, {first}: {said}"


def each_line(found: LintedExchange) -> Iterator[str]:
    """Yield a line for every finding in an exchange."""
    return (f"{found.file}: {_words(finding, found.place)}" for finding in found.findings)


def _words(finding: Finding, place: str) -> str:
    at = f"{place}{_choice(finding)}, event {finding.event}"
    named = _named(finding, finding.path.removeprefix("$").removeprefix("."))
    return f"{at}: {named}: expected {finding.expected}, found {finding.found}"


def _choice(finding: Finding) -> str:
    return "" if finding.choice is None else f", choice {finding.choice}"


def _named(finding: Finding, path: str | None = None) -> str:
    """Return the level of a finding if it is a note, its code, and where in the event it is."""
    path = shown_path(finding) if path is None else path
    return " ".join(["note:"] * (finding.level == "note") + [finding.code] + [path] * bool(path))


def as_objects(found: LintedExchange, *, each: bool) -> dict[str, Any]:
    """Return an exchange and its findings as an object for JSON."""
    linted = found.linted
    return {
        "file": found.file,
        "section": found.section,
        "exchange": found.number,
        "rules": linted.rules.name if linted.rules else None,
        "chosen_by": linted.chosen_by or None,
        "skipped": linted.skipped or None,
        "events": linted.events,
        "findings": [
            msgspec.to_builtins(finding) | {"events": events}
            for finding, events in _findings(found.findings, each=each)
        ],
    }


def _findings(findings: Sequence[Finding], *, each: bool) -> Iterable[tuple[Finding, int]]:
    if each:
        return [(finding, 1) for finding in findings]
    return [(fold.finding, fold.events) for fold in folded(findings)]
