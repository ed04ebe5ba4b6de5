"""What is matched of a request's target, which servers have to take as a whole URL too."""

import pytest

from tokentape.replay.matching._request_key import request_key


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/v1/models?x=1", b"/v1/models?x=1"),
        (b"http://api.example/v1/models?x=http://y/z", b"/v1/models?x=http://y/z"),
        (b"HTTPS://api.example:443/v1", b"/v1"),
        (b"http://api.example", b"/"),
        (b"http://api.example?x=1/2", b"/?x=1/2"),
        (b"/http://api.example/v1", b"/http://api.example/v1"),
        (b"*", b"*"),
    ],
)
def test_the_path_is_the_target_without_scheme_and_host(target, path):
    assert request_key("GET", target, b"").path == path
