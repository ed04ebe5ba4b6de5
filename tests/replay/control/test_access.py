"""Who may steer a server: programs, and no pages of other sites."""

import pytest

from tests.replay.control.asking import request
from tokentape.replay.control._access import Access

LOOPBACK = Access("127.0.0.1", ["127.0.0.1"])
BOTH = Access("localhost", ["::1", "127.0.0.1"])
NAMED = Access("My-Laptop", ["127.0.1.1"])
EVERYWHERE = Access("0.0.0.0", ["0.0.0.0"])
MIXED = Access("laptop", ["127.0.0.1", "192.0.2.7"])


def headers(host=None, origin=None, fetched=None):
    named = (b"Host", host), (b"Origin", origin), (b"Sec-Fetch-Site", fetched)
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


METHODS = "GET", "HEAD", "POST", "OPTIONS"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "file://",
        "chrome-extension://localhost",
        "http://localhost.evil.example",
        "http://localhost:3000.evil.example",
        "http://localhost@evil.example",
        "http://localhost:3000, http://evil.example",
        "http://evil.example#http://localhost",
        "http://192.0.2.7:3000",
        "http://[::1",
        "localhost:3000",
        " ",
    ],
)
@pytest.mark.parametrize("access", [LOOPBACK, EVERYWHERE])
def test_nothing_is_asked_for_a_page_of_another_site(access, origin):
    for method in METHODS:
        reason = access.why_not_ask(request(method, headers=headers("localhost:8090", origin)))
        assert reason is not None
        assert reason.startswith("expected no request from a page of another site")
        assert reason.isprintable()


def test_nothing_is_asked_for_what_a_page_of_another_site_embeds():
    for method in METHODS:
        foreign = request(method, headers=headers("localhost:8090", fetched="cross-site"))
        assert "Sec-Fetch-Site: cross-site" in LOOPBACK.why_not_ask(foreign)
    for fetched in ("none", "same-origin", "same-site"):
        assert LOOPBACK.why_not_ask(request(headers=headers("localhost:8090", fetched=fetched))) is None


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "http://localhost:3000",
        "http://LOCALHOST",
        "https://app.localhost",
        "http://127.0.0.1:5173",
        "http://[::1]:3000",
    ],
)
@pytest.mark.parametrize("fetched", [None, "cross-site", "same-site"])
def test_apps_under_test_on_this_machine_may_ask(origin, fetched):
    if origin is None and fetched == "cross-site":
        return
    for access in (LOOPBACK, EVERYWHERE):
        asked = request("POST", headers=headers("127.0.0.1:8090", origin, fetched))
        assert access.why_not_ask(asked) is None


def test_nothing_is_asked_under_another_name_while_loopback_only_is_listened_on():
    for method in METHODS:
        rebound = request(method, headers=headers("evil.example:8090", "http://evil.example:8090"))
        assert "expected a name of this machine in Host" in LOOPBACK.why_not_ask(rebound)
        assert EVERYWHERE.why_not_ask(rebound) is None
    assert NAMED.why_not_ask(request("POST", headers=headers("my-laptop:8090"))) is None
    assert LOOPBACK.why_not_ask(request("POST", headers=(), version="1.0")) is None
