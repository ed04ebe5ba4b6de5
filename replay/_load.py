"""Cassettes in, what can be served out: everything is read and prepared before the first request.

What is damaged is passed over, and said. Invariant: every exchange of the cassettes is in `recorded`, or
a line in `lost` or `remarks` says why it is not.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from typing import TypeAlias

from tokentape import cassette
from tokentape.cassette import Exchange, Times, authority
from tokentape.replay._errors import NothingToServe, Unservable
from tokentape.replay._models import models_of
from tokentape.replay._paths import distinct, expanded
from tokentape.replay._script import exchange_name
from tokentape.replay._store import Store
from tokentape.replay._wire import Answer, prepare
from tokentape.replay.matching._request_key import RequestKey, request_key
from tokentape.replay.timing._quantities import Speed
from tokentape.replay.timing._timing import Timing

Path: TypeAlias = str | PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One exchange to replay. `source` names it for people: the cassette and its number in it."""

    key: RequestKey
    answer: Answer
    status: int | None
    source: str
    times: Times = "all"
    """Which of its times are known; an answer does not wait for one that is not."""
    models: tuple[str, ...] = ()
    """The models that were asked for and that answered, as far as it says."""
    added: bool = False
    """Whether it was recorded while it was served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repertoire:
    """What cassettes hold to be served, in order of recording, prepared for one `timing`.

    `lost` are lines about what was damaged and could not be used; `remarks` are lines about what is
    whole but cannot be served, or was interrupted.
    """

    recorded: tuple[Recorded, ...]
    timing: Timing = field(default_factory=Timing)
    lost: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    """The cassettes that are damaged or have no close record, as one that is being written."""


def load(
    paths: Path | Iterable[Path],
    *,
    speed: Speed | None = None,
    timing: Timing | None = None,
    growing: Path | None = None,
) -> Repertoire:
    """Read one cassette or several, and prepare all answers for `timing`, or for `speed`, its short form.

    A path may be a pattern, such as `tapes/*.tape` or `tapes/**/*.tape`: it is the files that match it,
    in order of their names. A file that is named twice is served once, and a remark says so. The order of
    recording is that of the paths, then of sections, then of the times at which requests were complete.
    Raises `CassetteError` for what is no readable cassette,
    `NothingToServe` if no exchange is left or no file matches a pattern, ValueError for a speed that is
    none, for speed and timing together, and for standard input ("-") twice. With one that is `growing`, since
    it will be recorded to, nothing has to be recorded yet, and the file need not be there.
    """
    timing = Timing.chosen(speed, timing)
    given = [fspath(path) for path in ([paths] if isinstance(paths, str | PathLike) else paths)]
    if not given:
        raise NothingToServe("expected the path of a cassette or several, found none")
    names, again = distinct(expanded(given))
    if names.count("-") > 1:
        raise ValueError('expected "-" once, since standard input can be read once')
    if growing is not None and not os.path.exists(growing):
        names = [name for name in names if name != fspath(growing)]
    recorded: list[Recorded] = []
    lost: list[str] = []
    remarks = [f"{name}: this file is named more than once; it is served once" for name in again]
    unfinished: list[str] = []
    with Store() as store:
        for name in names:
            recorded += _load_one(name, timing, store, lost, remarks, unfinished)
    if not recorded and growing is None:
        found = [*lost, *remarks] or ["it is empty"]
        reasons = "; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
        raise NothingToServe(
            f"{', '.join(names)}: expected at least one exchange with its answer, found none: {reasons}"
        )
    return Repertoire(
        recorded=tuple(recorded),
        timing=timing,
        lost=tuple(lost),
        remarks=tuple(remarks),
        unfinished=tuple(unfinished),
    )


def _load_one(
    name: str, timing: Timing, store: Store, lost: list[str], remarks: list[str], unfinished: list[str]
) -> list[Recorded]:
    with cassette.open(name, lenient=True) as tape:
        found = list(_prepared(name, tape, timing, store, lost, remarks))
        lost += [f"{name}: {damage}" for damage in tape.damage]
        unfinished += [name] if tape.interrupted or tape.damage else []
        if tape.interrupted and not tape.damage:
            remarks.append(f"{name}: the recording was interrupted (it has no close record)")
    untimed = sum(recorded.times != "all" for _, recorded in found)
    if untimed:
        remarks.append(
            f"{name}: {untimed} of {len(found)} exchanges came from a format without the times of pieces; "
            "these are sent without waiting"
        )
    found.sort(key=lambda pair: pair[0])
    return [recorded for _, recorded in found]


def _prepared(
    name: str, tape: cassette.Reader, timing: Timing, store: Store, lost: list[str], remarks: list[str]
) -> Iterator[tuple[tuple[int, int, int], Recorded]]:
    for exchange in cassette.exchanges(tape):
        source = exchange_name(name, exchange)
        try:
            recorded = recorded_of(exchange, name, timing)
        except Unservable as error:
            was_lost = exchange.request is None or exchange.lost_chunks > 0
            (lost if was_lost else remarks).append(f"{source} is not served: {error}")
            continue
        if exchange.request is not None:  # else it was refused
            kept = replace(recorded.answer, parts=store.add(recorded.answer.parts))
            place = (exchange.section_index, exchange.request.t_end, exchange.number)
            yield place, replace(recorded, answer=kept)


def recorded_of(exchange: Exchange, name: str, timing: Timing, *, added: bool = False) -> Recorded:
    """Return an exchange of the cassette of this name as it is served. Raises `Unservable`."""
    answer = prepare(exchange, timing=timing)
    request = exchange.request
    if request is None:
        raise Unservable("its request was lost")
    return Recorded(
        key=request_key(
            request.method,
            request.path,
            request.body,
            request.headers,
            scheme=request.scheme,
            authority=authority(request.host, request.port),
        ),
        answer=answer,
        status=exchange.response.status if exchange.response else None,
        source=exchange_name(name, exchange),
        times=request.times,
        models=models_of(exchange),
        added=added,
    )
