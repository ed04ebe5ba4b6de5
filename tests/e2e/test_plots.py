"""Every figure in the browser that readers have: no error, no text cut off, no stranger's markup."""

import json

import pytest
from plotly.offline import get_plotlyjs

from tests.analysis.plots.sessions import MARKUP, session
from tests.analysis.plots.test_any_recording import FUNCTIONS, TAPES, token
from tests.analysis.tapes import records, write
from tests.e2e.browser import chromium
from tokentape.analysis import load

pytestmark = pytest.mark.once
PHONE = 360
DRAW = """async figure => {
    document.body.innerHTML = "";
    const at = document.body.appendChild(document.createElement("div"));
    await Plotly.newPlot(at, figure.data, figure.layout, {responsive: true, displayModeBar: false});
    return [...at.querySelectorAll("text")].filter(each => each.textContent.trim()).map(each => {
        const box = each.getBoundingClientRect();
        return [each.textContent, box.left, box.right];
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


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_text_is_cut_off_on_a_phone(paper, tmp_path, function):
    found = paper.draw(FUNCTIONS[function](session(tmp_path, 60)))
    assert len(found) > 10
    assert not [(words, left, right) for words, left, right in found if left < -1 or right > PHONE + 1]
    assert not paper.said


def test_strangers_text_is_drawn_letter_by_letter(paper, tmp_path):
    made = records([token(n * 300, MARKUP, model=MARKUP) for n in range(1, 8)])
    recording = load(write(tmp_path / "t.tape", made))
    for function, plot in FUNCTIONS.items():
        found = paper.draw(plot(recording))
        assert not paper.said, function
        assert not paper.page.query_selector_all("svg a"), function
        if function in ("gap_distribution", "stream_timeline"):
            assert "<b>m</b><a" in "".join(words for words, _, _ in found)
