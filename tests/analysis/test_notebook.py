"""`examples/latency_analysis.ipynb` runs from top to bottom, and was saved as it ran.

Its last cell holds what it says in words against the numbers, so a run without an error is one in which they
agree; the cell before it has every number as its sentences have it.
"""

import ast
import re
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

from tokentape.analysis.comparing._bootstrap import MIN_BEYOND

pytestmark = pytest.mark.once
EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOK = EXAMPLES / "latency_analysis.ipynb"
CHART = "application/vnd.plotly.v1+json"


@pytest.fixture(scope="module")
def saved():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def charts_of(notebook):
    found = [output.get("data", {}) for cell in code_of(notebook) for output in cell.outputs]
    return [data for data in found if CHART in data]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    for name in (NOTEBOOK.name, "make_recordings.py"):
        shutil.copy(EXAMPLES / name, folder)
    notebook = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        nbclient.NotebookClient(
            notebook,
            timeout=240,
            startup_timeout=120,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    return notebook


def test_no_cell_fails_and_the_conclusion_holds(executed):
    last = code_of(executed)[-1]
    assert last.source.count("assert ") >= 8
    assert last.execution_count == len(code_of(executed))
    assert not last.outputs


def test_it_was_saved_as_it_ran(saved, executed):
    assert [cell.execution_count for cell in code_of(saved)] == list(range(1, len(code_of(saved)) + 1))
    kinds = [[sorted(output.get("data", {})) for output in cell.outputs] for cell in code_of(executed)]
    for cell, expected in zip(code_of(saved), kinds, strict=True):
        found = [sorted(set(output.get("data", {})) - {"image/png"}) for output in cell.outputs]
        assert found == expected, cell.source


def numbers_of(cell):
    """The numbers that a cell printed, whatever lines and columns a version of pandas makes of them."""
    said = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return {number.rstrip(".") for number in re.findall(r"(?<![\w.])[-+]?\d[\d,.]*", " ".join(said))}


def said_of(chart):
    """What a chart says in words and numbers, and what its lines are called."""
    layout = chart[CHART]["layout"]
    notes = [annotation.get("text") for annotation in layout.get("annotations", [])]
    lines = [[trace.get("name"), trace.get("text")] for trace in chart[CHART]["data"]]
    return layout["title"], notes, lines


def test_its_saved_numbers_are_those_of_this_run(saved, executed):
    found = {cell.source: numbers_of(cell) for cell in code_of(saved)}
    assert sum(map(len, found.values())) > 200
    assert found == {cell.source: numbers_of(cell) for cell in code_of(executed)}


def test_its_saved_charts_are_those_of_this_run(saved, executed):
    before, now = ([said_of(chart) for chart in charts_of(each)] for each in (saved, executed))
    assert len(before) >= 8
    assert before == now


def test_its_verdict_is_that_of_this_run(saved, executed):
    printed = [
        [output.text for cell in code_of(each) for output in cell.outputs if output.output_type == "stream"]
        for each in (saved, executed)
    ]
    assert len(printed[0]) == 1
    assert printed[0] == printed[1]


def words_of(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def said_in(words):
    """The numbers in sentences: not those of names, code, places of links and lists."""
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)|^\d+\. ", " ", words, flags=re.MULTILINE)
    return set(re.findall(r"(?<![\w.])-?\d[\d,.]*(?<![,.])", plain))


def test_every_number_in_its_sentences_is_what_a_cell_computes(executed):
    computed = ast.literal_eval(code_of(executed)[-2].outputs[0]["data"]["text/plain"])
    words = words_of(executed)
    assert len(computed) >= 10
    for each in computed:
        assert any(each in cell for cell in words), each
    chosen = {"95", "200", "13", "17", "4,000", "15,999"}  # of intervals, a promise, hours, a size of prompts
    known = {number for each in computed for number in said_in(each)} | chosen
    assert [(number, cell) for cell in words for number in said_in(cell) - known] == []


def test_its_contents_are_its_headings_in_order(saved):
    words = "\n".join(words_of(saved))
    contents = re.findall(r"^\d+\. \[(.+)\]\(#(.+)\)$", words, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", words, re.MULTILINE)
    assert len(headings) >= 7
    assert contents == [(heading, heading.replace(" ", "-")) for heading in headings]


def test_it_groups_by_model_as_everything_does_and_says_what_becomes_of_refusals(executed):
    grouped = [
        cell.source for cell in code_of(executed) if "by=" in cell.source and "compare(" not in cell.source
    ]
    assert len(grouped) >= 5
    assert all('by="model"' in source for source in grouped)
    (outcomes,) = (cell for cell in code_of(executed) if ".outcomes(" in cell.source)
    (table,) = (output.data["text/plain"] for output in outcomes.outputs)
    models = [line.split()[0] for line in table.splitlines() if line.startswith("m-")]
    assert models == ["m-2", "m-3"]  # no refusal is of a model that is not known
    assert "NaN" not in table
    assert "None" not in table


def test_its_words_know_how_many_requests_an_interval_takes(saved):
    words = " ".join(cell.source for cell in saved.cells if cell.cell_type == "markdown")
    assert f"fewer than {({10: 'ten'})[MIN_BEYOND]} requests lie beyond it" in words


def test_every_chart_has_an_image_for_where_no_script_runs(saved):
    assert all(chart.get("image/png") for chart in charts_of(saved))


def test_nothing_of_the_machine_it_ran_on_is_in_it(saved):
    text = NOTEBOOK.read_text(encoding="utf-8")
    plain = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.findall(r'(?:/home|/root|/tmp|/Users|/work|[A-Z]:\\\\)[^"\s]*', plain)
    assert not [output for cell in code_of(saved) for output in cell.outputs if output.output_type == "error"]
    assert not [cell for cell in code_of(saved) if "execution" in cell.metadata]
    assert len(text) < 1_500_000
