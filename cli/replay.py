"""`tokentape replay`: serve cassettes until told to stop, then say what was served and how exactly."""

import sys

import click

from tokentape.cli._config import config_option
from tokentape.cli._explained import print_explanation
from tokentape.cli._fault_options import fault_options
from tokentape.cli._files import once_from_stdin
from tokentape.cli._given import refuse
from tokentape.cli._matching_options import matching_options
from tokentape.cli._on_miss_option import on_miss_of, on_miss_option
from tokentape.cli._replaying import replayed
from tokentape.cli._sections import Sectioned
from tokentape.cli._served import served_json, served_table, shortcomings
from tokentape.cli._serving_options import Serving, serving_options
from tokentape.cli._timing_options import TIMING, Span, timing_options
from tokentape.replay import Fault, How, Matching, ReplayError, Timing

_SECTIONS = {
    "Where": ("listen", "proxy", "tls", "tls_cert", "tls_key", "confdir", "workers", "reload", "no_control"),
    "When (docs/replaying.md)": TIMING,
    "Which answer (docs/matching.md)": ("match", "ignore", "order", "exhausted", "miss"),
    "What goes wrong (docs/faults.md)": ("faults",),
    "What is said, and when the exit code is 3": ("strict_ns", "fail_unplayed", "as_json"),
    "Serve nothing, and print what would be sent when": ("explains", "exchange"),
}
_SERVED_ONLY = (
    *_SECTIONS["Where"],
    *_SECTIONS["Which answer (docs/matching.md)"],
    "strict_ns",
    "fail_unplayed",
)


@click.command(
    cls=Sectioned, sections=_SECTIONS, short_help="Serve cassettes over HTTP as they were recorded."
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, callback=once_from_stdin)
@serving_options
@timing_options
@matching_options
@on_miss_option
@fault_options
@click.option("--strict-timing", "strict_ns", type=Span(), help="Exit with 3 if lateness p99 is above.")
@click.option("--fail-unplayed", is_flag=True, help="Exit with 3 if something was never played.")
@click.option("--json", "as_json", is_flag=True, help="Print what was served, or is explained, as JSON.")
@click.option("--explain", "explains", is_flag=True, help="Explain all exchanges.")
@click.option("--exchange", type=click.IntRange(0), metavar="N", help="Explain the one of this number.")
@config_option
def command(
    files: tuple[str, ...],
    serving: Serving,
    timing: Timing,
    matching: Matching,
    miss: tuple[How, str] | None,
    faults: tuple[Fault, ...],
    strict_ns: int | None,
    fail_unplayed: bool,
    as_json: bool,
    explains: bool,
    exchange: int | None,
) -> None:
    """Serve recorded exchanges over HTTP: the same bytes in the same pieces at the same times.

    A request is answered by the exchange that was recorded for the same method, path, query and JSON body.
    Where the same was recorded several times, the answers come in the order of recording, and after the last
    the first again. Any other request gets a 404 that names the nearest recorded one and the difference, or
    with --on-miss the answer of an API. A FILE may be a pattern in quotes.

    Ctrl-C, SIGTERM or SIGHUP stops it and prints what was served and how late pieces were ("not timed" stands
    beside what was recorded without times). Answers on their way have three seconds to end, which a second
    Ctrl-C cuts short. Meanwhile it is watched and steered under /-/ (docs/control.md).

    \b
    tokentape replay session.tape
    tokentape replay session.tape --speed 2 --listen 127.0.0.1:0
    tokentape replay 'tapes/*.tape' --ignore '$.user' --exhausted error --fail-unplayed
    tokentape replay session.tape --on-miss record https://api.openai.com
    tokentape replay session.tape --fault status=429,retry-after=2,times=1 --fault stall=10s@event=4
    tokentape replay session.tape --ttft 300ms --pace 50/s --explain --exchange 0
    """
    if exchange is not None and not explains:
        raise click.UsageError("expected --explain beside --exchange, found none: a server serves all")
    if explains:
        refuse(_SERVED_ONLY, "--explain", "nothing is served where it is explained")
    on_miss = on_miss_of(miss, files, matching, reload=serving.reload, workers=serving.workers)
    try:
        if explains:
            print_explanation(files, timing, faults, exchange, as_json=as_json)
            return
        repertoire, stats = replayed(
            files, timing=timing, matching=matching, faults=faults, on_miss=on_miss, serving=serving
        )
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
