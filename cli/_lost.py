"""What of its input a verb had to leave out: a line each on standard error. Its exit code is 3 then."""

from collections.abc import Iterable, Iterator

import click

from tokentape.cassette import Reader, Record, Verification, counted
from tokentape.cli._safe_text import safe_text

_MOST_SIGNS = 10


def said_lost(lost: Iterable[object]) -> bool:
    """Say what was lost, and return whether anything was."""
    any_lost = False
    for line in lost:
        click.echo(f"lost: {safe_text(line)}", err=True)
        any_lost = True
    return any_lost


class Checked:
    """The records of a cassette, held against each other as they are read: see "Agreement" in the format.

    A record that was taken out with its whole frame is no damage that a reader finds.
    """

    def __init__(self, tape: Reader, file: str) -> None:
        self._tape, self._file = tape, file
        self._verification = Verification()

    def records(self) -> Iterator[Record]:
        """Yield all that can be read."""
        for entry in self._tape.entries():
            self._verification.add(entry)
            yield entry.record
        self._verification.finish()

    def lost(self) -> Iterator[str]:
        """Yield a line for each part that is damaged, and for each sign that a record is missing."""
        for damage in self._tape.damage:
            yield f"{self._file}: {damage}"
        found = [finding for finding in self._verification.findings if finding.is_loss][:_MOST_SIGNS]
        for finding in found:
            yield f"{self._file}: {finding}"
        if (more := self._verification.losses - len(found)) > 0:
            signs = counted(more, "more sign")
            yield f"{self._file}: {signs} of lost records; tokentape verify says which"
