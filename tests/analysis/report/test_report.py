"""What stands on the page: the tables' numbers, everybody's words as they are, and nothing from elsewhere."""

import base64
import json
import re
import tomllib
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.report.recordings import HOSTILE, recording, tape
from tests.analysis.tapes import records, write
from tokentape.analysis import Recording, compare, load
from tokentape.analysis.report import report
from tokentape.analysis.report._numbers import PLACES
from tokentape.analysis.report._slowest import MOST_ROWS
from tokentape.analysis.report._terms import LABELS, OUTCOMES, REASONS, SOURCES, UNSURE, meaning
from tokentape.analysis.report._text import number

ROOT = Path(__file__).parents[3]


class Page(HTMLParser):
    """A page taken apart: its tags with attributes, its text, its cells of numbers, and its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.cells: list[str] = []
        self.scripts: dict[str, str] = {}
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append((tag, dict(attributes)))
        self._open.append((tag, dict(attributes)))
        if "data-cell" in dict(attributes):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, text: str) -> None:
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "script":
            self.scripts[attributes.get("id") or ""] = text
        elif tag != "style":
            self.words.append(text)
            if "data-cell" in attributes:
                self.cells[-1] += text

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(self.scripts["data"])))
        return found


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return recording(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return recording(tmp_path_factory.mktemp("other"), slower=1.5)


@pytest.fixture(scope="module")
def html(one: Recording) -> str:
    return report(one)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def two(one: Recording, other: Recording) -> Page:
    return Page(report(one, other, by="outcome"))


def expected(recording: Recording) -> list[list[str]]:
    return in_summary(recording.summary())


def in_summary(summary: Any) -> list[list[str]]:
    return [
        [
            f"{summary.loc[m, 'n']:,}",
            *(number(summary.loc[m, p], is_count=m == "output_tokens") for p in PLACES),
        ]
        for m in LABELS
    ]


def shown(row: Any, value: float) -> str:
    return number(value, is_count="output_tokens" in row.Index)


def in_rows(cells: list[str]) -> list[list[str]]:
    return [cells[at : at + len(PLACES) + 1] for at in range(0, len(cells), len(PLACES) + 2)]


def test_the_table_has_the_numbers_of_the_summary(page: Page, one: Recording):
    assert in_rows(page.cells) == expected(one)


def test_two_recordings_stand_side_by_side_and_with_their_comparison(
    two: Page, one: Recording, other: Recording
):
    rows = in_rows(two.cells)
    assert rows[::2] == expected(one)
    assert rows[1::2] == expected(other)
    found = compare(one, other)
    assert found.verdict in two.text
    for row in found.quantiles.itertuples():
        assert f" {shown(row, row.a)} {shown(row, row.b)} " in re.sub(r"\s+", " ", two.text)
    assert "The same by outcome" in two.text
    (failed,) = found.failures.to_dict("records")
    assert f"Failed: {failed['failed_a']} of {failed['n_a']} requests of A" in two.text


def section(html: str, start: str, end: str) -> str:
    return Page(html.partition(start)[2].partition(end)[0].replace("<wbr>", "")).text


def test_a_comparison_by_groups_says_of_each_what_is_said_of_everything(tmp_path: Path):
    one, other = (
        load(tape(tmp_path / f"{at}.tape", slower=slower, n=60, names=names))
        for at, (slower, names) in enumerate([(1.0, ("old", "both")), (3.0, ("both", "new"))])
    )
    html = report(one, other, by=["model", "host"])
    for at, by in enumerate(("model", "host"), 1):
        found = compare(one, other, by=by)
        assert section(html, f'id="verdict-by-{at}">', "</p>").strip() == found.verdict
        groups = found.failures.index.astype(str)
        assert len(groups) == (3 if by == "model" else 1)
        failed = section(html, f'id="caption-failed-by-{at}">', "</table>")
        for row in found.failures.itertuples():
            words = [
                f"{k} of {n} ({pct:.1f}%)" if n else "-"
                for k, n, pct in ((row.failed_a, row.n_a, row.a_pct), (row.failed_b, row.n_b, row.b_pct))
            ]
            change = (
                f"- none: {row.why}"
                if isinstance(row.why, str)
                else f"{row.change_points:+.1f} {row.low_points:+.1f} to {row.high_points:+.1f}"
            )
            assert f" {row.Index} {' '.join(words)} {change} " in failed
        likely = section(html, f'id="caption-effects-by-{at}">', "</table>")
        for name, rows in found.effects.groupby(level=0):
            known = rows[rows["prob_b_slower"].notna()]
            assert (name in likely) == bool(len(known))
            of_group = likely.partition(f" {name} ")[2]
            for each in known.itertuples():
                is_sure = not isinstance(each.why, str)
                interval = f"{each.low:.2f} to {each.high:.2f}" if is_sure else f"none: {each.why}"
                assert f" {each.Index[-1]} {each.prob_b_slower:.2f} {interval} " in of_group
    assert section(html, 'id="verdict">', "</p>").strip() == compare(one, other).verdict
    for why in ("only-in-a", "only-in-b"):
        assert meaning(why) in Page(html).text


@pytest.mark.parametrize(("by", "value"), [("model", "model-a"), ("outcome", "complete")])
def test_each_view_has_the_numbers_of_its_streams_alone(page: Page, one: Recording, by: str, value: str):
    views = {view["name"]: view for view in page.data()["views"]}
    alone = views[f"{by} {value}"]
    assert alone["streams"] == one.outcomes(by=by).loc[value, "streams"].sum() < len(one.streams)
    assert in_rows(alone["cells"]) == in_summary(one.summary(by=by).loc[value])
    assert in_rows(alone["cells"]) != expected(one)
    assert in_rows(views["all streams"]["cells"]) == expected(one)


def test_the_values_of_a_facet_share_all_streams(page: Page, one: Recording):
    views = page.data()["views"]
    for facet in ("model", "outcome"):
        counts = [view["streams"] for view in views if view["name"].startswith(f"{facet} ")]
        assert len(counts) > 1
        assert sum(counts) == len(one.streams)


def test_it_says_what_is_missing_and_why(page: Page, one: Recording):
    for column in ("ttft_ms", "gap_p50_ms", "e2e_ms"):
        counts = one.streams[f"{column}_why"].value_counts()
        assert counts.sum() > 0
        for reason, count in counts.items():
            assert not count or f" {count} {reason} " in page.text
    assert "The status is neither 2xx nor 304." in page.text


@pytest.mark.parametrize("name", ["page", "two"])
def test_every_reason_and_outcome_that_is_on_the_page_is_explained_on_it(
    name: str, request: pytest.FixtureRequest
):
    made: Page = request.getfixturevalue(name)
    shown, _, explained = made.text.partition("What the numbers mean")
    known = {*OUTCOMES, *REASONS, *UNSURE, *SOURCES}
    seen = {each for each in known if re.search(rf"(?<![\w-]){each}(?![\w-])", shown)}
    assert seen >= {"complete", "http-error", "upstream-error", "usage"}
    assert ("too-few" in seen) == (name == "two")
    for each in seen - {"zero"}:  # a word of the page, too
        assert f" {each} {SOURCES.get(each) or meaning(each)} " in f"{explained} "


def test_stalls_are_said_of_one_and_of_two(page: Page, two: Page, one: Recording, other: Recording):
    stalls, of = len(one.stalls(200)), int(one.streams["gap_max_ms"].notna().sum())
    assert stalls == 1
    assert f"Gaps over 200 ms: 1 in 1 of {of} streams, the longest " in page.text
    assert f"Gaps over 200 ms: A 1 in 1 of {of} streams, the longest " in two.text
    assert f"; B {len(other.stalls(200))} in " in two.text


def test_figures_of_two_sides_are_on_one_scale(two: Page, one: Recording, tmp_path: Path):
    def axis(plots: dict[str, Any], name: str, axis: str) -> tuple[Any, ...]:
        return tuple(plots[name]["layout"][axis].get(key) for key in ("range", "tickvals", "ticktext"))

    slow = load(tape(tmp_path / "slow.tape", slower=9))
    views = [*two.data()["views"], *Page(report(one, slow)).data()["views"]]
    for view in views:
        assert {f"{name}-{side}" for name in ("gaps", "over-time", "stalls") for side in "ab"} < set(
            view["plots"]
        )
    for plots in (
        views[0]["plots"],
        views[-1]["plots"],
        *(view["plots"] for view in views if not view["hint"]),
    ):
        for name, which in (("gaps", "xaxis"), ("over-time", "yaxis"), ("stalls", "xaxis")):
            if all(trace["x"] for side in "ab" for trace in plots[f"{name}-{side}"]["data"]):
                assert axis(plots, f"{name}-a", which) == axis(plots, f"{name}-b", which)


def test_where_tokens_are_known_in_two_ways_it_is_said_beside_the_number(page: Page, one: Recording):
    assert one.summary().loc["itl_ms", "why"] == "chunks+usage"
    rows = dict(zip(LABELS, page.cells[len(PLACES) + 1 :: len(PLACES) + 2], strict=True))
    assert {name for name, text in rows.items() if text.endswith("; tokens of chunks+usage")} == {
        "itl_ms",
        "output_tokens",
        "tokens_per_s",
    }
    views = {view["name"]: view["cells"] for view in page.data()["views"]}
    assert any("chunks+usage" in cell for cell in views["all streams"])
    assert not any("chunks+usage" in cell for cell in views["outcome complete"])


def test_of_a_value_that_one_side_lacks_it_is_said_what_to_do(one: Recording, tmp_path: Path):
    newer = load(tape(tmp_path / "newer.tape", names=("model-c",), n=6))
    views = {view["name"]: view["hint"] for view in Page(report(one, newer)).data()["views"]}
    assert views["model model-a"].startswith("B has none of them")
    assert views["model model-c"].startswith("A has none of them")
    assert views["all streams"] == views["outcome complete"] == ""


def test_the_same_recording_gives_the_same_page(one: Recording, html: str):
    assert report(one) == html


def test_nothing_is_loaded_and_no_link_leads_out(page: Page, two: Page):
    for each in (page, two):
        for tag, attributes in each.tags:
            assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "audio", "video")
            for name, value in attributes.items():
                assert name not in ("src", "srcset", "action", "background", "poster", "data")
                assert not name.startswith("on")
                assert name != "href" or (value or "").startswith("#")
        (policy,) = (a["content"] for _, a in each.tags if a.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "script-src 'unsafe-inline'" not in policy


@pytest.mark.parametrize("text", [*HOSTILE, "\ud800 alone", "x" * 3_000, ""])
def test_every_text_of_strangers_is_shown_as_text(text: str, tmp_path: Path, page: Page):
    plain = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    path = tape(tmp_path / "a.tape", names=(plain or "m", "other"), n=5)
    made = Page(report(load(path), title=text or None, notes=[text] if text else []))
    tags = [tag for tag, _ in made.tags]
    assert tags.count("script") == 3
    assert tags.count("b") == 0
    assert set(tags) <= {tag for tag, _ in page.tags} | {"ul", "li"}
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    assert shown in "".join(made.words)


def test_a_page_can_be_encoded_whatever_is_in_the_cassette(tmp_path: Path):
    lone = b'{"error": {"message": "\\ud800"}}'
    path = write(
        tmp_path / "a.tape",
        records([(1, b"data: " + lone + b"\n\n")]),
        records([(1, lone)], exchange=1, status=500),
    )
    report(load(path), title="\udcff").encode()


def test_an_empty_recording_has_a_page_that_says_so(tmp_path: Path):
    empty = load(write(tmp_path / "empty.tape"))
    text = report(empty)
    assert "There is no request in this recording." in Page(text).text
    assert len(text) < 100_000
    assert "Too little to say" in Page(report(empty, empty)).text


def test_one_of_two_may_be_empty(tmp_path: Path):
    one = recording(tmp_path, n=3)
    empty = load(write(tmp_path / "empty.tape"))
    for pair in ((one, empty), (empty, one)):
        assert "Too little to say" in Page(report(*pair)).text


def test_a_damaged_recording_says_what_was_lost():
    damaged = load(ROOT / "tests" / "golden" / "v1-damaged.tape")
    made = Page(report(damaged))
    assert damaged.lost
    for line in damaged.lost:
        assert line.rpartition(": ")[2] in made.text
    assert "Not all that was recorded could be read." in made.text


def test_the_definitions_of_another_tool_are_said(tmp_path: Path):
    made = Page(report(load(tape(tmp_path / "a.tape", n=3), definitions="guidellm")))
    assert "TTFT, ITL, TPOT, E2E and throughput are those of guidellm." in made.text
    assert "Plots are of the values that guidellm takes, with plain percentiles" in made.text


def test_a_column_that_does_not_exist_is_refused(one: Recording):
    with pytest.raises(ValueError, match="expected a column to group by"):
        report(one, by=["model", "nope"])


def test_a_page_of_many_streams_stays_small(tmp_path: Path):
    made = report(load(tape(tmp_path / "many.tape", n=100)))
    assert len(made) < 4_000_000
    assert 20 < len([tag for tag, a in Page(made).tags if "data-row" in a]) <= MOST_ROWS


def test_all_files_of_the_page_are_in_the_package():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folder = ROOT / "analysis" / "report"
    files = {path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py"}
    assert files == set(setuptools["package-data"]["tokentape.analysis.report"])
    assert "tokentape.analysis.report" in setuptools["packages"]
