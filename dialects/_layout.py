"""Text that came in parts, laid out in rows that each say when their first part came.

The invariant: the rows that begin a line and those that go on with it, put together again, are the text
(less an end of line at its end).
A row ends at the text's own line ends, where nothing came for longer than `gap_ns`, and between two
parts once it is `width` long, so that the times of a long paragraph can be read from its rows.
"""

import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Part = tuple[int | None, str]
"""Some text, and when it came: ns since the request was complete, None if that is not known."""

GAP_NS = 500_000_000
WIDTH = 90
_OVERRUN = 20  # a row waits so much longer for a space between words


class Row(NamedTuple):
    """A row of text. `t` is when it came, in ns since the request was complete; None is not known.

    `begins` is False if it goes on with the line of the row before.
    """

    t: int | None
    label: str
    text: str
    begins: bool = True

    def __str__(self) -> str:
        time = "" if self.t is None else f"{self.t / 1e6:,.1f} ms"
        mark = "|" if self.begins else ">"
        return f"{time:>14}  {self.label:<10} {mark}" + f" {self.text}" * bool(self.text)


def rows(
    parts: Iterable[Part],
    label: str = "",
    *,
    gap_ns: int | None = GAP_NS,
    width: int | None = WIDTH,
    exact: bool = False,
) -> list[Row]:
    """Return the rows of a text, the first with the label. None for a limit: that never ends a row.

    An end of line at the end of the text makes an empty row only if it is to be `exact`.
    """
    found: list[Row] = []
    row: list[str] = []
    size = 0
    began: int | None = None
    last: int | None = None
    begins = True

    def end(*, of_line: bool) -> None:
        nonlocal row, size, began, begins
        found.append(Row(began, "" if found else label, "".join(row), begins))
        row, size, began, begins = [], 0, None, of_line

    for t, part in parts:
        late = gap_ns is not None and t is not None and last is not None and t - last > gap_ns
        full = width is not None and size >= width and (part[:1].isspace() or size >= width + _OVERRUN)
        if row and (late or full):
            end(of_line=False)
        for count, line in enumerate(part.split("\n")):
            if count:
                began = t if began is None else began
                end(of_line=True)
            if line:
                began = t if began is None else began
                row.append(line)
                size += len(line)
        last = t
    if row or (exact and found and begins):
        end(of_line=True)
    return found


def calls(parts: Sequence[Part]) -> list[Part]:
    """Return the parts of tool calls with a space behind each name and each call in a line of its own.

    Dialects give a call as its name and then its arguments, which are a JSON object: what stands before
    the brace is the name. Where arguments are something else the text stays as it is.
    """
    text = "".join([part for _, part in parts])
    inserted: dict[int, str] = {}
    decode = json.JSONDecoder().raw_decode
    start = 0
    while (brace := text.find("{", start)) >= 0:
        if start:
            inserted[start] = "\n"
        if brace > start:
            inserted[brace] = " "
        try:
            _, start = decode(text, brace)
        except (ValueError, RecursionError):
            break
    found: list[Part] = []
    position = 0
    places = deque(inserted)  # in their order
    for t, part in parts:
        end = position + len(part)
        pieces = []
        while places and places[0] < end:
            place = places.popleft()
            pieces += [text[position:place], inserted[place]]
            position = place
        found.append((t, "".join([*pieces, text[position:end]])))
        position = end
    return found
