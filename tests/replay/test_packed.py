from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay._packed import Changed, Packed

PARTS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=9)), min_size=1).map(tuple)
NUMBERS = st.integers(-12, 12)
SLICES = st.slices(12)


def packed(parts, before=b"before"):
    return Packed(parts, before + b"".join(data for _, data in parts) + b"after", start=len(before))


@given(PARTS, SLICES)
def test_what_is_packed_is_the_sequence_that_it_was_packed_from(parts, piece):
    found = packed(parts)
    assert tuple(found) == parts
    assert len(found) == len(parts)
    assert found[piece] == parts[piece]
    assert tuple(reversed(found)) == parts[::-1]


@given(PARTS, NUMBERS)
def test_a_position_is_that_of_a_tuple_also_from_the_end_and_beyond_it(parts, position):
    try:
        expected = parts[position]
    except IndexError:
        expected = "there is none"
    try:
        found = packed(parts)[position]
    except IndexError:
        found = "there is none"
    assert found == expected


@given(PARTS, SLICES)
def test_a_first_part_is_replaced_and_the_bytes_of_the_others_are_changed(parts, piece):
    expected = ((-1, b"first"), *((offset, data + b"!") for offset, data in parts[1:]))
    found = Changed(packed(parts), (-1, b"first"), lambda data: data + b"!")
    assert tuple(found) == expected
    assert found[piece] == expected[piece]
    assert found[-1] == expected[-1]
    assert Changed(parts, (0, b"first"))[1:] == parts[1:]
