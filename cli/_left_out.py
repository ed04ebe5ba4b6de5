"""What `--where` leaves out, in words, with counts where they can be had."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from tokentape import cassette
from tokentape.cassette import counted
from tokentape.cli._safe_text import safe_text

if TYPE_CHECKING:
    from tokentape.analysis import Recording


def left_out(paths: Sequence[str], recordings: "Sequence[Recording]", where: Sequence[str]) -> list[str]:
    """Return which requests are left out, and how many; standard input cannot be counted again."""
    if not where:
        return []
    conditions = " and ".join(where)
    return [
        f"Only requests with {conditions} are here: {counts}."
        for counts in [", ".join(_counts(paths, recordings))]
    ]


def _counts(paths: Sequence[str], recordings: "Sequence[Recording]") -> Iterator[str]:
    for side, path, recording in zip("AB", paths, recordings, strict=False):
        of = f"{side} " if len(paths) > 1 else ""
        kept = len(recording.exchanges)
        if path == "-":
            yield f"{of}{kept:,} of standard input's"
        else:
            yield f"{of}{kept:,} of {counted(_requests(path), 'request', grouped=True)}"


def say_none_chosen(paths: Sequence[str], where: Sequence[str]) -> None:
    """Say on standard error that conditions chose nothing, as one does that is misspelt."""
    of = "standard input's" if "-" in paths else counted(_requests(paths), "exchange", grouped=True)
    conditions = " ".join(f"--where {condition}" for condition in where)
    name = paths[0] + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    click.echo(safe_text(f"{name}: {conditions} chose 0 of {of}"), err=True)


def _requests(paths: str | Sequence[str]) -> int:
    count = 0
    for file in cassette.usable_at(paths)[0]:  # as `load` does, which has said why the others are of no use
        with cassette.open(file, lenient=True) as tape:
            count += sum(1 for _ in cassette.exchanges(tape))
    return count
