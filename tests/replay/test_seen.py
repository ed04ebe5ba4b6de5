from tokentape.replay._seen import Seen


def test_the_same_is_found_once():
    seen, asked = Seen(10), []

    def find(key):
        asked.append(key)
        return None if key == "b" else key.upper()

    assert [seen.get(key, 1, lambda key=key: find(key)) for key in "abab"] == ["A", None, "A", None]
    assert asked == ["a", "b"]


def test_no_more_is_kept_than_is_allowed_and_what_is_too_large_is_never_kept():
    seen, asked = Seen(10), []

    def get(key, size):
        return seen.get(key, size, lambda: asked.append(key) or key)

    for n in range(100):
        assert get(n, 4) == n
        assert len(seen) <= 2
    assert get("large", 11) == get("large", 11) == "large"
    assert len(seen) == 0
    assert asked == [*range(100), "large", "large"]
