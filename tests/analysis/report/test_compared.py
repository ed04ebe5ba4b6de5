"""What a row of the page may call slower or faster."""

import numpy as np
import pytest

from tests.analysis import made
from tokentape.analysis import compare
from tokentape.analysis.report._compared import changes


@pytest.mark.parametrize(
    ("after", "said"), [(100.0000001, ""), (99.9999, ""), (100.06, "slower"), (99.94, "faster"), (100, "")]
)
def test_less_than_a_recording_can_show_is_neither_slower_nor_faster(after, said):
    one, other = made.recording("a", np.full(30, 100.0)), made.recording("b", np.full(30, after))
    (row,) = [
        row
        for row in changes(compare(one, other).quantiles)
        if (row.metric, row.quantile) == ("ttft_ms", "p50")
    ]
    assert row.verdict == said


def test_a_group_of_one_side_says_so():
    one, other = (made.recording(name, np.full(30, 100.0), model=[name] * 30) for name in "ab")
    rows = {
        (row.group, row.metric, row.quantile): row
        for row in changes(compare(one, other, by="model").quantiles)
    }
    assert rows["b", "ttft_ms", "p50"].interval == "none: only-in-b"
    assert rows["b", "ttft_ms", "p50"].cells[2] == "0 / 30"
    assert rows["a", "ttft_ms", "p50"].interval == "none: only-in-a"
