import pytest

from tokentape.recorder import units


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100MB", 100_000_000),
        ("100mb", 100_000_000),
        ("1.5 GiB", 3 * 2**29),
        ("2k", 2_000),
        ("2KiB", 2_048),
        ("1T", 10**12),
        ("7", 7),
        ("7b", 7),
    ],
)
def test_a_size_is_as_people_write_it(text, size):
    assert units.size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), ("1h", 3_600), ("7d", 604_800), ("0.5 S", 0.5)]
)
def test_a_span_is_as_people_write_it(text, seconds):
    assert units.span_ns(text) == seconds * 10**9


@pytest.mark.parametrize(
    "text", ["", "0", "-1MB", "MB", "1XB", "1 M B", "1e3", "i", "1iB", "\u0661MB", "9999999999T", "9" * 400]
)
def test_what_is_no_size_is_refused_by_its_text(text):
    with pytest.raises(ValueError, match="expected a size such as 100MB") as refused:
        units.size_bytes(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "1", "0s", "1w", "-1h", "1h30m", "0.0000000001s", "99999999999d", "9" * 400 + "s"]
)
def test_what_is_no_span_is_refused_by_its_text(text):
    with pytest.raises(ValueError, match="expected a span of time such as 30s") as refused:
        units.span_ns(text)
    assert repr(text) in str(refused.value)
