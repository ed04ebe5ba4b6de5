import pytest

from tokentape.replay import Limits


@pytest.mark.parametrize("name", Limits.__slots__)
@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
def test_a_limit_that_is_no_positive_number_is_refused_by_its_name(name, wrong):
    with pytest.raises(ValueError, match=f"^{name}: expected a positive number, found"):
        Limits(**{name: wrong})


def test_the_longer_a_request_is_the_longer_it_may_take():
    limits = Limits(request_s=60)
    assert limits.request_ns(0) == 60 * 10**9
    assert limits.request_ns(160 * 1024) == 70 * 10**9
    assert Limits(request_s=None).request_ns(1) is None
