"""Every figure in the browser that readers have: no error, no text cut off, no stranger's markup."""

import json
from functools import partial
from itertools import combinations
from random import Random

import pytest
from plotly.offline import get_plotlyjs

from tests.analysis.plots.sessions import MARKUP, at, session, stream
from tests.analysis.plots.test_any_recording import FUNCTIONS, TAPES, token
from tests.analysis.tapes import MS, records, write
from tests.e2e.browser import chromium
from tokentape.analysis import load, plots
from tokentape.analysis.plots._text import number

pytestmark = pytest.mark.once
PHONE = 360
DRAW = """async figure => {
    document.body.innerHTML = "";
    const at = document.body.appendChild(document.createElement("div"));
    await Plotly.newPlot(at, figure.data, figure.layout, {responsive: true, displayModeBar: false});
    return [...at.querySelectorAll("text")].filter(each => each.textContent.trim()).map(each => {
        const box = each.getBoundingClientRect(), legend = each.closest(".legend");
        const edge = (legend ? legend.querySelector(".bg") : document.body).getBoundingClientRect();
        return [each.textContent, box.left, box.right, box.top, box.bottom, edge.right];
    });
}"""


class Paper:
    """A page on which figures are drawn. `said` is its console."""

    def __init__(self, page):
        self.page = page
        self.said = []
        page.set_default_timeout(30_000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.set_content("<!doctype html><meta charset=utf-8><body style='margin:0'></body>")
        page.add_script_tag(content=get_plotlyjs())

    def draw(self, figure):
        """Texts of the figure, with where each begins and ends."""
        self.said.clear()
        return self.page.evaluate(DRAW, json.loads(figure.to_json()))


@pytest.fixture(scope="module")
def paper():
    with chromium() as browser:
        yield Paper(browser.new_page(viewport={"width": PHONE, "height": 800}))


@pytest.mark.parametrize("name", TAPES)
def test_a_browser_draws_every_figure_without_a_word(paper, tmp_path, name):
    recording = load(write(tmp_path / "t.tape", *TAPES[name]))
    for function, plot in FUNCTIONS.items():
        paper.draw(plot(recording))
        assert not paper.said, function


NAMES = {
    "model": "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
    "route": "api.example.com/v1/agents/chat/completions",
}
PLOTS = FUNCTIONS | {
    f"{function} by {by}": partial(plot, by=by)
    for by in ("model", "route")
    for function, plot in (
        ("ttft", plots.ttft_distribution),
        ("tokens_per_s", partial(plots.ttft_distribution, metric="tokens_per_s")),
        ("gaps", plots.gap_distribution),
        ("read_gap_ms", partial(plots.ttft_distribution, metric="read_gap_ms")),
    )
}


@pytest.fixture(scope="module")
def of_two_models(tmp_path_factory):
    """Streams of two models and routes, with names as long as they are."""
    folder = tmp_path_factory.mktemp("two")
    random = Random(3)
    made = []
    for n in range(120):
        model, path = NAMES["model"], b"/v1/agents/chat/completions"
        if n % 3:
            model, path = model.replace("Maverick-17B-128E", "Scout-17B-16E"), b"/v1/chat/completions"
        pieces = stream(random, model, stall_at=3 if n % 9 == 0 else None)
        exchange = records(pieces, end_ns=pieces[-1][0] + 4 * MS, path=path)
        made.append(at(exchange, n, n * 130 * MS))
    return load(write(folder / "two.tape", *made))


def cut_off(found):
    return [text for text in found if text[1] < -1 or text[2] > text[5] + 1 or text[3] < 0]


def run_together(found):
    """Pairs of texts of which one lies on the other."""
    return [
        (one[0], other[0])
        for one, other in combinations(found, 2)
        if min(one[2], other[2]) - max(one[1], other[1]) > 1
        and min(one[4], other[4]) - max(one[3], other[3]) > 4  # boxes are higher than letters
    ]


@pytest.mark.parametrize("function", PLOTS)
def test_no_text_is_cut_off_on_a_phone(paper, of_two_models, function):
    found = paper.draw(PLOTS[function](of_two_models))
    assert len(found) > 10
    assert not cut_off(found)
    assert not run_together(found)
    assert not paper.said


@pytest.mark.parametrize("by", NAMES)
def test_a_legend_tells_names_apart_and_says_of_how_many_and_the_whole_number(paper, of_two_models, by):
    figure = plots.ttft_distribution(of_two_models, metric="tokens_per_s", by=by)
    said = [text for text, *_ in paper.draw(figure)]
    summary = of_two_models.summary(by=by).xs("tokens_per_s", level="metric")
    assert len(summary) == 2
    for group in summary.to_dict("records"):
        p50, p99 = (number(group[name], "tokens_per_s") for name in ("p50", "p99"))
        told = f"n {group['n']}p50 {p50.removesuffix(' tokens/s')}, p99 {p99}"
        (name,) = [text.removesuffix(told) for text in said if text.endswith(told)]
        assert any(word in name for word in ("Scout", "Maverick", "agents/chat", "le/v1/chat"))
    names = {trace.meta: trace.name.partition("<br>")[0] for trace in figure.data if trace.showlegend}
    assert set(names) == set(summary.index)
    assert len(set(names.values())) == 2
    for trace in figure.data:
        assert (
            "".join(str(trace.customdata[0][-1] if trace.showlegend else trace.customdata[0]).split("<br>"))
            == trace.meta
        )


@pytest.mark.parametrize("streams", [1, 2, 12])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_in_a_short_recording_no_text_lies_on_another(paper, tmp_path, function, streams):
    found = paper.draw(FUNCTIONS[function](session(tmp_path, streams)))
    assert not cut_off(found)
    assert not run_together(found)


@pytest.mark.parametrize("width", [300, PHONE, 1280])
@pytest.mark.parametrize("metric", ["ttft_ms", "itl_ms", "gap_ms"])
@pytest.mark.parametrize("streams", [1, 40])
def test_the_names_of_a_and_b_lie_on_nothing(paper, tmp_path, metric, streams, width):
    a, b = (session(tmp_path, n, name=f"{n}.tape", seed=n) for n in (streams, 60))
    paper.page.set_viewport_size({"width": width, "height": 800})
    try:
        found = paper.draw(plots.a_against_b(a, b, metric))
    finally:
        paper.page.set_viewport_size({"width": PHONE, "height": 800})
    assert {words[:6] for words, *_ in found} >= {"A: p50", "B: p50"}
    assert not cut_off(found)
    assert not run_together(found)


def test_strangers_text_is_drawn_letter_by_letter(paper, tmp_path):
    made = records([token(n * 300, MARKUP, model=MARKUP) for n in range(1, 8)])
    recording = load(write(tmp_path / "t.tape", made))
    for function, plot in FUNCTIONS.items():
        found = paper.draw(plot(recording))
        assert not paper.said, function
        assert not paper.page.query_selector_all("svg a"), function
        if function in ("gap_distribution", "stream_timeline"):
            assert "<b>m</b><a" in "".join(words for words, *_ in found)
