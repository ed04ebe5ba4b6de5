"""Values of options that say where: HOST:PORT, and the URL of an API."""

from typing import Any
from urllib.parse import urlsplit

import click

from tokentape.cassette import authority


class Address(click.ParamType[tuple[str, int]]):
    """HOST:PORT; port 0 lets the system choose a free one; an IPv6 host stands in brackets."""

    name = "HOST:PORT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, colon, port = str(value).rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            self.fail(
                f"expected HOST:PORT such as 127.0.0.1:8090 or 127.0.0.1:0, found {value!r}", param, ctx
            )
        return host.removeprefix("[").removesuffix("]"), int(port)


class UpstreamUrl(click.ParamType[str]):
    """The URL of an API, with its scheme; a path at its end is the API's prefix."""

    name = "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        expected = "expected a URL such as https://api.openai.com, found"
        if "@" in str(value):  # it is not shown: the password may stand anywhere, however wrong the URL is
            self.fail(f"{expected} one with an @; credentials belong to the client's requests", param, ctx)
        if "?" in str(value) or "#" in str(value):
            self.fail(f"{expected} one with a query; it belongs to the client's requests", param, ctx)
        expected += f" {value!r}"
        try:
            parts = urlsplit(str(value))
            parts.port  # noqa: B018  (raises if it is none)
        except ValueError as error:
            self.fail(f"{expected} ({error})", param, ctx)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            self.fail(expected, param, ctx)
        return str(value).rstrip("/")


def url_of(host: str, port: int) -> str:
    """Return the http URL of an address."""
    return f"http://{authority(host, port)}"
