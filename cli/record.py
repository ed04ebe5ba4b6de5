import os
from urllib.parse import urlsplit

import click

from tokentape.cli._address import Address, UpstreamUrl, url_of
from tokentape.cli._extras import needs


@click.command(short_help="Record streams through mitmproxy to a cassette.")
@click.option("--upstream", type=UpstreamUrl(), help="Stand in front of this API.")
@click.option("--proxy", is_flag=True, help="Be a forward proxy for any program instead.")
@click.option("-o", "--output", "path", required=True, metavar="FILE", help="The cassette to write.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--listen", type=Address(), default="127.0.0.1:8080", show_default=True,
              help="Where clients connect; port 0 picks a free one.")  # fmt: skip
@click.option("--filter", "expression", metavar="EXPR",
              help="Record what matches this mitmproxy filter; by default model calls.")  # fmt: skip
@click.option("--redact-rules", "rules", metavar="FILE",
              help="Replace also the secrets that the rules in this TOML file describe.")  # fmt: skip
@click.option("--no-redact", "redact", is_flag=True, flag_value=False, default=True,
              help="Write API keys, cookies and all other secrets to FILE as they are.")  # fmt: skip
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True,
              help="Set an option of mitmproxy, as its own --set does (repeatable).")  # fmt: skip
def command(
    upstream: str | None,
    proxy: bool,
    path: str,
    overwrite: bool,
    listen: tuple[str, int],
    expression: str | None,
    rules: str | None,
    redact: bool,
    settings: tuple[str, ...],
) -> None:
    """Record streams through mitmproxy to a cassette, until Ctrl-C.

    Secrets are replaced before anything is written, but for the bodies of answers: docs/redaction.md.

    \b
    tokentape record --upstream https://api.openai.com -o session.tape
    tokentape record --proxy -o session.tape
    """
    if proxy == (upstream is not None):
        raise click.UsageError("expected either --upstream URL or --proxy")
    _check_output(path, overwrite=overwrite)
    with needs("record"):
        from tokentape.recorder import report
        from tokentape.recorder.addon import TapeAddon
        from tokentape.recorder.proxy import ProxyError, run

    def say(line: str) -> None:
        click.echo(line, err=True)

    def on_listening(host: str, port: int) -> None:
        url = url_of(host, port)
        say("\n  ".join([f"listening on {url}", *_what_to_set(upstream, url)]))

    own = [f"tape_overwrite={str(overwrite).lower()}", *([f"tape_filter={expression}"] if expression else [])]
    own += [f"tape_redact={str(redact).lower()}", *([f"tape_redact_rules={rules}"] if rules else [])]
    mode = "reverse:{0.scheme}://{0.netloc}".format(urlsplit(upstream)) if upstream else "regular"
    addon = TapeAddon(on_end=lambda exchange: say(report.ended(exchange)))
    try:
        run(addon, path, mode=mode, listen=listen, settings=[*settings, *own], on_listening=on_listening)
    except ProxyError as error:
        raise click.ClickException(str(error)) from None
    if addon.recording is None:
        raise click.ClickException(f"nothing was recorded to {path}")
    say(report.summary(addon.recording, addon.passed_over))
    if addon.recording.failure is not None:
        raise click.ClickException(f"{path} is incomplete: {addon.recording.failure}")


def _check_output(path: str, *, overwrite: bool) -> None:
    if path == "-":
        raise click.UsageError(
            "expected the name of a file for --output: a cassette is not written to a pipe"
        )
    if os.path.exists(path) and not overwrite:
        raise click.ClickException(f"{path} exists; choose another name, or add --overwrite")


def _what_to_set(upstream: str | None, url: str) -> list[str]:
    """Return what a client's environment needs, a line each."""
    if upstream is not None:
        return [f"export OPENAI_BASE_URL={url}{urlsplit(upstream).path or '/v1'}"]
    authority = os.path.expanduser("~/.mitmproxy/mitmproxy-ca-cert.pem")
    return [
        f"export HTTPS_PROXY={url} HTTP_PROXY={url}",
        f"export SSL_CERT_FILE={authority} NODE_EXTRA_CA_CERTS={authority}",
    ]
