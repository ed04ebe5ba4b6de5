import time
from collections.abc import Callable

import click

from tokentape import cassette
from tokentape.cli._finite import Finite
from tokentape.cli._looking import as_json_line, looking
from tokentape.cli._safe_text import safe_text


@click.command(short_help="Show what is under way in a recording.")
@click.argument("file", metavar="FILE")
@click.option("--once", is_flag=True, help="Print what is there now, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, in a line, at each refresh.")
@click.option("--interval", type=Finite(0.05, 3600), default=0.5, show_default=True,
              metavar="SECONDS", help="Look at the file so often.")  # fmt: skip
def command(file: str, once: bool, as_json: bool, interval: float) -> None:
    """Show the streams in flight of a cassette that is being recorded, and those that ended lately.

    TTFT with > is how long a client has waited so far. A file that is not there yet is waited for; one that
    is begun again is followed from its start. Ctrl-C ends it. Where standard output is no terminal, it prints
    once, unless --json is given.

    \b
    tokentape watch session.tape
    tokentape watch session.tape --json --interval 5 | jq '.in_flight | length'
    """
    if file == "-":
        raise click.UsageError(
            "expected a file that grows, found - (standard input is read by tokentape cat)"
        )
    from rich.console import Console
    from rich.live import Live

    from tokentape.cli._console import print_table
    from tokentape.cli._watch_table import at_a_glance, watch_table

    console = Console()
    with cassette.Follower(file) as follower:
        once = once or not (as_json or console.is_terminal)
        look = looking(follower, None if once else interval)
        if as_json:
            _repeat(lambda: click.echo(as_json_line(look(), follower)), interval, once=once)
            return
        if once:
            picture = look()
            if follower.size is None:
                raise click.ClickException(f"{safe_text(file)} is not there; without --once it is waited for")
            print_table(watch_table(picture, follower))
            return
        with Live(console=console, auto_refresh=False) as live:
            _repeat(lambda: live.update(at_a_glance(look(), follower, console), refresh=True), interval)


def _repeat(show: Callable[[], None], interval: float, *, once: bool = False) -> None:
    try:
        show()
        while not once:
            time.sleep(interval)
            show()
    except KeyboardInterrupt:
        return
