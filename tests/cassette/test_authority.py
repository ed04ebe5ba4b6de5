import pytest

from tokentape.cassette import authority


@pytest.mark.parametrize(
    ("host", "port", "scheme", "expected"),
    [
        ("api.example", 443, "https", "api.example"),
        ("api.example", 80, "http", "api.example"),
        ("api.example", 443, "http", "api.example:443"),
        ("api.example", 80, "", "api.example:80"),
        ("api.example", 0, "https", "api.example"),
        ("::1", 443, "https", "[::1]"),
        ("::1", 8080, "https", "[::1]:8080"),
    ],
)
def test_ports_that_go_without_saying_are_left_out_and_ipv6_is_in_brackets(host, port, scheme, expected):
    assert authority(host, port, scheme=scheme) == expected
