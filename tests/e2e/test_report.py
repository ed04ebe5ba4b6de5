"""The report as its readers see it: in a browser, on a phone, on paper, in the dark, without JavaScript."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.report.recordings import HOSTILE, tape
from tests.e2e.browser import Browser, Reader, chromium
from tests.e2e.processes import TOKENTAPE
from tokentape.analysis import load
from tokentape.analysis.report import report

pytestmark = pytest.mark.once
Open = Callable[..., Reader]
PLOTS = {"one": 5, "two": 9, "hostile": 5}
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("report")
    a, b = tape(folder / "a.tape"), tape(folder / "b.tape", slower=1.5)
    hostile = tape(folder / "c.tape", names=HOSTILE)
    texts = {
        "one": report(load(a)),
        "two": report(load(a), load(b), by="outcome"),
        "hostile": report(load(hostile), title=HOSTILE[0]),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def opened(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    """Open a page; in the end none may have said anything, nor asked for anything but itself."""
    readers: list[Reader] = []

    def open_page(name: str, **context: Any) -> Reader:
        readers.append(Reader(browser, pages[name], **context))
        return readers[-1]

    yield open_page
    for reader in readers:
        reader.close()
        assert reader.said == []
        assert set(reader.asked) == {reader.path.as_uri()}


def rows(reader: Reader) -> list[str]:
    return reader.page.locator("tr.stream:visible").all_inner_texts()


def cells(reader: Reader) -> list[str]:
    return reader.page.locator("[data-cell]").all_inner_texts()


def traces(reader: Reader, name: str) -> int:
    """How many points a plot has."""
    return reader.page.evaluate(
        "name => document.querySelector(`[data-plot=${name}]`)._fullData"
        ".reduce((sum, trace) => sum + (trace.x ? trace.x.length : 0), 0)",
        name,
    )


def chip(reader: Reader, name: str) -> Any:
    return reader.page.locator("button.chip").filter(has=reader.page.get_by_text(name, exact=True))


def all_drawn(reader: Reader, plots: int) -> bool:
    places = reader.page.locator("[data-plot]:has(svg.main-svg):not(.undrawn)")
    return places.count() == plots and reader.page.locator(".undrawn").count() == 0


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_click_on_a_value_filters_numbers_plots_and_streams(opened: Open, name: str):
    reader = opened(name)
    assert all_drawn(reader, PLOTS[name])
    before = rows(reader), cells(reader), traces(reader, "ttft")
    assert any("model-b" in row for row in before[0])
    chip(reader, "model-a").click()
    assert rows(reader)
    assert all_drawn(reader, PLOTS[name])
    assert all("model-a" in row for row in rows(reader))
    assert cells(reader) != before[1]
    assert reader.page.inner_text("#advice") == ""
    assert 0 < traces(reader, "ttft") < before[2]
    assert re.match(r"Showing model model-a: \d+ of \d+ streams", reader.page.inner_text("#showing"))
    assert chip(reader, "model-a").get_attribute("aria-pressed") == "true"
    reader.page.click("#clear")
    assert (rows(reader), cells(reader), traces(reader, "ttft")) == before
    assert reader.page.locator("button.chip[aria-pressed=true]").count() == 0


def test_a_filter_can_be_set_and_cleared_with_the_keyboard(opened: Open):
    reader = opened("one")
    before = rows(reader)
    chip(reader, "complete").focus()
    reader.page.keyboard.press("Enter")
    assert all("complete" in row for row in rows(reader))
    assert reader.page.is_visible("#clear")
    reader.page.keyboard.press("Space")
    assert rows(reader) == before
    assert not reader.page.is_visible("#clear")


def test_a_click_on_a_legend_filters(opened: Open):
    reader = opened("one")
    reader.page.locator("#figure-ttft .legendtoggle").first.click()
    reader.page.wait_for_selector("#clear:visible")
    assert reader.page.locator("button.chip[aria-pressed=true] .name").inner_text() in ("model-a", "model-b")


def test_in_the_legend_of_the_waterfall_outcomes_filter_and_phases_do_nothing(opened: Open):
    page = opened("one").page
    entry = page.locator("#figure-waterfall .legend .traces").filter(has_text=re.compile("^complete "))
    entry.locator(".legendtoggle").click()
    page.wait_for_selector("#clear:visible")
    assert page.locator("button.chip[aria-pressed=true] .name").inner_text() == "complete"
    page.click("#clear")
    assert page.locator("#figure-waterfall .legendtoggle").evaluate_all(
        """toggles => toggles.map((each) => [
          each.parentNode.querySelector("text").textContent.replace(/ [0-9]+$/, ""),
          getComputedStyle(each).pointerEvents !== "none",
        ])"""
    ) == [
        ["complete", True], ["http-error", True], ["upstream-error", True],
        ["to headers", False], ["to first token", False], ["to last token", False], ["to end", False],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["one", "two"])
def test_on_a_phone_intervals_and_what_is_missing_are_in_view(opened: Open, name: str):
    page = opened(name, viewport={"width": 380, "height": 740}).page
    for place in ("#comparison .ends", "#numbers .missing", "p.caption"):
        boxes = [each.bounding_box() for each in page.locator(place).all()]
        assert boxes or name == "one"
        assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 380 for box in boxes)


def test_headings_on_paper_are_text_and_no_buttons(opened: Open):
    page = opened("one").page
    page.emulate_media(media="print")
    assert page.locator("#slow thead th").all_inner_texts()[3:6] == [
        "First token",
        "Largest gap",
        "Last token",
    ]
    assert page.locator("#slow thead button:visible").count() == 0


def test_streams_are_sorted_by_the_heading_that_is_clicked(opened: Open):
    reader = opened("one")
    for order in ("ttft-ms", "gap-max-ms", "last-token-ms"):
        head = reader.page.locator(f"[data-order={order.replace('-', '_')}]")
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        assert reader.page.locator("[aria-sort=descending]").count() == 1
        values = reader.page.locator("tr.stream:visible").evaluate_all(
            "(rows, name) => rows.map((row) => Number(row.getAttribute(`data-${name}`)))", order
        )
        assert values == sorted(values, reverse=True)


def test_a_row_opens_the_timeline_of_its_stream_and_closes_it_with_the_keyboard_too(opened: Open):
    page = opened("one").page
    button = page.locator("tr.stream:visible .open").nth(2)
    for act in (button.click, lambda: button.press("Enter")):
        act()
        page.wait_for_selector(".detail svg.main-svg")
        assert button.get_attribute("aria-expanded") == "true"
        act()
        assert page.locator(".detail").count() == 0
        assert button.get_attribute("aria-expanded") == "false"


@pytest.mark.parametrize(("name", "width"), [("one", 360), ("two", 768), ("hostile", 360)])
def test_a_narrow_page_does_not_scroll_sideways(opened: Open, name: str, width: int):
    reader = opened(name, viewport={"width": width, "height": 740})
    reader.page.locator("tr.stream:visible .open").first.click()
    assert all_drawn(reader, PLOTS[name])
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["one", "two"])
def test_all_text_can_be_read_in_both_themes_and_plots_follow(opened: Open, name: str):
    reader = opened(name, color_scheme="light")
    chip(reader, "model-a").click()
    for scheme in ("light", "dark", "light"):
        reader.page.emulate_media(color_scheme=scheme)
        reader.page.wait_for_function(
            """is_dark => {
              const text = document.querySelector("[data-plot=ttft] .xtick text");
              return text && getComputedStyle(text).fill
                .match(/\\d+/g).every((part) => part > 127 === is_dark);
            }""",
            arg=scheme == "dark",
        )
        found = reader.page.evaluate(CONTRAST)
        assert len(found) > 100
        assert [each for each in found if each[0] < 4.5] == []


@pytest.mark.parametrize("name", ["one", "two"])
def test_on_paper_it_is_light_and_whole_and_has_no_controls(opened: Open, name: str, tmp_path: Path):
    reader = opened(name, color_scheme="dark", viewport={"width": 700, "height": 1000})
    page = reader.page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("#clear")
    assert not page.is_visible(".hint")
    assert [each for each in page.evaluate(CONTRAST) if each[0] < 4.5] == []
    cut = (
        "each => each.filter((part) => part.scrollWidth > part.clientWidth + 1).map((part) => part.ariaLabel)"
    )
    assert page.locator(".scroll").evaluate_all(cut) == []
    page.evaluate("""() => addEventListener('beforeprint', () => {
      window.widths = [...document.querySelectorAll('[data-plot] .main-svg')].map((each) => each.clientWidth);
    })""")
    page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert set(page.evaluate("window.widths")) == {670, 316}


@pytest.mark.parametrize("name", ["two"])
def test_without_javascript_the_numbers_are_there(opened: Open, name: str):
    reader = opened(name, java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = reader.page
    assert "streams" in page.locator("#summary").inner_text()
    assert all(re.search(r"\d", text) for text in page.locator("[data-cell]:nth-child(2)").all_inner_texts())
    assert page.get_by_text("Plots need JavaScript").is_visible()
    assert page.locator("tr.stream:visible svg.strip").count() > 5
    assert page.locator("#definitions dt").count() > 6
    assert not page.locator(".drawing").first.is_visible()
    assert not page.locator("#filter").is_visible()


def test_names_that_strangers_chose_are_shown_and_not_obeyed(opened: Open):
    reader = opened("hostile")
    page = reader.page
    names = page.locator(".chip .name").all_inner_texts()
    for name in HOSTILE:
        shown = "".join(
            each if each.isprintable() else each.encode("unicode_escape").decode() for each in name
        )
        assert shown in names
    assert page.inner_text("h1") == HOSTILE[0]
    for view in page.locator("button.chip").all()[:3]:
        view.click()
    page.locator("tr.stream:visible .open").first.click()
    assert page.evaluate("window.broken") is None
    assert page.locator("main a:not([href^='#']), main img, main b:not(.side), iframe, object").count() == 0


UNPRINTABLE = """() => {
  const found = [], walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent, place = walk.currentNode.parentElement;
    if (place.tagName !== "SCRIPT" && /[\\p{C}\\p{Zl}\\p{Zp}]/u.test(text.replaceAll("\\n", "")))
      found.push([place.tagName, place.id, escape(text)]);
  }
  return found;
}"""


def test_no_letter_that_cannot_be_seen_is_on_the_page_whatever_is_chosen(opened: Open):
    page = opened("hostile").page
    assert page.evaluate(UNPRINTABLE) == []
    views = page.locator("button.chip").all()
    assert len(views) > len(HOSTILE)
    for view in views:
        view.click()
        assert page.evaluate(UNPRINTABLE) == []
        assert view.locator(".name").inner_text() in page.inner_text("#showing")


def test_a_name_of_strangers_in_a_legend_is_the_value_that_a_click_chooses(
    opened: Open, browser: Browser, tmp_path: Path
):
    path = tmp_path / "page.html"
    path.write_text(report(load(tape(tmp_path / "a.tape", names=(HOSTILE[5], "plain")))), encoding="utf-8")
    reader = Reader(browser, path)
    reader.page.locator("#figure-ttft .legendtoggle").first.click()
    reader.page.wait_for_selector("#clear:visible")
    chosen = reader.page.locator("button.chip[aria-pressed=true] .name").inner_text()
    assert chosen == "line\\u2028separator\\u202eturned\\x00\\x1b[31m"
    reader.close()
    assert reader.said == []


DRAWN = """place => {
  const found = [];
  for (const mark of place.querySelectorAll(".points path.point, .bars .point path")) {
    const { id } = mark.__data__ ?? mark.parentNode.__data__;
    const { x, y, width, height } = mark.getBoundingClientRect();
    if (id && width > 3) found.push([id, x + width / 2, y + height / 2]);
  }
  return found;
}"""


def opened_key(page: Any) -> list[Any]:
    """The keys of the rows of which the timeline is open, with their sides."""
    return page.locator("tr.stream:has(+ .detail)").evaluate_all(
        "rows => rows.map("
        "(row) => [JSON.parse(row.dataset.key), row.querySelector('.side')?.textContent ?? ''])"
    )


@pytest.mark.parametrize(
    ("name", "plot", "side"),
    [("one", "stalls", ""), ("one", "waterfall", ""), ("two", "stalls-a", "A"), ("two", "stalls-b", "B")],
)
def test_a_click_on_a_stream_in_a_plot_opens_its_timeline(opened: Open, name: str, plot: str, side: str):
    page = opened(name).page
    place = page.locator(f"[data-plot={plot}]")
    page.wait_for_selector(f"#figure-{plot} .opens:visible")
    known = page.locator("tr.stream").evaluate_all(
        "(rows, side) => rows.filter((row) => (row.querySelector('.side')?.textContent ?? '') === side)"
        ".map((row) => row.dataset.key)",
        side,
    )
    keys = {tuple(json.loads(each)) for each in known}
    marks: dict[str, Any] = {}
    for id_, *_ in place.evaluate(DRAWN):
        cassette, *numbers = id_.split("\n")[:4]
        if (key := (cassette, *map(int, numbers))) in keys:
            marks[id_] = key
    assert marks
    for id_ in [*marks][:2]:
        for _ in range(2):  # a second click does not close it
            place.scroll_into_view_if_needed()
            (x, y) = next(at for each, *at in place.evaluate(DRAWN) if each == id_)
            page.mouse.move(x, y)
            page.wait_for_function(
                "place => place.querySelector('.nsewdrag').style.cursor === 'pointer'",
                arg=place.element_handle(),
            )
            page.mouse.click(x, y)
            page.wait_for_selector(".detail svg.main-svg")
            assert [list(marks[id_]), side] in opened_key(page)
            focused = page.locator("tr.stream .open[aria-expanded=true]:focus")
            assert json.loads(focused.locator("xpath=ancestor::tr").get_attribute("data-key") or "") == list(
                marks[id_]
            )
            box = focused.bounding_box()
            assert box
            assert 0 <= box["y"] < 400


def test_a_click_on_a_request_without_a_timeline_says_so(opened: Open):
    reader = opened("one")
    page = reader.page
    place = page.locator("[data-plot=waterfall]")
    place.scroll_into_view_if_needed()
    refused = next(at for id_, *at in place.evaluate(DRAWN) if id_.split("\n")[2] == "7")
    assert not page.is_visible("#figure-waterfall .sorry")
    page.mouse.move(*refused)
    page.mouse.click(*refused)
    page.wait_for_selector("#figure-waterfall .sorry:visible")
    assert opened_key(page) == []
    chip(reader, "http-error").click()  # and nothing is said where no click opens anything
    assert all_drawn(reader, PLOTS["one"])
    assert page.locator(".opens:visible").count() == 0
    page.click("#clear")
    assert (
        page.locator(".opens:visible").all_inner_texts()
        == ["A click on one of the slowest streams opens its timeline."] * 2
    )


def test_nothing_can_be_loaded_even_by_a_script_of_the_page(browser: Browser, pages: dict[str, Path]):
    reader = Reader(browser, pages["one"])
    refused = reader.page.evaluate(
        """async () => {
          const refused = [];
          document.addEventListener(
            "securitypolicyviolation", (event) => refused.push(event.effectiveDirective)
          );
          const image = new Image(); image.src = "http://127.0.0.1:9/x.png";
          const script = document.createElement("script"); script.textContent = "window.broken = 1";
          document.body.append(image, script);
          try { await fetch("http://127.0.0.1:9/x"); } catch { refused.push("fetch"); }
          await new Promise((done) => setTimeout(done, 50));
          return [...new Set(refused)].concat(window.broken ? ["ran"] : []);
        }"""
    )
    assert sorted(refused) == ["connect-src", "fetch", "img-src", "script-src-elem"]
    assert [request.failure for request in reader.failed] == ["csp"] * len(reader.failed)
    reader.close()


def test_the_page_does_not_depend_on_the_process_that_makes_it(pages: dict[str, Path], tmp_path: Path):
    again, folder = tmp_path / "again.html", pages["two"].parent
    command = [*TOKENTAPE, "report", folder / "a.tape", folder / "b.tape", "-o", again, "--by", "outcome"]
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run(command, check=True, timeout=120, env=environment)
    assert again.read_bytes() == pages["two"].read_bytes()
