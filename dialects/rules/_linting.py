"""An exchange of a cassette held against the rules: pure, a value in and a value out, and nothing raises."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tokentape.cassette import Exchange, UndecodableContent, counted, decoded, header, request_body
from tokentape.dialects._choosing import choose
from tokentape.dialects._framing import events_of, is_lines
from tokentape.dialects._json import dict_of, parse, text_of
from tokentape.dialects._outcome import has_no_body, is_damaged, is_success
from tokentape.dialects._transcript import path_of
from tokentape.dialects.rules._checking import check
from tokentape.dialects.rules._choosing import choose_rules
from tokentape.dialects.rules._finding import Finding, Folded
from tokentape.dialects.rules._rule_set import RuleSet

_INDEX = re.compile(r"\[\d+\]")
_MODELS_LOOKED_AT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What was found in one exchange.

    `skipped` says why it was not checked, "" if it was; `rules` are None then. `chosen_by` is `host`,
    `model`, `shape`, `dialect`, or `name` for rules that were asked for. `undecodable` says why not all of
    the body could be decoded, "" if it could.
    """

    rules: RuleSet | None = None
    chosen_by: str = ""
    skipped: str = ""
    undecodable: str = ""
    events: int = 0
    findings: list[Finding] = field(default_factory=list)


def lint(exchange: Exchange, rules: RuleSet | None = None, *, file_is_damaged: bool = False) -> Linted:
    """Return where the answer of an exchange departs from the rules, or those that it looks to be under.

    `file_is_damaged`: parts of an exchange without an end record may be lost.
    """
    request, response, end = exchange.request, exchange.response, exchange.end
    if is_damaged(request, response, end, chunks=len(exchange.chunks), file_is_damaged=file_is_damaged):
        return Linted(skipped="parts of it are lost to damage")
    if response is None:
        return Linted(skipped="no answer")
    if not is_success(response.status):
        return Linted(skipped=f"HTTP status {response.status}")
    pieces, undecodable = decoded(exchange)
    events = list(events_of(exchange, pieces))
    if undecodable is not None and not events:
        return Linted(skipped=undecodable, undecodable=undecodable)
    is_stream = (
        is_lines(response.headers) or "event-stream" in header(response.headers, b"content-type").lower()
    )
    if (not events and not is_stream) or has_no_body(request, response, with_bytes=any(pieces)):
        return Linted(skipped="not streamed")
    asked = {}
    if request is not None:
        try:
            asked = dict_of(parse(request_body(request)))
        except UndecodableContent:
            asked = {}
    by = "name"
    if rules is None:
        dialect = choose(path_of(request) if request else "", events, pieces)
        models = [asked, *(dict_of(parse(event.data)) for event in events[:_MODELS_LOOKED_AT])]
        rules, by = choose_rules(
            dialect,
            events,
            host=request.host if request else "",
            models=[text_of(each.get("model")) for each in models],
        )
        if rules is None:
            return Linted(skipped=f"no rules for the dialect {dialect.name}")
    whole = end is not None and end.reason in ("complete", "upstream-error") and undecodable is None
    lines = [] if is_lines(response.headers) else pieces
    findings = check(events, rules, pieces=lines, whole=whole, asked=asked)
    return Linted(
        rules=rules, chosen_by=by, events=len(events), findings=findings, undecodable=undecodable or ""
    )


def folded(findings: Iterable[Finding]) -> list[Folded]:
    """Return each finding once, with the number of events that have it: the first stands for all.

    Findings are the same if what was expected, of which choice, and where in the event are, whichever
    item of an array it is.
    """
    firsts: dict[tuple[str, int | None, str, str], Finding] = {}
    events: dict[tuple[str, int | None, str, str], set[int]] = {}
    for finding in findings:
        path = anywhere(finding.path)
        key = (finding.code, finding.choice, path, finding.expected)
        firsts.setdefault(key, finding)
        events.setdefault(key, set()).add(finding.event)
    return [Folded(finding, len(events[key])) for key, finding in firsts.items()]


def anywhere(path: str) -> str:
    """Return a path without the places in its arrays."""
    return _INDEX.sub("[]", path)


def summary(linted: Linted) -> str:
    """Return in words what an exchange was held against, and how many findings there are."""
    if linted.rules is None:
        return f"skipped: {linted.skipped}"
    how = "as asked" if linted.chosen_by == "name" else f"by its {linted.chosen_by}"
    return f"held against {linted.rules.name} ({how}): {counted(len(linted.findings), 'finding')}"
