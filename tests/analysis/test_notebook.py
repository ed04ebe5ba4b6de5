"""`examples/latency_analysis.ipynb` runs from top to bottom, and was saved as it ran.

Its last cell holds the words of its conclusion against the numbers, so a run without an error is one in
which they agree.
"""

import re
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

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


def test_its_saved_numbers_are_those_of_this_run(saved, executed):
    """What is printed depends on the version of pandas; what is drawn does not."""
    before, now = (
        [chart[CHART]["layout"]["title"] for chart in charts_of(each)] for each in (saved, executed)
    )
    assert len(before) >= 8
    assert before == now


def test_every_chart_has_an_image_for_where_no_script_runs(saved):
    assert all(chart.get("image/png") for chart in charts_of(saved))


def test_nothing_of_the_machine_it_ran_on_is_in_it(saved):
    text = NOTEBOOK.read_text(encoding="utf-8")
    plain = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.findall(r'(?:/home|/root|/tmp|/Users|/work|[A-Z]:\\\\)[^"\s]*', plain)
    assert not [output for cell in code_of(saved) for output in cell.outputs if output.output_type == "error"]
    assert not [cell for cell in code_of(saved) if "execution" in cell.metadata]
    assert len(text) < 1_500_000
