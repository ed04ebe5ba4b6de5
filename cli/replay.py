"""`tokentape replay`: serve cassettes until told to stop, then say what was served and how exactly."""

import asyncio
import gc
import sys
from collections.abc import Callable
from functools import partial

import click

from tokentape.cli._address import Address
from tokentape.cli._config import config_option
from tokentape.cli._explained import print_explanation
from tokentape.cli._fault_options import fault_options
from tokentape.cli._files import once_from_stdin
from tokentape.cli._matching_options import matching_options
from tokentape.cli._on_miss_option import on_miss_of, on_miss_option, usage
from tokentape.cli._reach_options import Reach, reach_options
from tokentape.cli._reloading import reloading
from tokentape.cli._safe_text import safe_text
from tokentape.cli._served import served_json, served_table, shortcomings
from tokentape.cli._serving import serve_until_stopped
from tokentape.cli._timing_options import Span, timing_options
from tokentape.replay import Fault, How, Matching, ReplayError, Server, Timing, Workers, load


@click.command(short_help="Serve cassettes over HTTP as they were recorded.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, callback=once_from_stdin)
@click.option(
    "--listen", type=Address(), default="127.0.0.1:8090", show_default=True, help="Port 0 takes a free one."
)
@reach_options
@timing_options
@click.option(
    "--strict-timing", "strict_ns", type=Span(), help="Exit with 3 if lateness p99 is above, as 5ms."
)
@matching_options
@on_miss_option
@fault_options
@click.option("--reload", is_flag=True, help="Serve cassettes anew when they change.")
@click.option("--no-control", is_flag=True, help="Do not answer under /-/; with --workers nothing does.")
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes, one for each core."
)
@click.option("--fail-unplayed", is_flag=True, help="Exit with 3 if something was never played.")
@config_option
@click.option("--explain", "explains", is_flag=True, help="Print when what would be sent; serve nothing.")
@click.option("--exchange", type=click.IntRange(0), metavar="N", help="Explain the exchange of this number.")
@click.option("--json", "as_json", is_flag=True, help="Print what was served, or is explained, as JSON.")
def command(
    files: tuple[str, ...],
    listen: tuple[str, int],
    reach: Callable[[str], Reach],
    timing: Timing,
    strict_ns: int | None,
    matching: Matching,
    miss: tuple[How, str] | None,
    faults: tuple[Fault, ...],
    reload: bool,
    no_control: bool,
    workers: int,
    fail_unplayed: bool,
    explains: bool,
    exchange: int | None,
    as_json: bool,
) -> None:
    """Serve recorded exchanges over HTTP: the same bytes in the same pieces at the same times.

    A request is answered by the exchange that was recorded for the same method, path, query and JSON body
    (order of keys and spelling of numbers do not matter). Where the same request was recorded several times,
    the answers come in the order of recording, and after the last the first again. Any other request gets
    a 404 that names the nearest recorded one and the difference, or with --on-miss the answer of an API.
    A FILE may be a pattern in quotes.

    An exchange that came from another format (see `convert`) may have no times of its pieces: these are
    sent at once, and what is printed at the end says "not timed".

    Times are counted from the complete request, as they were recorded, and changed by the options in a
    fixed order (docs/replaying.md); --explain shows what comes out.

    Ctrl-C, SIGTERM or SIGHUP stops it and prints what was served and how late pieces were; answers on
    their way have three seconds to end, which a second Ctrl-C cuts short. Meanwhile it is watched and
    steered under /-/ (docs/control.md).

    --fault lets something go wrong, as with a live API: the kinds, and which requests are hit how often, are
    in docs/faults.md.

    \b
    tokentape replay session.tape
    tokentape replay session.tape --speed 2 --listen 127.0.0.1:0
    tokentape replay 'tapes/*.tape' --ignore '$.user' --exhausted error --fail-unplayed
    tokentape replay session.tape --on-miss record https://api.openai.com
    tokentape replay session.tape --fault status=429,retry-after=2,times=1 --fault stall=10s@event=4
    tokentape replay session.tape --proxy --listen 127.0.0.1:8080
    tokentape replay session.tape --ttft 300ms --pace 50/s --explain --exchange 0
    """
    if exchange is not None and not explains:
        raise click.UsageError("expected --explain beside --exchange, found none: a server serves all")
    if reload and workers > 1:
        raise click.UsageError("expected one worker beside --reload: the others would not know of the change")
    on_miss = on_miss_of(miss, files, matching, reload=reload, workers=workers)
    again = reloading(files, partial(load, files, timing=timing)) if reload else None
    try:
        if explains:
            print_explanation(files, timing, faults, exchange, as_json=as_json)
            return
        growing = on_miss.output if on_miss and on_miss.how == "record" else None
        repertoire = load(files, timing=timing, growing=growing)
        for line in (*repertoire.remarks, *repertoire.lost):
            click.echo(safe_text(line), err=True)
        # A full collection would stop all streams while it looks through every prepared piece.
        gc.collect()
        gc.freeze()
        control = workers == 1 and not no_control
        reached = reach(listen[0])
        with usage():
            server = Server(
                repertoire,
                matching=matching,
                faults=faults,
                on_miss=on_miss,
                control=control,
                tls=reached.tls,
                proxy=reached.proxy,
            )
        serving = Workers(server, workers) if workers > 1 else server
        stats = asyncio.run(serve_until_stopped(serving, *listen, again, reached))
    except ReplayError as error:
        raise click.ClickException(str(error)) from error
    click.echo(served_json(stats) if as_json else served_table(stats))
    short = [*shortcomings(stats, strict_ns=strict_ns, fail_unplayed=fail_unplayed)]
    if repertoire.lost:
        short.append("parts of the recording were damaged and not served; see above")
    for line in short:
        click.echo(line, err=True)
    if short:
        sys.exit(3)
