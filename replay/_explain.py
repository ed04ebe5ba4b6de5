"""What a timing, and faults, make of recorded answers, part by part, without serving them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike, fspath

from tokentape import cassette
from tokentape.cassette import Exchange, Request
from tokentape.replay._errors import NothingToServe, Unservable
from tokentape.replay._load import Path
from tokentape.replay._paths import distinct, expanded
from tokentape.replay._script import Script, exchange_name, script
from tokentape.replay._wire import prepare
from tokentape.replay.faults import Fault, Faulty, faults_of, inject_all, unframed
from tokentape.replay.matching._request_key import request_key
from tokentape.replay.timing._first_token import first_token
from tokentape.replay.timing._timing import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedPart:
    """A write: when it was recorded and when it is due, in ns since the complete request, and its bytes.

    `what` is the head, a piece of the body by its number, or the end. The bytes are those on the wire.
    `recorded_ns` is None in an answer that a fault has changed: its parts are not those that were recorded.
    """

    recorded_ns: int | None
    due_ns: int
    bytes: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The schedule of an exchange. Without `parts` it is not served, and `why_not` says why."""

    source: str
    method: str
    path: str
    parts: tuple[ExplainedPart, ...] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The schedules of exchanges, in the order in which these ended, and lines about what was damaged."""

    exchanges: tuple[Explained, ...]
    lost: tuple[str, ...]


def explain(
    paths: Path | Iterable[Path],
    *,
    timing: Timing,
    exchange: int | None = None,
    faults: Iterable[Faulty] = (),
) -> Explanation:
    """Return the schedule of each exchange, or of those with the number `exchange`.

    A path may be a pattern, as for `load`. Every fault whose `model` and `path` fit is applied, whatever it
    says of how often it hits. Raises `WrongFault`, `CassetteError` for what is no readable cassette,
    `NothingToServe` if there is no such exchange, or no file that matches a pattern.
    """
    given = faults_of(faults)
    explained: list[Explained] = []
    lost: list[str] = []
    named = [paths] if isinstance(paths, str | PathLike) else paths
    names, _ = distinct(expanded([fspath(path) for path in named]))
    for name in names:
        with cassette.open(name, lenient=True) as tape:
            explained += [
                _explained(name, found, timing, given)
                for found in cassette.exchanges(tape)
                if exchange is None or found.number == exchange
            ]
            lost += [f"{name}: {damage}" for damage in tape.damage]
    if not explained:
        wanted = "an exchange" if exchange is None else f"exchange {exchange}"
        raise NothingToServe(f"{', '.join(names)}: expected {wanted}, found none")
    return Explanation(exchanges=tuple(explained), lost=tuple(lost))


def _explained(path: str, exchange: Exchange, timing: Timing, faults: tuple[Fault, ...]) -> Explained:
    request = exchange.request
    method, target = ("", "")
    if request is not None:
        method, target = request.method, request_key(request.method, request.path, b"").shown_path
    source = exchange_name(path, exchange)
    try:
        found = script(exchange)
    except Unservable as error:
        return Explained(source=source, method=method, path=target, why_not=str(error))
    if faults and request and (parts := _with_faults(exchange, request, timing, faults)):
        return Explained(source=source, method=method, path=target, parts=parts)
    names = _names(found, has_tokens=first_token(exchange) is not None)
    rows = zip(found.recorded(), found.under(timing), names, strict=True)
    parts = tuple(
        ExplainedPart(recorded_ns=recorded_ns, due_ns=due_ns, bytes=len(data), what=name)
        for (recorded_ns, _), (due_ns, data), name in rows
    )
    return Explained(source=source, method=method, path=target, parts=parts)


def _with_faults(
    exchange: Exchange, request: Request, timing: Timing, faults: tuple[Fault, ...]
) -> tuple[ExplainedPart, ...]:
    """Return the parts of an answer as faults change it; none if they do not."""
    key = request_key(request.method, request.path, request.body, request.headers)
    at_once = timing.speed == "instant"
    injected = inject_all(prepare(exchange, timing=timing), key, faults, at_once=at_once)
    if injected is None:
        return ()
    left = unframed(injected.answer)
    names = ["head", *(f"piece {number}" for number, _ in enumerate(left.pieces, 1)), "end"]
    if injected.ending != "open":
        names[-1] = "the connection is reset" if injected.ending == "reset" else "the connection is closed"
    parts = left.framed(at_once=False).parts
    names = names if left.head[1] else names[-1:]
    return tuple(
        ExplainedPart(recorded_ns=None, due_ns=due_ns, bytes=len(data), what=name)
        for (due_ns, data), name in zip(parts, names, strict=False)  # a content-length needs no end
    )


def _names(found: Script, *, has_tokens: bool) -> Iterator[str]:
    for position, (_, data) in enumerate(found.timed):
        if not data:
            yield "the connection is closed"
        elif position == 0:
            yield "head"
        elif position > found.last_piece:
            yield "end"
        elif position == found.first_token and has_tokens:
            yield f"piece {position}, first token"
        else:
            yield f"piece {position}"
