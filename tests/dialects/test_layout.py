from hypothesis import given
from hypothesis import strategies as st

from tokentape.dialects._layout import calls, rows

MS = 1_000_000
TEXTS = st.text(st.sampled_from("ab \n{}\u2028好"), max_size=30)
PARTS = st.lists(st.tuples(st.integers(0, 3_000 * MS), TEXTS), max_size=12).map(sorted)


def joined(found):
    return "".join(("\n" if row.begins else "") + row.text for row in found).removeprefix("\n")


@given(PARTS, st.integers(1, 20), st.integers(1, 1_000 * MS))
def test_rows_put_together_are_the_text(parts, width, gap_ns):
    text = "".join(part for _, part in parts)
    assert joined(rows(parts, "x", gap_ns=gap_ns, width=width)) == text.removesuffix("\n")
    assert joined(rows(parts, "x", gap_ns=gap_ns, width=width, exact=True)) == text


@given(PARTS)
def test_without_limits_rows_are_the_texts_own_lines(parts):
    text = "".join(part for _, part in parts)
    expected = text.removesuffix("\n").split("\n") if text else []
    assert [row.text for row in rows(parts, gap_ns=None, width=None)] == expected


@given(PARTS, st.integers(1, 20))
def test_the_time_of_a_row_is_that_of_a_part(parts, width):
    assert {row.t for row in rows(parts, width=width)} <= {t for t, _ in parts}


def test_a_row_has_the_time_of_its_first_part_and_ends_where_nothing_came_for_long():
    parts = [(10, "a"), (20, "b"), (20 + 501 * MS, "c"), (21 + 501 * MS, "d\ne")]
    found = rows(parts, "content", gap_ns=500 * MS)
    assert [(row.t, row.label, row.text, row.begins) for row in found] == [
        (10, "content", "ab", True),
        (20 + 501 * MS, "", "cd", False),
        (21 + 501 * MS, "", "e", True),
    ]


def test_a_line_that_follows_an_end_of_line_has_its_own_time():
    assert [row.t for row in rows([(1, "a\n"), (2, "b")])] == [1, 2]


def test_a_wide_row_ends_before_a_space_or_soon_after():
    words = [(n, " word") for n in range(8)]
    assert [row.text for row in rows(words, width=10)][:2] == [" word word"] * 2
    assert max(len(row.text) for row in rows([(n, "好") for n in range(99)], width=10)) == 30


def test_tool_calls_are_a_line_each_with_the_name_apart():
    parts = [(1, "sqrt"), (2, '{"x": "}'), (3, '{"}'), (4, "now{}"), (5, 'cut{"a')]
    found = calls(parts)
    assert "".join(text for _, text in found) == 'sqrt {"x": "}{"}\nnow {}\ncut {"a'
    assert [t for t, _ in found] == [1, 2, 3, 4, 5]


@given(PARTS)
def test_calls_add_nothing_but_white_space(parts):
    before = "".join(text for _, text in parts)
    after = "".join(text for _, text in calls(parts))
    assert "".join(after.split()) == "".join(before.split())


def test_a_row_reads_as_time_label_and_text():
    (row,) = rows([(263_123_000, "Hi")], "content")
    assert str(row) == "      263.1 ms  content    | Hi"
