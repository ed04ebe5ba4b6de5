import pytest

from tokentape.cassette import authority, same_authority, split_authority


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api.example", ("api.example", 0)),
        ("api.example:", ("api.example", 0)),
        ("api.example:443", ("api.example", 443)),
        ("me:secret@api.example:443", ("api.example", 443)),
        ("[::1]", ("::1", 0)),
        ("[::1]:8080", ("::1", 8080)),
    ],
)
def test_a_host_and_a_port_come_apart(text, expected):
    assert split_authority(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", ":1", "a:b", "a:0", "a:65536", "a:٣", "a:000443", "::1", "::1:443", "[::1", "::1]", "[]:1", "@"],
)
def test_what_is_no_host_with_a_port_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        split_authority(text)


@pytest.mark.parametrize(
    ("host", "port", "scheme", "expected"),
    [
        ("API.Example", 443, "https", "api.example:443"),
        ("api.example.", 0, "https", "api.example:443"),
        ("api.example", 0, "", "api.example"),
        ("bücher.example", 80, "http", "xn--bcher-kva.example:80"),
        ("BÜCHER.example", 0, "http", "xn--bcher-kva.example:80"),
        ("0:0:0:0:0:0:0:1", 8080, "http", "[::1]:8080"),
        ("[::1]", 8080, "http", "[::1]:8080"),
        ("ü" * 70, 80, "http", "ü" * 70 + ":80"),
    ],
)
def test_what_reaches_the_same_has_one_spelling(host, port, scheme, expected):
    assert same_authority(host, port, scheme=scheme) == expected
