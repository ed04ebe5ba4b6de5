"""What is matched of a request's target, which servers have to take as a whole URL too."""

import gzip

import pytest

from tokentape.replay.matching._request_key import MAX_DECODED_BYTES, request_key


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


@pytest.mark.parametrize("size", [MAX_DECODED_BYTES, MAX_DECODED_BYTES + 1])
def test_an_encoded_body_is_undone_up_to_a_bound(size):
    encoded = gzip.compress(bytes(size), compresslevel=1)
    found = request_key("POST", b"/", encoded, ((b"Content-Encoding", b"gzip"),)).body
    assert found == (bytes(size) if size <= MAX_DECODED_BYTES else encoded)
