"""How providers put a generation into events. A dialect turns an event into `Carried`s, and never raises.

The interface is `Dialect`, six things:

- `name`, and `counts_tokens`: whether its events tell what a token is.
- `claims_path(path)` and `claims(value)`: whether a request's path, or the object in an event, is of it.
- `reader()`: a function from one `ServerSentEvent` to a `Carried` for each choice in it, or one without
  a choice. Each stream has a reader of its own, so that it may remember what came before.
- `read_answer(body)`: the same of an answer that was not streamed.

A new dialect is a module beside these and a line in `_choosing.py`; `docs/dialects.md` says what each reads.
What reads an answer cuts it into events (`events_of`: server-sent, or lines of JSON), asks `choose` for the
dialect, and knows no provider. `transcript` puts together what an answer says, `Progress` counts while
it comes, `readable` lays it out.
"""

from tokentape.dialects._carried import (
    AUDIO,
    CONTENT,
    DONE,
    END_MARK,
    ERROR,
    FINISH,
    NO_CHOICE,
    OWN_USAGE,
    REASONING,
    REFUSAL,
    TOKEN,
    TOOL_CALL,
    UNPARSED,
    USAGE,
    WITHHELD,
    Carried,
    Contents,
    Dialect,
    Read,
    ReadsLines,
    Usage,
    name_of,
)
from tokentape.dialects._choosing import DIALECTS, PLAIN_SSE, choose, named
from tokentape.dialects._framing import NDJSON, EventDecoder, decoder_of, events_of, is_lines
from tokentape.dialects._outcome import OUTCOMES, Outcome, has_no_body, is_damaged, is_success, outcome_of
from tokentape.dialects._progress import Progress
from tokentape.dialects._readable import comparable, readable, since
from tokentape.dialects._transcript import Line, Said, Transcript, path_of, requested_model, transcript

__all__ = [
    "AUDIO",
    "CONTENT",
    "DIALECTS",
    "DONE",
    "END_MARK",
    "ERROR",
    "FINISH",
    "NDJSON",
    "NO_CHOICE",
    "OUTCOMES",
    "OWN_USAGE",
    "PLAIN_SSE",
    "REASONING",
    "REFUSAL",
    "TOKEN",
    "TOOL_CALL",
    "UNPARSED",
    "USAGE",
    "WITHHELD",
    "Carried",
    "Contents",
    "Dialect",
    "EventDecoder",
    "Line",
    "Outcome",
    "Progress",
    "Read",
    "ReadsLines",
    "Said",
    "Transcript",
    "Usage",
    "choose",
    "comparable",
    "decoder_of",
    "events_of",
    "has_no_body",
    "is_damaged",
    "is_lines",
    "is_success",
    "name_of",
    "named",
    "outcome_of",
    "path_of",
    "readable",
    "requested_model",
    "since",
    "transcript",
]
