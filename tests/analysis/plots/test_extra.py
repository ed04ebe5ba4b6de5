"""Without its plotting library the module says what to install."""

import subprocess
import sys


def test_a_missing_plotting_library_is_said_with_the_extra_that_has_it():
    program = "import sys; sys.modules['plotly'] = None; from tokentape.analysis import plots"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: tokentape.analysis.plots needs the package 'plotly', which is not installed; "
        "add it with: pip install 'tokentape[analysis]'"
    )
