import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.cassette.formats._text import _CHARSETS, bytes_of, charset, text_of


@given(st.binary(max_size=8), st.sampled_from(sorted(_CHARSETS)))
def test_what_is_text_comes_back_as_the_same_bytes(body, name):
    text = text_of(body, f"text/plain; charset={name}")
    assert text is None or bytes_of(text, f"text/plain; charset={name}") == body


def test_bytes_that_a_charset_would_spell_otherwise_are_no_text():
    assert b"\xa2\xcc".decode("big5") == "\u5341"
    assert text_of(b"\xa2\xcc", "text/plain; charset=big5") is None


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("", "utf-8"),
        ("text/event-stream", "utf-8"),
        ('text/html; a=b; Charset="ISO-8859-1"', "iso8859-1"),
        ("text/html; charset=nope", "utf-8"),
        ("text/html; charset=rot13", "utf-8"),
        ("text/html; charset=punycode", "utf-8"),
        ("text/html; charset=\0", "utf-8"),
    ],
)
def test_a_charset_is_one_of_the_webs(content_type, name):
    assert charset(content_type) == name


@given(st.text(max_size=5), st.sampled_from(sorted(_CHARSETS)))
def test_any_text_has_bytes(text, name):
    assert isinstance(bytes_of(text + "\ud800", f"a/b; charset={name}"), bytes)
