"""Draw `docs/metrics-timeline.svg`: one stream, and on it each clock of `docs/metrics.md`.

    python docs/make_metrics_timeline.py

The stream is made up; the clocks are what the analysis makes of it. Marks have the colours of the plots. Text
is never coloured: on no colour can it be read on white and near-black alike, so the picture has a ground of
its own, and text and ground change together with the reader's colour scheme.
"""

import json
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tokentape import cassette
from tokentape.analysis import Recording, load
from tokentape.analysis._schema import CLOCKS

MS = 1_000_000
FILE = Path(__file__).with_name("metrics-timeline.svg")
SAID = {
    "headers_ms": "response headers",
    "first_byte_ms": "first piece of the body; here a comment, which is no event",
    "first_event_ms": "first event with data; here a role, which is no token",
    "ttft_ms": "first token, of any kind",
    "first_reasoning_ms": "first token of reasoning",
    "first_content_ms": "first token of content",
    "first_tool_call_ms": "first token of a tool call",
    "last_token_ms": "last token",
    "finish_ms": "finish reason",
    "done_ms": "end mark, here late",
    "end_ms": "the exchange ends",
}
GROUNDS = {"light": ("#ffffff", "#1f2430"), "dark": ("#0d1117", "#e8eaf0")}
"""Ground and text."""
GREY, BLUE, GREEN, PURPLE, VERMILLION = "#767676", "#1A7FC4", "#009E73", "#C46A9C", "#D55E00"
COLOURS = {"reasoning": PURPLE, "content": BLUE, "tool_call": GREEN}
LEFT, WIDTH, SPAN_MS = 24, 812, 1_760
ROW, TOP = 20, 46
STRIP = TOP + ROW * len(CLOCKS) + 8
HEIGHT = STRIP + 212
LETTER = 7.3
"""How wide a letter of a clock's name is."""


def records() -> list[Any]:
    """Return a stream: comment, role, reasoning, content, stall, tool call, finish, late bill and end."""
    pieces = [(120, b": keep-alive\n\n"), (165, _event({"role": "assistant", "content": ""}))]
    pieces += [(260 + 40 * n, _event({"reasoning_content": "hm "})) for n in range(6)]
    pieces += [(520 + 40 * n, _event({"content": "word "})) for n in range(7)]
    pieces += [(1_080 + 40 * n, _event({"content": "word "})) for n in range(3)]
    pieces += [(1_220 + 40 * n, _event({"tool_calls": [_call(n)]})) for n in range(4)]
    pieces.append((1_380, _event({}, finish="tool_calls")))
    bill = {"prompt_tokens": 9, "completion_tokens": 20, "total_tokens": 29}
    pieces.append((1_600, b"data: " + json.dumps({"choices": [], "usage": bill}).encode() + b"\n\n"))
    pieces.append((1_650, b"data: [DONE]\n\n"))
    return [
        cassette.Request(
            exchange=0, t=0, t_end=0, method="POST", scheme="https", host="api.example", port=443,
            path=b"/v1/chat/completions", http_version="HTTP/1.1", headers=(), body=b"{}", connection="c",
        ),
        cassette.Response(
            exchange=0, t=75 * MS, status=200, reason=b"", http_version="HTTP/1.1",
            headers=((b"content-type", b"text/event-stream"),),
        ),
        *(cassette.Chunk(exchange=0, t=t * MS, data=data) for t, data in pieces),
        cassette.End(
            exchange=0, t=1_700 * MS, reason="complete", chunks=len(pieces),
            bytes=sum(len(data) for _, data in pieces),
        ),
    ]  # fmt: skip


def recorded() -> Recording:
    """Return the stream as the analysis sees it."""
    section = cassette.Section(
        version=cassette.FORMAT_VERSION, wall_ns=0, mono_ns=0, writer="docs", proxy="", host=""
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "one.tape"
        with cassette.Writer(path, section) as tape:
            for record in records():
                tape.write(record)
        return load(path)


def _event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def _call(part: int) -> dict[str, Any]:
    function = {"name": "look"} if not part else {"arguments": "{}"}
    return {"index": 0, "function": function}


def at(ms: float) -> float:
    """Return where a moment is, in px from the left."""
    return round(LEFT + ms * (WIDTH - 2 * LEFT) / SPAN_MS, 1)


def text(x: float, y: float, words: str, *, anchor: str = "start", kind: str = "") -> str:
    """Return an element of text; `kind` is a class of the style sheet."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = GREY, more: str = "") -> str:
    """Return an element that is a line."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"{more}/>'


def span(begin_ms: float, end_ms: float, y: float, words: str, colour: str) -> list[str]:
    """Return a measure from one moment to another, with what it measures below it."""
    x1, x2 = at(begin_ms), at(end_ms)
    ends = [line(x, y - 5, x, y + 5, colour) for x in (x1, x2)]
    middle = round((x1 + x2) / 2, 1)
    return [*ends, line(x1, y, x2, y, colour), text(middle, y + 17, words, anchor="middle")]


def clocks(stream: dict[str, Any]) -> list[str]:
    """Return a row for each clock: from zero to its moment, and its name."""
    parts = []
    for row, clock in enumerate(CLOCKS):
        ms = float(stream[clock])
        x, y = at(ms), TOP + ROW * row
        kind = clock.removeprefix("first_").removesuffix("_ms")
        colour = VERMILLION if clock == "ttft_ms" else COLOURS.get(kind, GREY)
        words = f"{clock} {ms:,.0f}"
        is_late = ms > SPAN_MS * 0.6
        length = round((len(words) + len(SAID[clock])) * LETTER + 26)
        ends = x - length if is_late else x
        parts.append(line(at(0), y, ends, y, colour, ' stroke-opacity="0.45"'))
        parts.append(line(x, y, x, STRIP, colour, ' stroke-opacity="0.45" stroke-dasharray="2 3"'))
        parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>')
        name = f'<tspan class="name">{words}</tspan>  {escape(SAID[clock])}'
        anchor, beside = ("end", x - 10) if is_late else ("start", x + 10)
        parts.append(
            f'<text x="{round(beside, 1)}" y="{y + 4}" text-anchor="{anchor}" '
            f'class="clock" xml:space="preserve">{name}</text>'
        )
    return parts


def strip(events: list[dict[str, Any]]) -> list[str]:
    """Return what arrived: a mark for each event and for the comment, and what they are."""
    parts = [line(at(120), STRIP, at(120), STRIP + 30, GREY, ' stroke-width="3" stroke-dasharray="3 3"')]
    for event in events:
        colour = COLOURS.get(event["carries"], GREY)
        x = at(event["t_ms"])
        parts.append(line(x, STRIP, x, STRIP + 30, colour, ' stroke-width="3"'))
    below = STRIP + 45
    for ms, words in (
        (142, "comment, role"), (360, "reasoning"), (640, "content"), (1_120, "content"),
        (1_280, "tool call"), (1_405, "finish"), (1_566, "usage"), (1_690, "[DONE]"),
    ):  # fmt: skip
        parts.append(text(at(ms), below, words, anchor="middle"))
    return parts


def measures(stream: dict[str, Any], events: list[dict[str, Any]]) -> list[str]:
    """Return the measures between tokens: a gap, the stall, and what is divided for `itl_ms`."""
    gaps = [(event["t_ms"], event["gap_ms"]) for event in events if event["gap_ms"] > 0]
    usual, stall = gaps[8], max(gaps, key=lambda gap: gap[1])
    y = STRIP + 68
    parts = span(0, stream["ttft_ms"], y, "no token yet", GREY)
    parts += span(usual[0] - usual[1], usual[0], y, f"gap_ms {usual[1]:.0f}", GREY)
    parts += span(stall[0] - stall[1], stall[0], y, f"gap_ms {stall[1]:.0f}: a stall", VERMILLION)
    n = int(stream["output_tokens"])
    words = (
        f"itl_ms {stream['itl_ms']:.1f} = (last_token_ms {stream['last_token_ms']:,.0f} - ttft_ms "
        f"{stream['ttft_ms']:,.0f}) / (n - 1), n = {n} tokens of the bill"
    )
    return parts + span(stream["ttft_ms"], stream["last_token_ms"], y + 42, words, BLUE)


def axis() -> list[str]:
    """Return the line of time below everything, and zero through everything."""
    y = STRIP + 162
    parts = [line(at(0), y, at(SPAN_MS - 20), y)]
    for ms in range(0, SPAN_MS, 250):
        parts += [line(at(ms), y, at(ms), y + 5), text(at(ms), y + 19, f"{ms:,}", anchor="middle")]
    parts.append(text(at(SPAN_MS - 20), y + 40, "ms since the request was complete", anchor="end"))
    parts.append(line(at(0), 24, at(0), y, GREY, ' stroke-width="2"'))
    return [*parts, text(at(0), 16, "0: the proxy has the complete request", kind="name")]


def picture() -> str:
    """Return the SVG."""
    found = recorded()
    (stream,) = found.streams.to_dict("records")
    events: list[dict[str, Any]] = found.events.fillna({"gap_ms": 0}).to_dict("records")  # type: ignore[assignment]
    named = {str(key): value for key, value in stream.items()}
    parts = [*clocks(named), *strip(events), *measures(named, events), *axis()]
    (light, dark_text), (dark, light_text) = GROUNDS["light"], GROUNDS["dark"]
    style = (
        f"text{{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:{dark_text}}}"
        f".name{{font-weight:600}}.ground{{fill:{light}}}@media (prefers-color-scheme:dark)"
        f"{{text{{fill:{light_text}}}.ground{{fill:{dark}}}}}"
    )
    parts.insert(0, f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>')
    described = "; ".join(f"{clock} at {named[clock]:,.0f} ms, {SAID[clock]}" for clock in CLOCKS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-labelledby="title desc">\n<title id="title">One stream and its clocks</title>\n'
        f'<desc id="desc">Counted from the moment at which the proxy has the complete request: '
        f"{escape(described)}.</desc>\n<style>{style}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    FILE.write_text(picture(), encoding="utf-8")
