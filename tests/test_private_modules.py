"""The private modules of the cassette are its own: all others import what it exports."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRIVATE = re.compile(r"^\s*(from|import) tokentape\.cassette(\.\w+)*(\._| import _)", re.MULTILINE)


@pytest.mark.parametrize("package", ["dialects", "recorder", "replay", "analysis", "cli", "progress"])
def test_no_other_package_imports_a_private_module_of_the_cassette(package):
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    assert [str(module) for module in modules if PRIVATE.search(module.read_text(encoding="utf-8"))] == []
