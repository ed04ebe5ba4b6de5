"""Whatever is in a recording: a figure comes of it, it says what is missing, and obeys nothing in it."""

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from tests.analysis.plots.sessions import MARKUP, session
from tests.analysis.tapes import MS, chunk, data, records, write
from tokentape.analysis import load, plots
from tokentape.analysis.plots._axes import log_axis
from tokentape.analysis.plots._text import NAME_CHARS, duration, shown, told_apart
from tokentape.analysis.plots._theme import OUTCOME_COLOURS, SERIES
from tokentape.dialects import OUTCOMES

FUNCTIONS = {
    "ttft_distribution": plots.ttft_distribution,
    "by model": partial(plots.ttft_distribution, by="model"),
    "tokens_per_s": partial(plots.ttft_distribution, metric="tokens_per_s"),
    "gap_distribution": partial(plots.gap_distribution, by="model"),
    "stream_timeline": partial(plots.stream_timeline, stream=0),
    "waterfall": plots.waterfall,
    "percentiles_over_time": plots.percentiles_over_time,
    "stall_map": plots.stall_map,
    "a_against_b": lambda recording, **options: plots.a_against_b(recording, recording, **options),
}


def token(t_ms, text="x", **more):
    return (t_ms * MS, data(chunk({"content": text}, **more)))


TAPES = {
    "empty": [],
    "a refusal": [records([], status=500)],
    "nothing but a request": [records([], status=None, end=None)],
    "one event": [records([token(200)])],
    "one read": [records([(200 * MS, token(1)[1] * 9)])],
    "two tokens": [records([token(200), token(230)])],
    "before the request was complete": [records([token(-20), token(30)], headers_ns=-30 * MS)],
    "a clock that stands still": [records([token(0), token(0), token(0)], headers_ns=0, end_ns=0)],
    "not a stream": [records([(10 * MS, b"{}")], content_type="application/json")],
    "an unknown stream": [records([(10 * MS, b"data: x\n\n")], path=b"/unknown", body=b"")],
    "cut off": [records([token(200), token(230)], end="upstream-error")],
    "never ended": [records([token(200), token(230)], end=None)],
    "a lone surrogate": [
        records([(200 * MS, b'data: {"choices":[{"index":0,"delta":{"content":"\\ud800"}}]}\n\n')])
    ],
}


@pytest.mark.parametrize("name", TAPES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_recording_gives_a_figure_that_can_be_drawn(tmp_path, function, name):
    recording = load(write(tmp_path / "t.tape", *TAPES[name]))
    figure = FUNCTIONS[function](recording)
    made = figure.to_json()
    made.encode()  # a lone surrogate would not be UTF-8
    layout = json.loads(made)["layout"]
    assert layout["title"]["text"]
    if not figure.data:
        assert "Nothing to " in layout["annotations"][0]["text"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_exchange_without_times_is_left_out_and_named_as_the_reason(tmp_path, function):
    import msgspec

    pieces = [token(200), token(230)]
    untimed = [
        msgspec.structs.replace(record, times="none") if hasattr(record, "times") else record
        for record in records(pieces)
    ]
    figure = FUNCTIONS[function](load(write(tmp_path / "t.tape", untimed)))
    assert not figure.data
    said = figure.layout.annotations[0].text.replace("<br>", " ")
    assert "not-timed" in said or "no time of day" in said


def strings(value):
    """All texts of a figure but those that it does not draw."""
    if isinstance(value, dict):
        return [text for key, each in value.items() if key not in ("ids", "meta") for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


OURS = ("<br>", "<b>A</b>", "<b>B</b>", "<b>p50</b>", "<b>p90</b>", "<b>p99</b>", "<extra></extra>")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_strangers_text_is_no_markup_no_template_and_no_formula(tmp_path, function):
    made = records(
        [token(n * 300, MARKUP, model=MARKUP) for n in range(1, 8)], path=b"/<b>/v1/chat/completions"
    )
    figure = FUNCTIONS[function](load(write(tmp_path / "<b>t<i>$x$%{x}.tape", made)))
    found = strings(json.loads(figure.to_json()))
    assert found
    for text in found:
        plain = text
        for each in OURS:
            plain = plain.replace(each, "")
        if function == "gap_distribution":  # sets the group's name in bold
            plain = plain.removeprefix("<b>").replace("</b>p50", "p50")
        assert not {"<", "$", "\N{RIGHT-TO-LEFT OVERRIDE}"} & set(plain), text
        assert "%{x} &" not in plain
        assert "%{x}.tape" not in plain


def test_shown_text_is_what_it_was():
    import html

    assert html.unescape(shown(MARKUP, 200)) == MARKUP.replace("\N{RIGHT-TO-LEFT OVERRIDE}", "\\u202e")
    assert len(html.unescape(shown("x" * 500, 60))) == 60


def test_names_that_are_cut_stay_different():
    from html import unescape

    for names in (
        [
            "meta-llama/Llama-4-Scout-17B-16E-Instruct-FP8",
            "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
        ],
        ["api.example.com/v1/agents/chat/completions", "api.example.com/v1/chat/completions"],
        ["a" * 40, "a" * 41, "b"],
        [f"{'x' * 50}{n}{'y' * 50}" for n in range(9)],
    ):
        found = [unescape(name) for name in told_apart(names)]
        assert all(len(name) <= NAME_CHARS for name in found)
        if names[0] != "a" * 40:  # here nothing that fits differs
            assert len(set(found)) == len(names)
    assert told_apart(["m<1>", "m-2"]) == ["m&lt;1&gt;", "m-2"]


@pytest.mark.parametrize(
    ("low", "high"), [(100, 180), (20, 35), (3, 7), (1, 9), (0.4, 0.8), (1, 4_000), (5, 5)]
)
def test_an_axis_has_three_labels_at_least(low, high):
    axis = log_axis(np.array([low, high], float), "ms")
    assert sum(bool(text) for text in axis["ticktext"]) >= 3
    assert axis["tickvals"] == sorted(axis["tickvals"])


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0 ms"), (0.0834, "0.0834 ms"), (20.04, "20 ms"), (312.4, "312 ms"), (1_240, "1.24 s"),
     (99_900, "99.9 s"), (185_000, "3 min 5 s"), (120_000, "2 min"), (float("nan"), "-")],
)  # fmt: skip
def test_durations_are_said_as_one_reads_them(ms, text):
    assert duration(ms).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_theme_changes_the_template_and_nothing_else(tmp_path, function):
    recording = session(tmp_path, 12)
    light, dark, either = (FUNCTIONS[function](recording, theme=theme) for theme in ("light", "dark", "any"))
    assert light != dark
    assert plots.themed(light, "any") == either == plots.themed(dark, "any")
    assert either.layout.template.layout.paper_bgcolor == "rgba(0, 0, 0, 0)"


def test_a_theme_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a theme \(any, light, dark\), found 'blue'"):
        plots.waterfall(session(tmp_path, 2), theme="blue")


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ground", ["#ffffff", "#0d1117"])
def test_marks_can_be_seen_on_either_ground(ground):
    """WCAG 2.2, 1.4.11: 3:1."""
    for colour in {*SERIES, *OUTCOME_COLOURS.values()}:
        high, low = sorted([luminance(colour), luminance(ground)], reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 3, colour


@pytest.mark.parametrize(("theme", "ground"), [("light", "#ffffff"), ("dark", "#0d1117")])
def test_text_can_be_read_on_its_ground(theme, ground):
    """WCAG 2.2, 1.4.3: 4.5:1."""
    layout = plots.template(theme).layout
    for colour in (layout.font.color, layout.title.subtitle.font.color, layout.xaxis.tickfont.color):
        high, low = sorted([luminance(colour), luminance(ground)], reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_every_outcome_has_a_colour():
    assert set(OUTCOME_COLOURS) == set(OUTCOMES)


def test_the_analysis_loads_no_plotting_library():
    code = "import sys, tokentape.analysis; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("streams", [3_000])
def test_thousands_of_streams_stay_a_page(tmp_path, streams):
    recording = session(tmp_path, streams, every_ns=20 * MS)
    for name, function in FUNCTIONS.items():
        if name != "a_against_b":
            figure = function(recording)
            assert len(figure.to_json()) < 400_000, name
            assert sum(len(trace.x) for trace in figure.data if trace.x is not None) < 15_000, name


def test_a_page_that_takes_the_title_out_leaves_room_for_what_is_above_the_plot(tmp_path):
    from tokentape.analysis.report._figures import plain

    recording = session(tmp_path, 12)
    for figure in (plots.gap_distribution(recording, by="model"), plots.a_against_b(recording, recording)):
        above = figure.layout.meta["above"]
        assert 30 <= above <= plain(figure)["layout"]["margin"]["t"] < figure.layout.margin.t
