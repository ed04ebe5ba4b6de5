import pytest

from tokentape.recorder import arguments


def test_a_label_is_split_at_its_first_equals_sign():
    assert arguments.label("run=a=b") == ("run", "a=b")


@pytest.mark.parametrize("text", ["", "nightly", "=x", " =x"])
def test_what_is_no_label_is_refused_by_its_text(text: str):
    with pytest.raises(ValueError, match="expected KEY=VALUE") as refused:
        arguments.label(text)
    assert repr(text) in str(refused.value)


def test_a_name_that_says_compressed_is_refused_with_one_that_is_not():
    assert arguments.uncompressed("a.tape") == "a.tape"
    with pytest.raises(ValueError, match=r"record to a\.tape, and compress it"):
        arguments.uncompressed("a.tape.zst")
