"""A table has the same labels and numbers whatever the width of the terminal."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from tokentape.cli._prose import Facts, Prose
from tokentape.cli._shown_table import ShownTable

WORD = st.text("ab0.9/千", min_size=1, max_size=30)
NUMBER = st.floats(0, 1e9).map("{:,.1f}".format)


def drawn(what, width, **options):
    console = Console(file=io.StringIO(), width=width, legacy_windows=False)
    console.print(what, **(options or {"overflow": "ignore", "crop": False}))
    return console.file.getvalue()


@st.composite
def tables(draw):
    """A table, and the texts that are in it."""
    levels = draw(st.lists(st.lists(WORD, max_size=2), max_size=3))
    cells = draw(st.lists(WORD, min_size=1, max_size=4))
    table = ShownTable(levels, cells, words=cells[:1])
    texts = []
    for _ in range(draw(st.integers(1, 4))):
        labels = [[draw(WORD) for _ in level] for level in levels]
        row = [draw(WORD), *(draw(NUMBER) for _ in cells[1:])]
        table.add(labels, row)
        texts += [text for level in labels for text in level] + row
    return table, texts + cells + [name for level in levels for name in level]


@given(tables(), st.integers(20, 120))
def test_no_label_and_no_number_is_cut_at_any_width(made, width):
    table, texts = made
    words = [word.rstrip(":,") for word in drawn(table, width).split()]
    for text in texts:
        assert text in words
    assert "…" not in drawn(table, width)


@given(tables(), st.integers(20, 120))
def test_what_is_drawn_in_place_is_no_wider_and_has_every_letter(made, width):
    table, texts = made
    console = Console(file=io.StringIO(), width=width, legacy_windows=False)
    lines = ["".join(part.text for part in line) for line in console.render_lines(table, pad=False)]
    assert all(Text(line).cell_len <= width for line in lines)
    seen = "".join("".join(lines).split())
    assert all(text in seen for text in texts)


def shown(width):
    table = ShownTable([["route"], [""]], ["p50", "p99", "why"], words=["why"])
    table.add([["/v1/chat"], ["TTFT ms"]], ["1.0", "1,002.5", "a b"])
    table.add([["/v1/chat"], ["gap ms"]], ["20.0", "", "c"])
    table.add([["/v2"], ["gap ms"]], ["3.0", "4.0", "d"])
    return [line.rstrip() for line in drawn(table, width).splitlines()]


def test_what_has_room_is_a_line_a_row():
    assert shown(80) == [
        "",
        "route                 p50       p99   why",
        "─────────────────────────────────────────",
        "/v1/chat   TTFT ms    1.0   1,002.5   a b",
        "           gap ms    20.0             c",
        "",
        "/v2        gap ms     3.0       4.0   d",
        "",
    ]


def test_groups_become_headings_where_there_is_less():
    assert shown(40)[3:] == [
        "",
        "route: /v1/chat",
        "TTFT ms    1.0   1,002.5   a b",
        "gap ms    20.0             c",
        "",
        "route: /v2",
        "gap ms     3.0       4.0   d",
        "",
    ]


def test_each_cell_has_a_line_where_there_is_least():
    assert shown(18) == [
        "",
        "route: /v1/chat",
        "  TTFT ms",
        "    p50      1.0",
        "    p99  1,002.5",
        "    why: a b",
        "  gap ms",
        "    p50     20.0",
        "    why: c",
        "",
        "route: /v2",
        "  gap ms",
        "    p50      3.0",
        "    p99      4.0",
        "    why: d",
        "",
    ]


@given(st.lists(WORD, min_size=1, max_size=20), st.integers(5, 80))
def test_prose_breaks_between_words_alone(words, width):
    text = " ".join(words)
    lines = drawn(Prose(text), width).splitlines()
    assert " ".join(lines) == text
    assert all(Text(line).cell_len <= width or " " not in line for line in lines)


def test_facts_are_beside_their_labels_where_there_is_room():
    facts = Facts([("size", "4,033,579 bytes"), ("  0", "one two three four five six"), ("", "and 2 more")])
    assert drawn(facts, 31).splitlines() == [
        "size  4,033,579 bytes",
        "  0   one two three four five",
        "      six",
        "      and 2 more",
    ]
    assert drawn(facts, 20).splitlines() == [
        "size: 4,033,579",
        "bytes",
        "0: one two three",
        "four five six",
        "and 2 more",
    ]
