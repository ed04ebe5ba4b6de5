import click

from tokentape import cassette
from tokentape.cassette import counted
from tokentape.cli._difference import Difference, Side, compare, sides
from tokentape.cli._files import once_from_stdin
from tokentape.cli._json_text import json_text
from tokentape.cli._lost import said_lost
from tokentape.cli._safe_text import safe_text


class _Trouble(click.ClickException):
    """A file could not be read: 1 already means that they differ."""

    exit_code = 2


@click.command(short_help="Say what two cassettes answer differently.")
@click.argument("files", metavar="A B", nargs=2, callback=once_from_stdin)
@click.option("--json", "as_json", is_flag=True, help="Print what differs as one object.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, str], as_json: bool) -> None:
    """Compare requests and answers of two cassettes, times aside.

    Exchanges are aligned by their requests: method, path and JSON body. Of two answers to the same request
    status, text by choice and kind, finish reason, error and how it ended are compared; headers, ids,
    dates and fingerprints are not, nor when a client left that had the end mark. A or B may be - for
    standard input.

    Exit code, as of diff: 0 the same, 1 different, 2 a file could not be read. 3: a cassette is damaged;
    what is whole was compared, and stderr says what was lost.

    \b
    tokentape diff before.tape after.tape
    tokentape diff before.tape after.tape --json | jq '.different[].diff[]' -r
    """
    lost: list[str] = []
    try:
        a, b = (_read(file, lost) for file in files)
    except cassette.CassetteError as error:
        raise _Trouble(str(error)) from error
    found = compare(a, b)
    click.echo(_as_json(found) if as_json else "\n".join(_lines(found)))
    ctx.exit(3 if said_lost(lost) else int(bool(found)))


def _read(file: str, lost: list[str]) -> list[Side]:
    with cassette.open(file, lenient=True) as tape:
        read = sides(cassette.exchanges(tape))
        lost += [f"{file}: {damage}" for damage in tape.damage]
    return read


def _as_json(found: Difference) -> str:
    return json_text(
        {
            "only_in_a": [side.as_dict() for side in found.only_in_a],
            "only_in_b": [side.as_dict() for side in found.only_in_b],
            "different": [
                {"a": a.as_dict(), "b": b.as_dict(), "diff": lines} for a, b, lines in found.different
            ],
            "same": len(found.pairs) - len(found.different),
        }
    )


def _lines(found: Difference) -> list[str]:
    lines = [f"only in A: {side}" for side in found.only_in_a]
    lines += [f"only in B: {side}" for side in found.only_in_b]
    for _, _, difference in found.different:
        lines += difference
    same = len(found.pairs) - len(found.different)
    counts = f"{counted(same, 'exchange')} the same, {len(found.different)} different"
    alone = f"{len(found.only_in_a)} only in A, {len(found.only_in_b)} only in B"
    return [*map(safe_text, lines), f"{counts}, {alone}"]
