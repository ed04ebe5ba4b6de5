"""What a rule finds: a value that says where a stream departs from its documented chunk, and how.

The invariant: every code that a rule uses is in `CODES`, and `docs/lint.md` has the same codes.
"""

from typing import Final, Literal

import msgspec

CODES: Final = {
    # what is no event of the API at all
    "not-json": "an event whose data is no JSON, nor the end mark",
    "loose-json": "JSON that strict decoders refuse: NaN, half of a surrogate pair, bytes that are not UTF-8",
    "not-an-object": "an event whose JSON is no object",
    "cut-off": "the body ends inside an event: a client that keeps to the standard discards it",
    "no-events": "an event stream without a single event",
    "error-in-stream": "an error under the status of a success",
    # how events are written
    "stray-line": "a line that is no field of an event stream: clients ignore it, and what it says is lost",
    "data-without-space": "`data:` without the space that the document has",
    "comment": "a comment, where the document has none",
    "event-name": "the event's name is not the one that the document gives it",
    # fields
    "missing-field": "a field that every such chunk has is not there",
    "unknown-field": "a field that the document does not have",
    "wrong-type": "a value of another type than the documented one",
    "empty-value": 'an id or a model that is ""',
    "unknown-value": "a value that is none of the documented ones",
    "unknown-event": "an event of a type that the document does not have",
    "object-name": "`object` names something else than a chunk",
    "not-seconds": "a time that cannot be one in seconds since 1970",
    # identity
    "id-changes": "the id is not that of the first chunk",
    "created-changes": "the time is not that of the first chunk",
    "created-decreases": "the time is before that of an earlier chunk",
    "model-changes": "the model is not that of the first chunk",
    "fingerprint-changes": "the fingerprint is not that of the first chunk",
    "sequence-number": "the sequence number does not increase",
    # roles and finish
    "role-missing": "the first chunk of a choice does not say whose message it is",
    "role-repeated": "the role comes again after the first chunk",
    "first-with-content": "the first chunk, which is for the role, has generated text already",
    "empty-finish": 'the finish reason is "" or "null" where null says that there is none yet',
    "null-finish": 'the finish reason is null where "" says that there is none yet',
    "unknown-finish": "a finish reason that is none of the documented ones",
    "no-finish": "a choice ends without a finish reason",
    "two-finishes": "a choice finishes a second time",
    "finish-not-last": "more chunks of a choice come after the one that finishes it",
    "empty-delta": "a chunk before the finish that brings no generated text",
    "finish-with-content": "the chunk that finishes a choice has more in it than the document says",
    "content-after-finish": "generated text after the finish",
    # usage
    "usage-decreases": "a count of tokens is lower than before: usage is cumulative",
    "usage-stands-still": "a chunk with generated text, and no more tokens than before",
    "usage-total": "the total is not the sum of its parts",
    "prompt-changes": "the count of the prompt's tokens is not that of the first chunk",
    "usage-misplaced": "usage in a chunk that has choices, where it has a chunk of its own",
    "usage-not-last": "chunks come after the one with the usage",
    "usage-missing": "usage was asked for and never came",
    "empty-choices": "a chunk without choices that brings no usage either",
    # order and end
    "out-of-order": "an event where the document has it earlier, later or once",
    "missing-event": "an event that has to come before this one never came",
    "block-not-open": "a part of a block that has not begun, or has ended",
    "block-left-open": "a block that has begun never ends, or another begins first",
    "block-index": "a block that begins out of turn",
    "no-end-mark": "the stream ends without its end mark",
    "after-end-mark": "an event after the end mark",
}
"""Every code with what it means, in the order of the document."""


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One departure.

    `event` counts from 1 over all events with data, the end mark among them. `choice` is None for what
    concerns no choice. `path` says where in the event's JSON (RFC 9535), `$` for all of it. `expected` and
    `found` are words for people; what a stranger sent is in `found`, `expected` and `path` cut to a line.
    `level` is `note` for a field that an unknown provider adds to OpenAI's chunk.
    """

    code: str
    event: int
    expected: str
    found: str
    path: str = "$"
    choice: int | None = None
    level: Literal["warning", "note"] = "warning"


class Folded(msgspec.Struct, frozen=True, gc=False):
    """A finding and how many events of the stream have it; `finding` is the first of them."""

    finding: Finding
    events: int
