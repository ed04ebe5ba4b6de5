import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpus() -> Path:
    found = Path(os.environ.get("TOKENTAPE_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
    if not (found / "INDEX.tsv").is_file():
        pytest.skip(f"no recorded streams at {found}; TOKENTAPE_CORPUS names the folder that has them")
    return found
