"""An exchange of a cassette held against the rules: pure, a value in and a value out, and nothing raises."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from tokentape.cassette import Exchange, UndecodableContent, decoded, header, request_body
from tokentape.dialects._choosing import choose
from tokentape.dialects._framing import events_of, is_lines
from tokentape.dialects._json import dict_of, parse, text_of
from tokentape.dialects._outcome import has_no_body, is_damaged, is_success
from tokentape.dialects._transcript import path_of
from tokentape.dialects.rules._checking import check
from tokentape.dialects.rules._choosing import choose_rules
from tokentape.dialects.rules._finding import Finding
from tokentape.dialects.rules._openai_chat import OPENAI_CHAT
from tokentape.dialects.rules._rule_set import RuleSet

_MODELS_LOOKED_AT = 8
DAMAGED = "parts of it are lost to damage"
"""Why an exchange is skipped of which not all is there."""


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
        return Linted(skipped=DAMAGED)
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
    findings = _of_a_stranger(findings) if rules is OPENAI_CHAT and by == "dialect" else findings
    return Linted(
        rules=rules, chosen_by=by, events=len(events), findings=findings, undecodable=undecodable or ""
    )


def _of_a_stranger(findings: list[Finding]) -> list[Finding]:
    """Return the findings in the stream of a provider that nobody here knows: what it adds is a note."""
    return [replace(each, level="note") if each.code == "unknown-field" else each for each in findings]
