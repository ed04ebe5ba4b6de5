"""How a stream ended, in one word, and what that word rests on.

What the answer itself says comes first: an error in it is an error under whatever status, and a finish
reason or an end mark makes it complete however the connection ended afterwards (many clients hang up at
the finish). Only a stream that says nothing of its end has the exchange's end as its own.

Beyond the outcomes of an answer there are two of the recording, so that neither passes for the
provider's fault: `recorder-stopped` (the recorder ended first, or was killed: there is no end record)
and `damaged` (parts of the exchange were lost from the cassette, so its numbers cannot be known).
"""

from typing import Literal, TypeAlias, get_args

from tokentape.cassette import End, Request, Response

Outcome: TypeAlias = Literal[
    "complete",
    "error-in-stream",
    "truncated",
    "client-closed",
    "upstream-error",
    "http-error",
    "recorder-stopped",
    "damaged",
]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def outcome_of(
    *,
    status: int | None,
    end_reason: str | None,
    damaged: bool,
    failed: bool,
    finished: bool,
    ends_itself: bool,
) -> Outcome:
    """Return the outcome of one stream.

    `failed`: the answer carried an error. `finished`: it carried a finish reason or an end mark.
    `ends_itself`: its dialect says when it is over, so that silence means that something is missing.
    """
    if damaged:
        return "damaged"
    if status is not None and not is_success(status):
        return "http-error"
    if failed:
        return "error-in-stream"
    if finished:
        return "complete"
    match end_reason:
        case "client-closed" | "upstream-error":
            return end_reason
        case "complete":
            return "truncated" if ends_itself or status is None else "complete"
        case _:
            return "recorder-stopped"


def is_success(status: int) -> bool:
    """Whether the server gave what was asked for; 304 says that the client has it already."""
    return 200 <= status < 300 or status == 304


def has_no_body(request: Request | None, response: Response | None, *, with_bytes: bool) -> bool:
    """Whether the answer has no body because HTTP gives it none (RFC 9110, 6.4.1 and 15.3.6).

    `with_bytes`: some of a body came all the same.
    """
    if response is None or with_bytes:
        return False
    return response.status in (204, 205, 304) or (request is not None and request.method == "HEAD")


def is_damaged(
    request: Request | None,
    response: Response | None,
    end: End | None,
    *,
    chunks: int,
    file_is_damaged: bool,
) -> bool:
    """Whether records of an exchange were lost, so that what is left may be mistaken for the whole.

    `chunks` is how many are there. `file_is_damaged`: something in the middle of the file was lost. Without
    an end record nobody knows then whether it was a piece of this exchange.
    """
    if request is None or (response is None and chunks > 0):
        return True
    if end is None:
        return file_is_damaged
    return end.chunks != chunks or (response is None and end.reason == "complete")
