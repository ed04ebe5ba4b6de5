import pytest

from tokentape import cassette


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 answers"), (1, "1 answer"), (2, "2 answers"), (2000, "2000 answers")]
)
def test_only_one_is_one(count, said):
    assert cassette.counted(count, "answer") == said


def test_large_counts_are_grouped_where_that_is_asked_for():
    assert cassette.counted(2_000_000, "byte", grouped=True) == "2,000,000 bytes"
