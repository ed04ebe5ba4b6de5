"""Which answer a request gets: from the recording, or a 404 that says what came nearest; both are counted.

404 because SDKs retry 408, 409, 429 and 5xx, which would hide a miss behind waiting. The list of models is
made of what was recorded, if it was not recorded itself.

There is no port here and nothing waits. Invariant: every request that comes is counted once, as served, as
missed, as a list of models, or as asked of the API itself; one that is to be answered again, not before that.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tokentape.replay._base_path import base_path
from tokentape.replay._journal import Journal
from tokentape.replay._load import Recorded, Repertoire
from tokentape.replay._models import listed, models_response
from tokentape.replay._openai_error import error_response
from tokentape.replay._reply import Ending, Reply
from tokentape.replay._stats import Rows, Served, Stats
from tokentape.replay._wire import Answer
from tokentape.replay.faults import Fault, Faulty, Injector, Status
from tokentape.replay.live._asking import Asking
from tokentape.replay.matching._matcher import Matcher, Miss
from tokentape.replay.matching._matching import Matching
from tokentape.replay.matching._misses import Misses
from tokentape.replay.matching._request_key import RequestKey, request_key
from tokentape.replay.serving._requests import IncomingRequest


class Chosen(NamedTuple):
    """A recorded answer as faults left it, what becomes of the connection after it, and how long it took."""

    answer: Answer
    ending: Ending
    recorded_ns: int


class Answering:
    """Answers requests from a repertoire, one at a time."""

    def __init__(
        self,
        repertoire: Repertoire,
        *,
        matching: Matching | None = None,
        faults: Iterable[Faulty] = (),
        asking: Asking | None = None,
    ) -> None:
        self._asking = asking
        self._injector = Injector(faults)
        self._at_once = repertoire.timing.speed == "instant"
        self._matching = Matching.chosen(matching)
        self._matcher: Matcher[Recorded] = Matcher(repertoire.recorded, self._matching)
        self._models = _models(repertoire)
        self._gone: tuple[Served, ...] = ()
        self._misses = Misses()
        self.journal = Journal()
        """What came, and what became of it."""
        self._models_listed = 0
        self._claimed: set[int] = set()  # recorded while serving, and the end of an answer waited for it
        self.base_path = base_path(recorded.key.path for recorded in repertoire.recorded)
        """What the recorded paths begin with, as /v1."""
        self.hosts = _hosts(repertoire)
        """The recorded hosts with their ports, as api.example:443."""

    @property
    def stats(self) -> Stats:
        """What was served, missed and listed so far."""
        return Stats(
            served=_rows(self._matcher, self._gone),
            missed=self._misses.kinds,
            misses=self._misses.count,
            models_listed=self._models_listed,
            live=self._asking.stats if self._asking else None,
            faults=self._injector.hits,
        )

    @property
    def exchanges(self) -> int:
        """How many recorded exchanges there are."""
        return len(self._matcher.recorded)

    @property
    def explanations(self) -> tuple[str, ...]:
        """What was answered to each request that matched nothing, the first hundred of them."""
        return self._misses.explanations

    def reset(self) -> None:
        """Begin again: every request gets its first answer, and nothing was served, missed or seen.

        What counts for the faults in force begins again, too.
        """
        self.start_again()
        self.forget()

    def start_again(self) -> None:
        """Do the part of `reset` that is done once for all processes that count together."""
        self._injector.start_again()
        self._matcher.start_again()
        self.journal.start_again()

    def forget(self) -> None:
        """Do the part of `reset` that each of such processes does, after the other one."""
        self._injector.forget()
        self._gone = ()
        self._misses = Misses()
        self.journal.clear()
        self._models_listed = 0
        if self._asking is not None:
            self._asking.reset()

    def reply_to(self, request: IncomingRequest) -> Reply:
        """Return what a request is answered with on its connection, and count it."""
        found = self.answer_to(request)
        if isinstance(found, Reply):
            return found
        answer, ending, recorded_ns = found
        if request.http_version == "1.0":
            return Reply(parts=answer.for_http10(), ending=_at_last(ending), recorded_ns=recorded_ns)
        if not request.keep_alive:
            return Reply(parts=answer.closing(), ending=_at_last(ending), recorded_ns=recorded_ns)
        return Reply(parts=answer.parts, ending=ending, recorded_ns=recorded_ns)

    def answer_to(self, request: IncomingRequest) -> Chosen | Reply:
        """Return what was recorded for a request, or a reply of our own to it, and count it."""
        key = request_key(
            request.method,
            request.target,
            request.body,
            request.headers,
            scheme=request.scheme,
            authority=request.authority,
        )
        recorded = self._matcher.take(key)
        if recorded is None and self.learn():
            recorded = self._matcher.take(key)
        if recorded is None:
            return self._unrecorded(request, key)
        answer = recorded.answer
        ending: Ending = "close" if answer.closes else "open"
        recorded_ns = answer.recorded_ns if recorded.times == "all" else 0
        injected = self._injector.inject(answer, key, at_once=self._at_once)
        if injected is None:
            self.journal.add(key, outcome="served", status=recorded.status, source=recorded.source)
            return Chosen(answer, ending, recorded_ns)
        if injected.spoiled:
            self._matcher.give_back()
        hit = [self._injector.faults[position] for position in injected.hit]
        statuses = (each.effect.status for each in hit if isinstance(each.effect, Status))
        status = next(statuses, recorded.status)
        self.journal.add(key, outcome="served", status=status, source=recorded.source, faults=hit)
        return Chosen(injected.answer, injected.ending, 0)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong with answers, in the order in which it is applied."""
        return self._injector.faults

    def set_faults(self, faults: Iterable[Faulty]) -> None:
        """Have these faults, and no others, from the next request on; all that they count begins anew.

        What has hit so far stays in `stats`. Raises `WrongFault`, and changes nothing, if one makes no sense.
        """
        self._injector.set_faults(faults)

    def share_counts(self) -> None:
        """Take turns together with processes that are forked from now on."""
        self._matcher.counters.share()
        self._injector.share_counts()
        self.journal.share_counts()

    def make_room_for_faults(self, faults: Iterable[Faulty]) -> None:
        """Have the faults that are set next begin to count from 0, in all processes that count together.

        Raises `WrongFault`, and changes nothing, where `set_faults` would.
        """
        self._injector.make_room(faults)

    def miss(self, key: RequestKey, miss: Miss) -> None:
        """Count a request that is refused before anything recorded is looked for."""
        self._misses.add(key, miss)

    def learn(self) -> bool:
        """Answer from now on also what was recorded meanwhile; return whether there is any."""
        found = self._asking.appended() if self._asking else []
        for recorded in found:
            self._matcher.add(recorded)
        if found:
            self._models = tuple(dict.fromkeys([*self._models, *(m for item in found for m in item.models)]))
        return bool(found)

    def prepare(self, repertoire: Repertoire) -> Matcher[Recorded]:
        """Return what `replace` takes; it may take long, and may be done in another thread."""
        return Matcher(repertoire.recorded, self._matching)

    def replace(self, repertoire: Repertoire, prepared: Matcher[Recorded] | None = None) -> None:
        """Answer from another repertoire from now on. `prepared` is what `prepare` made of it.

        What was asked and served counts on for exchanges that are in both. What is no longer there stays
        in `stats` if it was served.
        """
        matcher = prepared or self.prepare(repertoire)
        matcher.go_on_from(self._matcher.counts())
        there = {(recorded.source, recorded.key) for recorded in matcher.recorded}
        before = zip(self._matcher.recorded, self._matcher.counters.served, strict=True)
        self._gone += tuple(
            _row(recorded, times)
            for recorded, times in before
            if times and (recorded.source, recorded.key) not in there
        )
        self._matcher = matcher
        self.base_path = base_path(recorded.key.path for recorded in repertoire.recorded)
        self.hosts = _hosts(repertoire)
        self._models = _models(repertoire)

    def _unrecorded(self, request: IncomingRequest, key: RequestKey) -> Reply:
        close = not request.keep_alive or request.http_version == "1.0"
        ending: Ending = "close" if close else "open"
        code = self._matcher.code(key)
        asks = key.method in ("GET", "HEAD") and code == "not_recorded"
        if asks and (self._models or self._asking is None):
            path = key.path.partition(b"?")[0].decode("utf-8", "replace")
            if (models := listed(path, self.base_path, self._models)) is not None:
                self._models_listed += 1
                self.journal.add(key, outcome="models", status=200)
                return Reply(
                    now=models_response(models, with_body=key.method == "GET", close=close), ending=ending
                )
        if self._asking is not None and self._asking.takes(code, self._matching):
            reason = self._asking.refuses(request)
            if reason is None:
                before = self._asking.after_given_up(lambda other: self._matcher.is_same(key, other))
                return Reply(live=before, again=True) if before else self._asked(self._asking, request, key)
            line = f"{key} is not in the recording and not asked live: {reason}"
            miss = Miss(code="not_asked", lines=(line,), status=403)
        else:
            miss = self._matcher.why_not(key)
        self._misses.add(key, miss)
        explanation = "\n".join(miss.lines)
        self.journal.add(key, outcome="missed", status=miss.status, explanation=explanation)
        response = error_response(
            miss.status,
            explanation,
            kind="invalid_request_error",
            code=miss.code,
            with_body=key.method != "HEAD",
            close=close,
        )
        return Reply(now=response, ending=ending)

    def _asked(self, asking: Asking, request: IncomingRequest, key: RequestKey) -> Reply:
        known = len(self._matcher.recorded)
        entry = self.journal.add(key, outcome="live", status=None)
        return asking.ask(
            request,
            key,
            is_recorded=lambda: self._claim(key, known),
            answered=lambda status: self.journal.answered(entry, status),
        )

    def _claim(self, key: RequestKey, known: int) -> bool:
        """Return whether one more was recorded for a request since so many exchanges were known.

        Each recorded one counts for one of those who have asked for the same at once.
        """
        self.learn()
        found = [index for index in self._matcher.row(key) if index >= known and index not in self._claimed]
        self._claimed.update(found[:1])
        return bool(found)


def _at_last(ending: Ending) -> Ending:
    """Return how the last answer of a connection ends it."""
    return "close" if ending == "open" else ending


def _hosts(repertoire: Repertoire) -> frozenset[str]:
    return frozenset(filter(None, (recorded.key.host for recorded in repertoire.recorded)))


def _models(repertoire: Repertoire) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for recorded in repertoire.recorded for name in recorded.models))


def _rows(matcher: Matcher[Recorded], gone: tuple[Served, ...]) -> Rows:
    recorded = matcher.recorded
    return Rows([*matcher.counters.served], lambda number, times: _row(recorded[number], times), more=gone)


def _row(recorded: Recorded, times: int) -> Served:
    return Served(
        method=recorded.key.method,
        path=recorded.key.shown_path,
        status=recorded.status,
        source=recorded.source,
        times=times,
        timed=recorded.times == "all",
        added=recorded.added,
    )
