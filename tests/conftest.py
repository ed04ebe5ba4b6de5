import signal
from pathlib import Path

import hypothesis
import pytest

from tests.corpus import ABSENT, FOLDER, IS_HERE

# How long an example takes, and how long making it took, says more of what else the machine does than of us.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# What a shell runs in the background ignores Ctrl-C, and so would all that is started here to be sent one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not IS_HERE:
        pytest.skip(ABSENT)
    return FOLDER
