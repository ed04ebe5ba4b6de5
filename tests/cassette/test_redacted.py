import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.cassette import REDACTED, filler, placeholder

names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,3}", fullmatch=True)


@given(names, st.booleans())
def test_a_placeholder_says_what_it_replaced(name: str, in_url: bool):
    found = REDACTED.fullmatch(placeholder(name, in_url=in_url))
    assert found
    assert found[1].decode() == name


@given(names, st.integers(0, 100))
def test_a_filler_has_the_size_asked_for_and_is_a_placeholder_where_that_fits(name: str, size: int):
    filled = filler(name, size)
    assert len(filled) == size
    if size >= len(placeholder(name)):
        found = REDACTED.fullmatch(filled)
        assert found
        assert found[1].decode() == name
    else:
        assert filled == b"*" * size


@given(names)
def test_a_placeholder_needs_no_escape_in_json_headers_and_urls(name: str):
    assert re.fullmatch(rb'[^"\\\x00-\x1f\x7f-\xff]*', placeholder(name))
    assert re.fullmatch(rb"[A-Za-z0-9%._~-]*", placeholder(name, in_url=True))


@pytest.mark.parametrize(
    "text", [b"[redacted]", b"[redacted ]", b"[redacted A]", b"[redacted a b]", b"redacted a"]
)
def test_other_text_is_no_placeholder(text: bytes):
    assert not REDACTED.search(text)
