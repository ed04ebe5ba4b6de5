"""An answer read while it comes, by whoever cannot wait for its end: what it has said so far, in counts.

The invariant: the outcome of a stream of events is the one that it has when it is read as a whole. Nothing is
kept of it but its choices and, until they tell the dialect, the first events. An answer that is no event
stream is counted and not read: an error in it is not seen, and it is complete when its exchange is.
"""

from collections.abc import Sequence

from tokentape.cassette import (
    Chunk,
    ContentDecoder,
    End,
    Request,
    Response,
    ServerSentEvent,
    SSEDecoder,
    UndecodableContent,
    header,
)
from tokentape.dialects._carried import DONE, ERROR, FINISH, NO_CHOICE, TOKEN, Carried, Dialect, Read
from tokentape.dialects._choosing import choose_early
from tokentape.dialects._framing import EventDecoder, decoder_of, is_lines
from tokentape.dialects._outcome import Outcome, has_no_body, is_damaged, outcome_of
from tokentape.dialects._transcript import path_of, requested_model


class Progress:
    """One exchange as far as it has come. Feed it the records of the exchange in their order.

    `tokens` counts the events that carried generated text, and `first_token` is when the piece came that
    completed the first of them, in ns since the section's start; `bytes` is what came, still encoded.
    `model` is the one that answers or, until that is known, the one that was asked for. `reads` says
    whether the answer is an event stream of which more can be read.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.response: Response | None = None
        self.model = requested_model(request)
        self.pieces = self.bytes = self.events = self.tokens = 0
        self.first_token: int | None = None
        self.reads = False
        self._path = path_of(request)
        self._is_stream = False
        self._decode: ContentDecoder | None = None
        self._events: EventDecoder = SSEDecoder()
        self._dialect: Dialect | None = None
        self._read: Read | None = None
        self._begun: list[tuple[int, ServerSentEvent]] = []
        self._last = request.t_end
        self._failed = self._done = False
        self._choices: set[int] = set()
        self._finished: set[int] = set()

    def respond(self, response: Response) -> None:
        """Take in the head of the answer."""
        self.response = response
        headers = response.headers
        self._is_stream = is_lines(headers) or "event-stream" in header(headers, b"content-type").lower()
        self._events = decoder_of(headers)
        if self._is_stream:
            try:
                self._decode = ContentDecoder(header(headers, b"content-encoding"))
                self.reads = True
            except UndecodableContent:
                pass

    def feed(self, chunk: Chunk) -> None:
        """Take in the next piece of the answer."""
        self.pieces += 1
        self.bytes += len(chunk.data)
        self._last = chunk.t
        if self._decode is None or not self.reads:
            return
        try:
            events = self._events.feed(self._decode.feed(chunk.data))
        except UndecodableContent:
            self.reads = False
            return
        self._take(events, last=False)

    def end(self, end: End | None) -> Outcome:
        """Take in that there is no more, and return how it ended; None where the recorder stopped first."""
        rest = self._events.end()
        self._take([rest] if rest else [], last=True)
        request, response = self.request, self.response
        no_body = has_no_body(request, response, with_bytes=self.bytes > 0)
        return outcome_of(
            status=response.status if response else None,
            end_reason=end.reason if end else None,
            damaged=is_damaged(request, response, end, chunks=self.pieces, file_is_damaged=False),
            failed=self._failed,
            finished=self._done or (bool(self._choices) and self._choices == self._finished),
            ends_itself=self._is_stream
            and not no_body
            and self._dialect is not None
            and self._dialect.counts_tokens,
        )

    def _take(self, events: list[ServerSentEvent], *, last: bool) -> None:
        self.events += len(events)
        if self._read is None:
            self._begun += [(self._last, event) for event in events]
            self._dialect = choose_early(self._path, [event for _, event in self._begun], last=last)
            if self._dialect is None:
                return
            self._read = self._dialect.reader()
            for t, event in self._begun:
                self._look(self._read(event), t)
            self._begun = []
            return
        for event in events:
            self._look(self._read(event), self._last)

    def _look(self, rows: Sequence[Carried], t: int) -> None:
        """Take in what an event carries that came at a time."""
        carries = 0
        for carried in rows:
            carries |= carried.carries
            self.model = carried.model or self.model
            if carried.choice != NO_CHOICE:
                self._choices.add(carried.choice)
                if carried.carries & FINISH:
                    self._finished.add(carried.choice)
        self._failed |= bool(carries & ERROR)
        self._done |= bool(carries & DONE)
        if carries & TOKEN:
            self.tokens += 1
            self.first_token = t if self.first_token is None else self.first_token
