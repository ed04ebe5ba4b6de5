"""`docs/metrics-timeline.svg`: every clock where the analysis puts it, and each one named."""

import re
import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tokentape.analysis._schema import CLOCKS

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def generator():
    return runpy.run_path(str(DOCS / "make_metrics_timeline.py"))


@pytest.fixture(scope="module")
def picture():
    return ET.fromstring((DOCS / "metrics-timeline.svg").read_text(encoding="utf-8"))


def test_the_picture_is_what_its_generator_draws(generator):
    assert (DOCS / "metrics-timeline.svg").read_text(encoding="utf-8") == generator["picture"]()


def test_every_clock_is_named_in_the_picture_at_its_moment(generator, picture):
    names = [each.text.split() for each in picture.iter(f"{SVG}tspan") if each.get("class") == "name"]
    assert [name for name, _ in names] == list(CLOCKS)
    dots = [float(dot.get("cx")) for dot in picture.iter(f"{SVG}circle")]
    assert dots == [generator["at"](float(ms.replace(",", ""))) for _, ms in names]


def test_zero_a_gap_a_stall_and_the_itl_are_marked(picture):
    said = " ".join("".join(each.itertext()) for each in picture.iter(f"{SVG}text"))
    for words in (
        "0: the proxy has the complete request",
        "gap_ms 40",
        "a stall",
        "itl_ms",
        "[DONE]",
        "usage",
    ):
        assert words in said


def test_the_metrics_page_shows_the_picture_and_says_in_words_what_is_in_it():
    (alt,) = re.findall(
        r"!\[([^\]]+)\]\(metrics-timeline\.svg\)", (DOCS / "metrics.md").read_text(encoding="utf-8")
    )
    assert "each clock is marked" in alt


def test_no_text_leaves_the_picture(generator, picture):
    """By a generous estimate of how wide letters are."""
    for each in picture.iter(f"{SVG}text"):
        width = 6.6 * len("".join(each.itertext()))
        share = {"start": 0, "middle": 0.5, "end": 1}[each.get("text-anchor")]
        left = float(each.get("x")) - share * width
        assert left >= 0
        assert left + width <= generator["WIDTH"]


def luminance(colour):
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_and_marks_can_be_read_on_the_pictures_own_ground_in_both_schemes(picture):
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5:1 for text, 3:1 for marks."""
    (style,) = (each.text for each in picture.iter(f"{SVG}style"))
    assert not [each for each in picture.iter(f"{SVG}text") if "fill" in each.attrib]
    marks = {each.get("stroke") for each in picture.iter(f"{SVG}line")}
    marks |= {each.get("fill") for each in picture.iter(f"{SVG}circle")}
    assert len(marks) >= 5
    for scheme in style.split("@media (prefers-color-scheme:dark)"):
        (text,) = re.findall(r"text\{[^}]*fill:(#\w{6})", scheme)
        (ground,) = re.findall(r"\.ground\{fill:(#\w{6})", scheme)
        assert contrast(text, ground) >= 4.5
        assert all(contrast(mark, ground) >= 3 for mark in marks)


def test_the_ground_lies_below_all_of_the_picture(generator, picture):
    first = next(
        each for each in picture if each.tag not in {f"{SVG}{name}" for name in ("title", "desc", "style")}
    )
    assert (first.get("class"), first.get("width"), first.get("height")) == (
        "ground",
        str(generator["WIDTH"]),
        str(generator["HEIGHT"]),
    )
