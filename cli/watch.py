import time
from collections.abc import Callable

import click

from tokentape import cassette
from tokentape.cli._safe_text import safe_text
from tokentape.cli._watched import Picture, Watched


@click.command(short_help="Show what is under way in a recording.")
@click.argument("file", metavar="FILE")
@click.option("--once", is_flag=True, help="Print what is there now, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, in a line, at each refresh.")
@click.option("--interval", type=click.FloatRange(0.05, 3600), default=0.5, show_default=True,
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

    from tokentape.cli._watch_table import watch_table

    console = Console()
    with cassette.Follower(file) as follower:
        look = _looking(follower)
        if as_json:
            _repeat(lambda: click.echo(_as_json(look(), follower)), interval, once=once)
            return
        if once or not console.is_terminal:
            picture = look()
            if follower.size is None:
                raise click.ClickException(f"{safe_text(file)} is not there; without --once it is waited for")
            console.width = console.width if console.is_terminal else 160
            console.print(watch_table(picture, file, follower.size, len(follower.damage)))
            return
        with Live(console=console, auto_refresh=False) as live:
            _repeat(
                lambda: live.update(
                    watch_table(look(), file, follower.size, len(follower.damage)), refresh=True
                ),
                interval,
            )


def _looking(follower: cassette.Follower) -> Callable[[], Picture]:
    watched, generation = Watched(), 0

    def look() -> Picture:
        nonlocal watched, generation
        records = follower.poll()
        if follower.generation != generation:
            watched, generation = Watched(), follower.generation
        for record in records:
            watched.take(record)
        return watched.picture(time.time_ns())

    return look


def _repeat(show: Callable[[], None], interval: float, *, once: bool = False) -> None:
    try:
        show()
        while not once:
            time.sleep(interval)
            show()
    except KeyboardInterrupt:
        return


def _as_json(picture: Picture, follower: cassette.Follower) -> str:
    import msgspec

    found = {"file": follower.path, "size": follower.size, "damaged": len(follower.damage)}
    return msgspec.json.encode(found | msgspec.to_builtins(picture)).decode()
