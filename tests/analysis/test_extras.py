"""Without the packages of an extra, an import says which one is missing and how to add it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("tokentape.analysis", "pandas", "analysis"),
        ("tokentape.analysis.plots", "pandas", "analysis"),
        ("tokentape.analysis.dask", "pandas", "analysis"),
        ("tokentape.analysis.dask", "dask", "dask"),
        ("tokentape.analysis.dask", "distributed", "dask"),
    ],
)
def test_an_import_without_its_extra_says_how_to_add_it(module: str, package: str, extra: str):
    code = f"import sys; sys.modules[{package!r}] = None\nimport {module}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    needs = "tokentape.analysis.dask" if extra == "dask" else "tokentape.analysis"
    assert done.stderr.splitlines()[-1] == (
        f"ModuleNotFoundError: {needs} needs the package {package!r}, which is not installed; "
        f"add it with: pip install 'tokentape[{extra}]'"
    )
