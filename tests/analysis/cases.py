"""The cases that every number must survive: what is sent when, and what must come out, once for all tests."""

from collections.abc import Iterable
from typing import Any

from tests.analysis.tapes import DONE, chunk, data, usage, usage_chunk
from tests.analysis.truth import TIMES, Case, Ending, Pieces, case, must

ROLE = (50, data(chunk({"role": "assistant", "content": ""})))
STOP = (1190, data(chunk(finish="stop")))
USAGE = (1195, data(usage_chunk(9, 50)))
END = (1200, DONE)
TAIL = (STOP, USAGE, END)
ERROR = {"message": "overloaded", "code": 502}


def tokens(key: str = "content", times: Iterable[int] = TIMES, text: str = " a") -> Pieces:
    """Return a delta with this text at each of the times."""
    return tuple((ms, data(chunk({key: text}))) for ms in times)


def reframed(name: str, old: bytes, new: bytes, before: bytes = b"") -> Case:
    """Return the truth in other framing."""
    return case(name, [(ms, before + event.replace(old, new)) for ms, event in (ROLE, *tokens(), *TAIL)])


def reasoning_first(key: str) -> Case:
    pieces = [ROLE, *tokens(key, TIMES[:25]), *tokens(times=TIMES[25:]), *TAIL]
    return case(f"{key}-first", pieces, must(clocks={"first_reasoning_ms": 200, "first_content_ms": 700}))


def _tool_call_only() -> Case:
    def call(**function: str) -> bytes:
        return data(chunk({"tool_calls": [{"index": 0, "function": function}]}))

    pieces = [(200, call(name="f", arguments="")), *((ms, call(arguments="{ ")) for ms in TIMES[1:])]
    return case(
        "tool-call-only",
        [ROLE, *pieces, (1190, data(chunk(finish="tool_calls"))), USAGE, END],
        must(
            clocks={"first_content_ms": "no-content", "first_tool_call_ms": 200},
            finish_reason="tool_calls",
            text_chars=1 + 49 * 2,
        ),
    )


def _five_events_in_one_read() -> Case:
    times = tuple(range(200, 1101, 100))
    return case(
        "five-events-in-one-read",
        [ROLE, *((ms, data(chunk({"content": " a"})) * 5) for ms in times), *TAIL],
        must(
            tokens_ms=[ms for ms in times for _ in range(5)],
            clocks={"last_token_ms": 1100, "e2e_ms": 1100},
            numbers={
                "itl_ms": 900 / 49, "tpot_ms": 900 / 49, "tokens_per_s": 49 / 0.9, "gap_p50_ms": 0,
                "gap_p90_ms": 100, "gap_p99_ms": 100, "gap_max_ms": 100, "read_gap_p50_ms": 100,
            },
            coalesced=40,
        ),
        read_gaps_ms=[100] * 9,
        exchange={"events": 54},
    )  # fmt: skip


def _five_tokens_in_one_delta() -> Case:
    times = tuple(range(200, 1101, 100))
    return case(
        "five-tokens-in-one-delta",
        [ROLE, *tokens(times=times, text="a b c d e "), *TAIL],
        must(
            tokens_ms=times,
            clocks={"last_token_ms": 1100, "e2e_ms": 1100},
            numbers={
                "itl_ms": 900 / 49, "tpot_ms": 900 / 49, "tokens_per_s": 49 / 0.9, "gap_p50_ms": 100,
                "gap_p90_ms": 100, "gap_p99_ms": 100, "gap_max_ms": 100, "read_gap_p50_ms": 100,
            },
            gaps=9,
            token_events=10,
        ),
        read_gaps_ms=[100] * 9,
    )  # fmt: skip


def _two_choices_in_each_chunk() -> Case:
    def both(ms: int) -> tuple[int, bytes]:
        made = chunk({"content": " a"})
        made["choices"].append({"index": 1, "delta": {"content": "bcd"}, "finish_reason": None})
        return ms, data(made)

    stops = data(chunk(finish="stop")) + data(chunk(finish="length", index=1))
    clocks = {"first_byte_ms": 200, "first_event_ms": 200}
    return case(
        "two-choices-in-each-chunk",
        [*map(both, TIMES), (1190, stops), (1195, data(usage_chunk(9, 100))), END],
        must(clocks=clocks, tokens_from="chunks"),
        must(clocks=clocks, tokens_from="chunks", choice=1, finish_reason="length", text_chars=150),
        exchange={"streams": 2, "output_tokens": 100},
    )


def _two_choices_interleaved() -> Case:
    later = tuple(ms + 7 for ms in TIMES)
    pieces = [*tokens(), *((ms, data(chunk({"content": "b"}, index=1))) for ms in later)]
    stops = [(1191, data(chunk(finish="stop"))), (1195, data(chunk(finish="stop", index=1)))]
    shared = {"first_byte_ms": 200, "first_event_ms": 200}
    second = {"ttft_ms": 207, "first_content_ms": 207, "last_token_ms": 1187, "e2e_ms": 1187}
    none = {"prompt_tokens": "no-usage"}
    return case(
        "two-choices-interleaved",
        [*pieces, *stops, END],
        must(clocks=shared | {"finish_ms": 1191}, numbers=none, tokens_from="chunks"),
        must(
            tokens_ms=later,
            clocks=shared | second | {"finish_ms": 1195},
            numbers=none,
            tokens_from="chunks",
            choice=1,
            text_chars=50,
        ),
        exchange={"streams": 2},
        read_gaps_ms=[7, *[13, 7] * 49],
    )


def _comments() -> Case:
    comments = [(ms - 6, b": still there\n\n") for ms in (46, *TIMES)]
    return case(
        "comments-before-and-amid",
        [ROLE, *tokens(), *comments, *TAIL],
        must(clocks={"first_byte_ms": 40}),
        exchange={"comments": 51, "events": 54},
    )


def cut_short(
    name: str, outcome: str, *further: tuple[int, bytes], ending: Ending = "complete", **more: Any
) -> Case:
    """Return 25 tokens without a proper end: what was seen counts, and the end is missing with a reason."""
    pieces = (ROLE, *tokens(times=TIMES[:25]), *further)
    missing = dict.fromkeys(("finish_ms", "done_ms", "e2e_ms"), outcome)
    end_ms = pieces[-1][0] if ending == "complete" else 690
    clocks = {**missing, "last_token_ms": 680, "end_ms": end_ms, **more.pop("clocks", {})}
    return case(
        name,
        pieces,
        must(
            tokens_ms=TIMES[:25],
            clocks=clocks,
            numbers={"prompt_tokens": outcome},
            gaps=24,
            outcome=outcome,
            finish_reason=None,
            output_tokens=25,
            token_events=25,
            tokens_from="chunks",
            text_chars=50,
        ),
        ending=ending,
        end_ms=end_ms,
        read_gaps_ms=[20] * 24,
        **more,
    )


def _error(name: str, event: bytes, *further: tuple[int, bytes]) -> Case:
    done: dict[str, Any] = {"clocks": {"done_ms": further[0][0]}} if further else {}
    return cut_short(
        name, "error-in-stream", (705, event), *further, exchange={"error": "overloaded"}, **done
    )


def _silent_end() -> Case:
    missing = dict.fromkeys(("finish_ms", "done_ms", "e2e_ms"), "truncated")
    return case(
        "clean-end-without-finish-usage-and-end-mark",
        [ROLE, *tokens()],
        must(
            clocks=missing | {"end_ms": 1180},
            numbers={"prompt_tokens": "truncated"},
            outcome="truncated",
            finish_reason=None,
            tokens_from="chunks",
        ),
    )


def _late(name: str, *tail: tuple[int, bytes]) -> Case:
    return case(name, [ROLE, *tokens(), STOP, *tail], must(clocks={"done_ms": 1680, "end_ms": 1680}))


def _stall() -> Case:
    times = TIMES[:25] + tuple(ms + 400 for ms in TIMES[25:])
    clocks = {"last_token_ms": 1580, "e2e_ms": 1580, "finish_ms": 1590, "done_ms": 1600, "end_ms": 1600}
    return case(
        "one-stall",
        [ROLE, *tokens(times=times), *((ms + 400, event) for ms, event in TAIL)],
        must(
            tokens_ms=times,
            clocks=clocks,
            numbers={
                "itl_ms": 1380 / 49, "tpot_ms": 1380 / 49, "tokens_per_s": 49 / 1.38,
                "gap_p99_ms": 228, "gap_max_ms": 420,
            },
        ),
        stalls=((25, 420, 1100),),
        read_gaps_ms=[20] * 24 + [420] + [20] * 24,
    )  # fmt: skip


def _stepfun() -> Case:
    pieces = [
        (ms, data(chunk({"role": "", "content": "春"}, "", usage=usage(83, 3 * number))))
        for number, ms in enumerate(TIMES, 1)
    ]
    last = (1190, data(chunk({"role": "", "content": ""}, "stop", usage=usage(83, 150))))
    return case(
        "stepfun",
        [*pieces, last, END],
        must(
            clocks={"first_byte_ms": 200, "first_event_ms": 200},
            numbers={
                "itl_ms": 980 / 149, "tpot_ms": 980 / 149, "tokens_per_s": 149 / 0.98, "prompt_tokens": 83,
            },
            output_tokens=150,
            tokens_from="usage-per-chunk",
            text_chars=50,
        ),
        tokens=3,
    )  # fmt: skip


AFTER_END = must(clocks={"done_ms": 1200, "end_ms": 1500})
BARE_ERROR = data({"error": ERROR})
ERROR_EVENT = b"event: error\n" + BARE_ERROR
CASES = (
    case("role-only-chunk", [ROLE, *tokens(), *TAIL]),
    case("empty-content-without-a-role", [ROLE, (100, data(chunk({"content": ""}))), *tokens(), *TAIL]),
    reasoning_first("reasoning_content"),
    reasoning_first("reasoning"),
    _tool_call_only(),
    case(
        "usage-chunk-without-choices",
        [ROLE, *tokens(), STOP, (1195, data(usage_chunk(9, 77))), END],
        must(numbers={"itl_ms": 980 / 76, "tpot_ms": 980 / 76, "tokens_per_s": 76 / 0.98}, output_tokens=77),
    ),
    _five_events_in_one_read(),
    _five_tokens_in_one_delta(),
    _two_choices_in_each_chunk(),
    _two_choices_interleaved(),
    _comments(),
    _error("bare-error", BARE_ERROR),
    _error("bare-error-then-end-mark", BARE_ERROR, (710, DONE)),
    _error("error-event", ERROR_EVENT),
    _error("error-event-then-end-mark", ERROR_EVENT, (710, DONE)),
    cut_short("connection-cut", "upstream-error", ending="upstream-error"),
    cut_short("client-gone", "client-closed", ending="client-closed"),
    _silent_end(),
    case(
        "no-end-mark-and-no-usage",
        [ROLE, *tokens(), STOP],
        must(
            clocks={"done_ms": "no-end-mark", "end_ms": 1190},
            numbers={"prompt_tokens": "no-usage"},
            tokens_from="chunks",
        ),
    ),
    _late("end-mark-late", USAGE, (1680, DONE)),
    _late("usage-and-end-mark-late", (1680, data(usage_chunk(9, 50)) + DONE)),
    case(
        "comment-after-the-end-mark",
        [ROLE, *tokens(), *TAIL, (1500, b": bye\n\n")],
        AFTER_END,
        exchange={"comments": 1},
    ),
    case(
        "usage-after-the-end-mark",
        [ROLE, *tokens(), STOP, END, (1500, data(usage_chunk(9, 50)))],
        AFTER_END,
        exchange={"events": 54},
    ),
    case(
        "finish-twice",
        [ROLE, *tokens(), STOP, (1195, data(chunk(finish="length", usage=usage(9, 50)))), END],
        must(clocks={"finish_ms": 1190}, finish_reason="stop"),
    ),
    reframed("CRLF", b"\n", b"\r\n"),
    reframed("data-without-a-space", b"data: ", b"data:"),
    reframed("event-message", b"", b"", before=b"event: message\n"),
    _stall(),
    _stepfun(),
)
