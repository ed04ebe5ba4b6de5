"""One exchange measured: its answer, the times of its reads, and its streams. Pure: a value in, a value out.

This is the unit that tables are made of, and what another process could compute by itself.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

from tokentape.analysis.measuring._answer import Answer, answer_of
from tokentape.analysis.measuring._bill import judged
from tokentape.analysis.measuring._columns import Ints, ints
from tokentape.analysis.measuring._damage import REPEATED, damage_of
from tokentape.analysis.measuring._definitions import redefined
from tokentape.analysis.measuring._metrics import Around, Measures, measure
from tokentape.analysis.measuring._reading import AS_IT_IS, Reading
from tokentape.analysis.measuring._reason import Why
from tokentape.analysis.measuring._token_stream import TokenStream, streams_of
from tokentape.analysis.measuring._tokenizers import recounted
from tokentape.analysis.measuring._tool_tokens import as_seen, has_error_event
from tokentape.cassette import Exchange, Request, Times
from tokentape.dialects import Outcome, has_no_body, is_success, outcome_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredStream:
    """One choice of an answer with its outcome and numbers."""

    stream: TokenStream
    outcome: Outcome
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredExchange:
    """An exchange, what its answer says, and when each read came.

    `exchange` is without its pieces, which would be most of the memory. `read_ns` is since the request
    was complete; where the exchange is not timed (`timed`), it holds no times. `unmeasured` says why no
    token can be known, if so. `zero_ns` is None if it is not known when the request was complete.
    """

    cassette: str
    exchange: Exchange
    lost_chunks: int
    answer: Answer
    outcome: Outcome
    unmeasured: Why | None
    zero_ns: int | None
    read_ns: Ints
    read_bytes: Ints
    streams: list[MeasuredStream]
    request_bytes: int | None = None
    times: Times = "all"
    """Which of its times can be used."""
    damage: str | None = None
    """Why nothing of it is measured, if so, for people."""
    request_digest: str | None = None
    """Equal for requests that ask the same: of method, path, query and body."""

    @property
    def timed(self) -> bool:
        """Whether the times of its reads are known; other formats do not have them."""
        return self.times == "all"


class _Common(NamedTuple):
    """What the streams of an exchange have in common, and how they are to be measured.

    `answer` is as the tool sees it whose definitions are asked for. `start_ns` is when the request was
    complete, and `read_ns` when each read came since then.
    """

    exchange: Exchange
    reading: Reading
    answer: Answer
    times: Times
    start_ns: int
    read_ns: Ints
    damage: str | None
    has_no_body: bool
    unmeasured: Why | None


def measured(
    exchange: Exchange, reading: Reading = AS_IT_IS, *, cassette: str = "", file_is_damaged: bool = False
) -> MeasuredExchange:
    """Return the numbers of one exchange; nothing that is in it makes this raise.

    `reading` says how; what it wants of exchanges is not asked here. `file_is_damaged`: some may be lost.
    """
    request = exchange.request
    common = _common(exchange, reading, file_is_damaged=file_is_damaged)
    streams = [_measured_stream(each, common) for each in streams_of(common.answer, common.read_ns)]
    made = MeasuredExchange(
        cassette=cassette.encode("utf-8", "backslashreplace").decode(),  # names of files may be no text
        times=common.times,
        damage=common.damage,
        exchange=replace(exchange, chunks=[]),
        request_bytes=len(request.body) if request else None,
        request_digest=_digest(request) if request else None,
        lost_chunks=exchange.lost_chunks,
        answer=common.answer,
        outcome=_outcome_of_all(streams),
        unmeasured=common.unmeasured,
        zero_ns=None if request is None or common.times == "none" else request.t_end,
        read_ns=common.read_ns,
        read_bytes=ints([len(chunk.data) for chunk in exchange.chunks]),
        streams=streams,
    )
    return repeated(made, reading) if exchange.is_mixed else made


def _common(exchange: Exchange, reading: Reading, *, file_is_damaged: bool) -> _Common:
    request, response = exchange.request, exchange.response
    answer = judged(answer_of(exchange, reading.dialect))
    if reading.definitions is not None:
        answer = as_seen(answer, exchange, reading.definitions.is_token)
    times: Times = request.times if request else "all"
    if times_go_back := exchange.times_go_back:
        times = "none"
    damage = damage_of(exchange, times_go_back=times_go_back, file_is_damaged=file_is_damaged)
    no_body = has_no_body(request, response, with_bytes=any(chunk.data for chunk in exchange.chunks))
    start_ns = (request.t_end if request else None) or 0
    return _Common(
        exchange=exchange,
        reading=reading,
        answer=answer,
        times=times,
        start_ns=start_ns,
        read_ns=ints([chunk.t for chunk in exchange.chunks]) - start_ns,
        damage=damage,
        has_no_body=no_body,
        unmeasured=_unmeasured(
            answer,
            damaged=damage is not None,
            status=response.status if response else None,
            no_body=no_body,
        ),
    )


def _measured_stream(stream: TokenStream, common: _Common) -> MeasuredStream:
    """Return one choice with its outcome and numbers; of what is damaged there are none."""
    answer, definitions, count = common.answer, common.reading.definitions, common.reading.count
    outcome = _outcome(stream, common)
    around = _around(stream, outcome, common)
    if common.damage is not None:
        stream = TokenStream(choice=stream.choice, finish_reason=stream.finish_reason)
    elif count is not None:
        stream = recounted(stream, answer, count)
    measures = measure(stream, around)
    if definitions is not None:
        failed = answer.error is not None and has_error_event(common.exchange)
        measures = redefined(measures, definitions, stream=stream, around=around, failed=failed)
    return MeasuredStream(stream=stream, outcome=outcome, measures=measures)


def _outcome(stream: TokenStream, common: _Common) -> Outcome:
    answer, response, end = common.answer, common.exchange.response, common.exchange.end
    choice = answer.choices.get(stream.choice)
    return outcome_of(
        status=response.status if response else None,
        end_reason=end.reason if end else None,
        damaged=common.damage is not None,
        failed=choice.failed if choice else answer.error is not None,
        finished=answer.ended or stream.finish_reason is not None,
        ends_itself=not common.has_no_body
        and answer.is_stream
        and answer.dialect is not None
        and answer.dialect.counts_tokens,
    )


def _outcome_of_all(streams: list[MeasuredStream]) -> Outcome:
    """Return an error if any stream has one, else the first outcome that is not complete."""
    outcomes = [each.outcome for each in streams]
    if "error-in-stream" in outcomes:
        return "error-in-stream"
    return next((outcome for outcome in outcomes if outcome != "complete"), "complete")


def _around(stream: TokenStream, outcome: Outcome, common: _Common) -> Around:
    answer, response, end = common.answer, common.exchange.response, common.exchange.end
    is_whole = common.damage is None
    choice = answer.choices.get(stream.choice)
    bill = choice.usage if choice and choice.usage and choice.usage.prompt is not None else answer.usage
    return Around(
        outcome=outcome,
        unmeasured=common.unmeasured or _unparsed(answer, stream, outcome),
        headers_ns=response.t - common.start_ns if response and is_whole else None,
        first_byte_ns=int(common.read_ns[0]) if len(common.read_ns) and is_whole else None,
        end_ns=end.t - common.start_ns if end and is_whole else None,
        prompt_tokens=bill.prompt if bill else None,
        overlooked=answer.overlooked.get(stream.choice, 0),
        times=common.times,
    )


def repeated(each: MeasuredExchange, reading: Reading = AS_IT_IS) -> MeasuredExchange:
    """Return an exchange without its numbers, where another has its name: no table tells the two apart."""
    around = Around(outcome="damaged", unmeasured="damaged", times="none")
    streams: list[MeasuredStream] = []
    for measured_stream in each.streams:
        found = measured_stream.stream
        stream = TokenStream(choice=found.choice, finish_reason=found.finish_reason)
        measures = measure(stream, around)
        if reading.definitions is not None:
            measures = redefined(measures, reading.definitions, stream=stream, around=around, failed=False)
        streams.append(MeasuredStream(stream=stream, outcome="damaged", measures=measures))
    return replace(
        each,
        answer=replace(each.answer, usage=None, cached_tokens=None),
        outcome="damaged",
        unmeasured="damaged",
        zero_ns=None,
        times="none",
        damage=each.damage or REPEATED,
        streams=streams,
    )


def _digest(request: Request) -> str:
    asked = b"\0".join((request.method.encode(errors="surrogatepass"), request.path, request.body))
    return blake2b(asked, digest_size=8).hexdigest()


def _unmeasured(answer: Answer, *, damaged: bool, status: int | None, no_body: bool) -> Why | None:
    if damaged:
        return "damaged"
    if status is None or not is_success(status):
        return None  # the outcome says it
    if no_body:
        return "not-a-stream"
    if answer.undecodable is not None and not answer.events:
        return "undecodable"
    if not answer.is_stream:
        return "not-a-stream"
    if answer.events and not (answer.dialect and answer.dialect.counts_tokens):
        return "unknown-dialect"
    return None


def _unparsed(answer: Answer, stream: TokenStream, outcome: Outcome) -> Why | None:
    """Return the reason if tokens, and also a finish, may have been in events that could not be read.

    Where the connection broke, the last event is often half of one: then the outcome is what explains.
    """
    if answer.unparsed and not stream.token_ns and outcome in ("complete", "truncated"):
        return "unparsed"
    return None
