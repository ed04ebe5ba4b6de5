import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.cli._safe_text import safe_text


@given(st.text())
def test_every_letter_is_one_that_is_shown(text):
    assert safe_text(text).isprintable()


def test_what_can_be_shown_stays_as_it_is():
    assert safe_text("gpt-4o 千问 é") == "gpt-4o 千问 é"


@pytest.mark.parametrize("control", ["\x1b[2J", "\x9b2J", "\r", "\n", "\x07", "\u202e", "\ud800"])
def test_what_commands_a_terminal_is_escaped(control):
    assert safe_text(control).startswith("\\")


def test_standard_output_of_ascii_can_encode_it(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert safe_text("千\x1b") == "\\u5343\\x1b"
