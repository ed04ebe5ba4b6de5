"""What is no path is refused by its own name, before anything is read."""

import pytest

from tokentape.analysis import load


@pytest.mark.parametrize("paths", [5, [5], None])
def test_what_is_no_path_is_said(paths):
    with pytest.raises(
        TypeError, match=r"expected a path, as text or os\.PathLike, or several; found (5|None)"
    ):
        load(paths)
