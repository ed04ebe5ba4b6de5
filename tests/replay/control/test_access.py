"""Who may steer a server: programs, and no pages of other sites."""

import pytest

from tests.replay.control.asking import request
from tokentape.replay.control._access import Access

LOOPBACK = Access("127.0.0.1", ["127.0.0.1"])
BOTH = Access("localhost", ["::1", "127.0.0.1"])
NAMED = Access("My-Laptop", ["127.0.1.1"])
EVERYWHERE = Access("0.0.0.0", ["0.0.0.0"])
MIXED = Access("laptop", ["127.0.0.1", "192.0.2.7"])


def headers(host=None, origin=None):
    named = (b"Host", host), (b"Origin", origin)
    return tuple((name, value.encode("latin-1")) for name, value in named if value is not None)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8090",
        "127.0.0.1",
        "127.9.9.9:1",
        "localhost:8090",
        "LOCALHOST",
        "a.localhost:1",
        "[::1]:8090",
    ],
)
@pytest.mark.parametrize("access", [LOOPBACK, BOTH, NAMED, EVERYWHERE])
def test_names_of_this_machine_may_steer(access, host):
    assert access.why_not(request("POST", headers=headers(host))) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8090",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "notlocalhost",
        "192.0.2.1:8090",
        "0.0.0.0:8090",
        "[::2]",
        "[::1",
        "evil.example/127.0.0.1",
        "evil.example#localhost",
        "evil.example,localhost",
        "localhost,evil.example",
        "\x1b[2J",
        "\xe9vil",
        " ",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_where_loopback_only_is_listened_on_other_names_may_not_even_look(method, host):
    for access in (LOOPBACK, BOTH, NAMED):
        reason = access.why_not(request(method, headers=headers(host)))
        assert reason is not None
        assert reason.startswith("expected a name of this machine in Host")
        assert reason.isprintable()
    assert EVERYWHERE.why_not(request(method, headers=headers(host))) is None
    assert MIXED.why_not(request(method, headers=headers(host))) is None


def test_the_name_that_it_was_told_to_listen_on_may_steer():
    assert NAMED.why_not(request("POST", headers=headers("my-laptop:8090"))) is None
    assert LOOPBACK.why_not(request("POST", headers=headers("my-laptop:8090"))) is not None


def test_a_program_without_either_header_may_steer():
    assert LOOPBACK.why_not(request("POST", headers=(), version="1.0")) is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:3000",
        "http://localhost",
        "http://127.0.0.1:8090",
        "null",
        "file://",
        "http://localhost:8090.evil.example",
        "localhost:8090",
    ],
)
@pytest.mark.parametrize("access", [LOOPBACK, EVERYWHERE])
def test_a_page_of_another_site_changes_nothing(access, origin):
    for method in ("POST", "PUT", "DELETE"):
        reason = access.why_not(request(method, headers=headers("localhost:8090", origin)))
        assert reason is not None
        assert reason.startswith("expected no change from a page of another site")
    for method in ("GET", "HEAD"):
        assert access.why_not(request(method, headers=headers("localhost:8090", origin))) is None


@pytest.mark.parametrize("access", [LOOPBACK, EVERYWHERE])
@pytest.mark.parametrize("origin", ["http://localhost:8090", "https://LOCALHOST:8090"])
def test_a_page_that_the_server_served_itself_may_change_it(access, origin):
    assert access.why_not(request("PUT", headers=headers("localhost:8090", origin))) is None
