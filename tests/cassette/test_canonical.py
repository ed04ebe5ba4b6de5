import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.cassette._canonical import canonical

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def reversed_keys(value):
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@given(values)
def test_order_of_keys_white_space_and_escapes_do_not_matter(value):
    plain = json.dumps(value).encode()
    other = json.dumps(reversed_keys(value), ensure_ascii=False, indent=3).encode("utf-8", "surrogatepass")
    assert canonical(plain) == canonical(other)


@given(values, values)
def test_equal_canonical_bytes_mean_equal_values(one, other):
    same = canonical(json.dumps(one).encode()) == canonical(json.dumps(other).encode())
    if same:
        assert one == other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"1", b"1.0"),
        (b"1", b"1e0"),
        (b"100", b"1e2"),
        (b"0", b"-0.0"),
        (b"0", b"0e99999999999999999999"),
        (b"0.5", b"5e-1"),
        (b"12345678901234567890", b"12345678901234567890.0"),
        (b'{"a":"\\u00e9"}', '{"a":"é"}'.encode()),
        (b'{"a":1,"b":2}', b'{ "b": 2.0, "a": 1 }'),
    ],
)
def test_spelling_does_not_matter(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"1", b"true"),
        (b"0", b"false"),
        (b"0", b"null"),
        (b"1", b'"1"'),
        (b"[1,2]", b"[2,1]"),
        (b"9007199254740993", b"9007199254740992"),
        (b"12345678901234567890", b"12345678901234567891"),
        (b'{"a":null}', b"{}"),
        (b"NaN", b" NaN"),
        (b"not json", b"not  json"),
        (b"", b"null"),
        (b"1e400", b"1e401"),
        (b"\xff\xfe", b"\xff"),
        (b"[" * 100_000, b"[" * 99_999),
    ],
)
def test_what_differs_stays_different(one, other):
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    "spelling", [b"1e-99999999999999999999", b"-1e-99999999999999999999", b"1e99999999999999999999"]
)
def test_a_number_with_an_exponent_of_any_length_is_compared(spelling):
    assert canonical(spelling) == canonical(spelling)
    assert canonical(spelling) != canonical(b"0")
