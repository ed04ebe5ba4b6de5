from tokentape.replay.matching._seen import Seen


def test_what_was_kept_is_found_and_nothing_else():
    seen = Seen(10)
    seen.keep("a", 1, 5)
    seen.keep("b", 2, 5)
    assert [seen.get(key) for key in "abc"] == [1, 2, None]


def test_no_more_is_kept_than_is_allowed_and_the_latest_is():
    seen = Seen(10)
    for n in range(100):
        seen.keep(n, n, 4)
        assert seen.get(n) == n
        assert len(seen) <= 2


def test_what_is_too_large_is_never_kept():
    seen = Seen(10)
    seen.keep("large", 1, 11)
    assert seen.get("large") is None
    assert len(seen) == 0
