from pathlib import Path

import pytest

from tests.corpus import ABSENT, FOLDER, IS_HERE


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not IS_HERE:
        pytest.skip(ABSENT)
    return FOLDER
