"""Which addresses lead back to a server."""

import pytest

from tokentape.replay.live._own_address import is_at


@pytest.mark.parametrize(
    ("host", "bound"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("localhost", "::1"),
        ("localhost", "0.0.0.0"),
        ("127.0.0.1", "0.0.0.0"),
        ("127.9.9.9", "0.0.0.0"),
        ("::1", "::"),
        ("192.0.2.7", "192.0.2.7"),
    ],
)
def test_what_leads_here_is_known(host, bound):
    assert is_at(host, bound)


@pytest.mark.parametrize(
    ("host", "bound"),
    [
        ("127.0.0.2", "127.0.0.1"),
        ("localhost", "192.0.2.7"),
        ("192.0.2.7", "127.0.0.1"),
        ("192.0.2.7", "0.0.0.0"),
        ("2001:db8::7", "::"),
        ("api.example", "0.0.0.0"),
    ],
)
def test_what_leads_elsewhere_is_asked(host, bound):
    assert not is_at(host, bound)
