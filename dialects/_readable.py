"""An exchange as people read it: what was asked, what was answered and when, how it ended.

All of it is strangers' text: whoever prints it makes it safe for a terminal. Nothing in a recording makes
this raise. Times are in ns since the request was complete; where the recording does not know them
(`Request.times`), there are none.
"""

from collections.abc import Iterator

from tokentape.cassette import Exchange, authority, decoded, utc
from tokentape.dialects._asked import asked
from tokentape.dialects._body_text import body_text
from tokentape.dialects._carried import DONE, ERROR, NO_CHOICE, TOKEN, UNPARSED, Usage, name_of
from tokentape.dialects._layout import GAP_NS, WIDTH, Part, Row, calls, rows
from tokentape.dialects._transcript import Line, Transcript, path_of, requested_model, transcript


def readable(exchange: Exchange, *, with_request: bool = True) -> Iterator[str]:
    """Yield the lines of an exchange: its heading, the request, the answer with times, how it ended."""
    said = transcript(exchange)
    yield from heading(exchange, said)
    if exchange.request is None:
        yield str(Row(None, "request", "[lost to damage]"))
    elif with_request:
        yield from map(str, asked(exchange.request))
    yield ""
    yield from map(str, answered(exchange, said))
    yield from map(str, _ending(exchange, said))


def comparable(exchange: Exchange) -> list[str]:
    """Return the lines of an answer without times and whatever else differs between two of the same.

    A client that left when it had the end mark had everything: whether that or the end of the body came
    first is chance.
    """
    said = transcript(exchange)
    response = exchange.response
    ending = exchange.end.reason if exchange.end else "interrupted with the recorder"
    if ending == "client-closed" and _has_end_mark(said):
        ending = "complete"
    found = [
        Row(None, "status", str(response.status) if response else "no response"),
        *answered(exchange, said, timeless=True),
        *([Row(None, "error", said.error)] if said.error else []),
        Row(None, "end", ending),
    ]
    return [f"{row.label:<10} | {row.text}" for row in found]


def heading(exchange: Exchange, said: Transcript) -> Iterator[str]:
    """Yield which exchange it is and what can be said of it in a line."""
    request, response, end = exchange.request, exchange.response, exchange.end
    name = f"#{exchange.number}" + (f" of section {exchange.section_index}" * (exchange.section_index > 0))
    if request is None:
        yield name
    else:
        at = authority(request.host, request.port, scheme=request.scheme)
        yield f"{name} {request.method} {request.scheme}://{at}{path_of(request)}"
    parts = []
    if request is not None and request.times != "none" and exchange.section is not None:
        parts.append(_wall_clock(exchange.section.wall_ns + request.t))
    model = said.model or (requested_model(request) if request else None)
    parts += [f"model {model}"] * (model is not None)
    parts.append(str(response.status) if response else "no response")
    first = since(exchange, exchange.chunks[0].t, pieces=True) if exchange.chunks else None
    last = since(exchange, end.t) if end else None
    parts += [f"first byte {first / 1e6:,.1f} ms"] if first is not None else []
    parts += [f"ended {last / 1e6:,.1f} ms"] if last is not None else []
    parts.append(end.reason if end else "interrupted")
    yield "   " + "  ".join(parts)


def answered(exchange: Exchange, said: Transcript, *, timeless: bool = False) -> Iterator[Row]:
    """Yield the rows of an answer: its text by choice and kind, or what it is instead.

    `timeless` leaves the times out and, of answers whose text is not understood, what is volatile.
    """
    if said.undecodable is not None:
        yield Row(None, "undecodable", said.undecodable)
    spoken = any(each.runs or each.finish for each in said.choices.values())
    if not spoken:
        found = _events(exchange, said, timeless) if said.lines else _body(exchange, timeless)
    elif said.lines:
        found = _spoken(exchange, said, timeless)
    else:
        found = _said_at_once(said, timeless)
    yield from (row._replace(t=None) for row in found) if timeless else found


def _spoken(exchange: Exchange, said: Transcript, timeless: bool) -> Iterator[Row]:
    limits = {"gap_ns": None, "width": None} if timeless else {"gap_ns": GAP_NS, "width": WIDTH}
    runs: dict[int, list[tuple[str, list[Part]]]] = {choice: [] for choice in sorted(said.choices)}
    finishes: dict[int, Row] = {}
    odd: list[Row] = []
    for line in said.lines:
        t = since(exchange, line.t, pieces=True)
        for carried in line.carried:
            choice = carried.choice
            if carried.text and choice in runs:
                kind = name_of(carried.carries & TOKEN)
                if not runs[choice] or runs[choice][-1][0] != kind:
                    runs[choice].append((kind, []))
                runs[choice][-1][1].append((t, carried.text))
            if carried.finish and choice not in finishes:
                finishes[choice] = Row(t, _label("finish", choice), carried.finish)
        if label := _oddity(line, timeless):
            odd += rows([(t, line.event.text)], label, width=None)
    for choice, found in runs.items():
        for kind, parts in found:
            text = calls(parts) if kind == "tool_call" else parts
            yield from rows(text, _label(kind, choice), **limits, exact=timeless)
        if choice in finishes:
            yield finishes[choice]
    yield from odd


def _oddity(line: Line, timeless: bool) -> str:
    """Return what is to be said of an event that is not just a part of the text; "" for most."""
    carries = 0
    for carried in line.carried:
        carries |= carried.carries
    if carries & ERROR and not timeless:  # what is compared has the message without what is around it
        return "error"
    if carries & UNPARSED:
        return "unparsed"
    return "" if line.event.terminated else "cut off"


def _said_at_once(said: Transcript, timeless: bool) -> Iterator[Row]:
    for choice, each in sorted(said.choices.items()):
        for kind, text in each.runs:
            parts: list[Part] = [(None, text)]
            parts = calls(parts) if kind == "tool_call" else parts
            yield from rows(parts, _label(kind, choice), width=None, exact=timeless)
        if each.finish:
            yield Row(None, _label("finish", choice), each.finish)


def _events(exchange: Exchange, said: Transcript, timeless: bool) -> Iterator[Row]:
    """Yield the events of a stream that says nothing in words that are known."""
    for line in said.lines:
        event = line.event
        text = body_text(event.data, comparable=True) if timeless else event.text
        label = event.event if event.terminated else f"{event.event} (cut off)"
        yield from rows([(since(exchange, line.t, pieces=True), text)], label, width=None)


def _body(exchange: Exchange, timeless: bool) -> Iterator[Row]:
    """Yield an answer that is no event stream."""
    pieces, _ = decoded(exchange)
    yield from rows([(None, body_text(b"".join(pieces), comparable=timeless))], "body", width=None)


def _ending(exchange: Exchange, said: Transcript) -> Iterator[Row]:
    if said.usage is not None:
        yield Row(None, "usage", _usage(said.usage))
    if said.error and said.choices and not said.lines:  # else it is in what is shown
        yield Row(None, "error", said.error)
    end = exchange.end
    if exchange.lost_chunks > 0:
        yield Row(None, "lost", f"{exchange.lost_chunks} pieces of the answer are lost to damage")
    if end is None:
        yield Row(None, "end", "none: it was interrupted with the recorder, or is still under way")
    else:
        reason = f"{end.reason}: {end.detail}" if end.detail else end.reason
        yield from rows([(since(exchange, end.t), reason)], "end", width=None)
    for note in exchange.notes:
        yield from rows([(since(exchange, note.t), note.text)], "note", width=None)


def _has_end_mark(said: Transcript) -> bool:
    return any(carried.carries & DONE for line in said.lines for carried in line.carried)


def _label(kind: str, choice: int) -> str:
    return kind if choice in (0, NO_CHOICE) else f"{kind}[{choice}]"


def _usage(usage: Usage) -> str:
    counts = [(usage.prompt, "prompt"), (usage.output, "output"), (usage.reasoning, "of them reasoning")]
    return ", ".join(f"{count:,} {name}" for count, name in counts if count is not None) + " tokens"


def since(exchange: Exchange, t: int, *, pieces: bool = False) -> int | None:
    """Return a time of the section as ns since the request was complete; None if it is not known."""
    request = exchange.request
    if request is None or request.times == "none" or (pieces and request.times != "all"):
        return None
    return t - request.t_end


def _wall_clock(unix_ns: int) -> str:
    at = utc(unix_ns)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC"
