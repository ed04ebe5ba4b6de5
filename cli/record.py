from urllib.parse import urlsplit

import click

from tokentape.cli._address import Address, UpstreamUrl, url_of
from tokentape.cli._extras import needs
from tokentape.cli._recording import (
    check_label,
    check_recordable,
    check_size,
    check_span,
    options_of,
    what_to_set,
)


@click.command(short_help="Record streams through mitmproxy to a cassette.")
@click.option("--upstream", type=UpstreamUrl(), help="Stand in front of this API.")
@click.option("--proxy", is_flag=True, help="Be a forward proxy for any program instead.")
@click.option("-o", "--output", "path", required=True, metavar="FILE", help="The cassette to write.")
@click.option("--append", is_flag=True, help="Go on in FILE if it exists.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--rotate-size", metavar="SIZE", callback=check_size,
              help="Go on in another file (FILE-0002 ...) at this size, such as 100MB.")  # fmt: skip
@click.option("--rotate-every", metavar="TIME", callback=check_span,
              help="Go on in another file after 30s, 15m, 1h, 7d.  [SIGHUP does so at once]")  # fmt: skip
@click.option("--on-write-error", type=click.Choice(["continue", "stop"]), default="continue",
              show_default=True, help="Let the traffic go on when the disk is full, or not.")  # fmt: skip
@click.option("--label", "labels", metavar="KEY=VALUE", multiple=True, callback=check_label,
              help="Label the recording (repeatable).")  # fmt: skip
@click.option("--listen", type=Address(), default="127.0.0.1:8080", show_default=True,
              help="Where clients connect; port 0 picks a free one.")  # fmt: skip
@click.option("--filter", "expression", metavar="EXPR",
              help="Record what matches this mitmproxy filter; by default model calls.")  # fmt: skip
@click.option("--redact-rules", "rules", metavar="FILE",
              help="Replace also the secrets that the rules in this TOML file describe.")  # fmt: skip
@click.option("--no-redact", "unredacted", is_flag=True,
              help="Write API keys, cookies and all other secrets to FILE as they are.")  # fmt: skip
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True,
              help="Set an option of mitmproxy, as its own --set does (repeatable).")  # fmt: skip
def command(
    upstream: str | None,
    proxy: bool,
    path: str,
    listen: tuple[str, int],
    settings: tuple[str, ...],
    **recording: object,
) -> None:
    """Record streams through mitmproxy to a cassette, until Ctrl-C.

    Secrets are replaced before anything is written, but for the bodies of answers: docs/redaction.md.

    \b
    tokentape record --upstream https://api.openai.com -o session.tape
    tokentape record --proxy -o session.tape --append --rotate-every 1h
    """
    if proxy == (upstream is not None):
        raise click.UsageError("expected either --upstream URL or --proxy")
    own = options_of(recording, settings)
    check_recordable(path, own)
    with needs("record"):
        from tokentape.recorder import report
        from tokentape.recorder.addon import TapeAddon
        from tokentape.recorder.lines import Lines, occupy_standard_descriptors
        from tokentape.recorder.proxy import ProxyError, run

    occupy_standard_descriptors()
    lines = Lines.to_stderr()
    say = lines.say

    def on_listening(host: str, port: int) -> None:
        url = url_of(host, port)
        say("\n  ".join([f"listening on {url}", *what_to_set(upstream, url, settings)]))

    mode = "reverse:{0.scheme}://{0.netloc}".format(urlsplit(upstream)) if upstream else "regular"
    addon = TapeAddon(on_end=lambda exchange: say(report.ended(exchange)), say=say)
    try:
        run(
            addon,
            path,
            mode=mode,
            listen=listen,
            settings=[*settings, *own],
            on_listening=on_listening,
            say=say,
        )
    except ProxyError as error:
        raise click.ClickException(str(error)) from None
    lines.finish(wait_s=1)
    for failed, failure in addon.failures:
        say(f"Error: {failed} is incomplete: {failure.strerror or failure}", wait_s=1)
    if addon.failures:
        raise click.exceptions.Exit(1)
