import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from tokentape.cli._extras import needs

_MORE_TRIES = 2


@click.command(short_help="Record, replay and measure a stream: no network, no key.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the cassettes there.",
)
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Save what the screen shows as a picture.",
)
def command(keep: Path | None, svg: Path | None) -> None:
    """Show the whole loop in about ten seconds, with no network and no key.

    A model in this process streams a reply; mitmproxy records it; the cassette is replayed at 1x and 8x
    to a real client, and recorded again. Exits with 1 if a replay is not byte for byte the recording, or
    if the analysis finds other numbers in it than the recording's. Where nothing but times differs, the
    machine may have been busy: then it is replayed again, twice at most.

    \b
    tokentape demo
    tokentape demo --keep tapes
    """
    with needs("demo"):
        import mitmproxy  # noqa: F401
        import openai  # noqa: F401
        from rich.console import Console

        from tokentape.analysis import load
        from tokentape.cli._latency_table import latency_table
        from tokentape.cli.demo import _loop, _screen, _verdict

    if svg is not None and not svg.parent.is_dir():
        raise click.BadParameter(f"expected a file in a folder that exists, found {svg}", param_hint="--svg")
    # What was started is stopped also when this is told to stop in another way than by Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console(record=svg is not None)
    if not console.is_terminal:
        console.width = 100
    with ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tokentape-demo-")))
        else:
            keep.mkdir(parents=True, exist_ok=True)
            folder = keep
        with _screen.progress(console) as steps:
            loop = _loop.run(folder, steps)
            steps.begin("analysing")
            recorded = load(loop.recorded)
            rows = _verdict.compare(loop, recorded, load(loop.replayed))
            for _ in range(_MORE_TRIES):
                if not _verdict.only_late(rows):
                    break
                loop = _loop.again(loop, steps)
                rows = _verdict.compare(loop, recorded, load(loop.replayed))
        console.print(_screen.text_panel(loop.texts[0]))
        console.print(latency_table(recorded))
        console.print(_screen.comparison(rows, loop))
    if keep is not None:
        click.echo(f"kept {loop.recorded} and {loop.replayed}", err=True)
    if svg is not None:
        svg.write_text(_screen.picture(console), encoding="utf-8")
    wrong = [row.name for row in rows if not all(row.agrees)]
    if len(set(loop.texts)) > 1:
        wrong.append("text")
    if wrong:
        raise click.ClickException(f"the replay is not the recording again: {', '.join(wrong)} differ")
