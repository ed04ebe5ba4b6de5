"""Cassettes that are loaded here or by a Dask cluster, into tables to print or into a folder of Parquet."""

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from tokentape.cli._extras import needs
from tokentape.cli._left_out import say_none_chosen
from tokentape.cli._output import overwrite_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tokentape.analysis import Recording
    from tokentape.analysis.dask import DaskRecording
    from tokentape.cli._reading_options import Loading

_CONNECT_S = 5.0
_T = TypeVar("_T", bound="Callable[..., object]")


def many_options(command: _T) -> _T:
    """Add --output, --overwrite and --scheduler."""
    for option in (
        click.option(
            "--scheduler", metavar="ADDRESS", help="Compute on a Dask cluster: tcp://10.0.0.7:8786."
        ),
        overwrite_option,
        click.option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="With --format parquet: all four tables, however large they are.",
        ),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True)
class Many:
    """Cassettes, how they are loaded, and the address of a scheduler if that is to do it."""

    files: tuple[str, ...]
    load: "Loading"
    scheduler: str | None

    def loaded(self, by: "tuple[str, ...] | None", *, exact: bool) -> "Recording":
        """Return a recording; what a scheduler computed is of more gaps than fit here, unless `exact`."""
        if self.scheduler is None:
            return self.load(self.files)
        with self._distributed() as recording:
            found = self.load.chosen(recording.collected(by, exact=exact), self.files)
        from tokentape.analysis.dask import ApproximateRecording

        if isinstance(found, ApproximateRecording):
            click.echo(found.exactness, err=True)
        return found

    def written(self, folder: str, *, overwrite: bool) -> tuple[str, ...]:
        """Write the four tables to a folder, and return what was lost."""
        try:
            lost = self._written(folder, overwrite=overwrite)
        except FileExistsError as error:
            hint = "" if overwrite else "; choose another name, or add --overwrite"
            raise click.ClickException(f"{error}{hint}") from error
        where = self.load.words["where"]
        if where and not _rows(os.path.join(folder, "exchanges.parquet")):
            say_none_chosen(self.files, where)
        return lost

    def _written(self, folder: str, *, overwrite: bool) -> tuple[str, ...]:
        if self.scheduler is not None:
            with self._distributed() as recording:
                return recording.to_parquet(folder, overwrite=overwrite)
        with self.load.understood():
            from tokentape.analysis import to_parquet

            return to_parquet(self.files, folder, overwrite=overwrite, **self.load.words)

    @contextmanager
    def _distributed(self) -> "Iterator[DaskRecording]":
        with needs("dask"):
            from tokentape.analysis.dask import connected, load
        with self.load.understood(), connected(self.scheduler or "", timeout_s=_CONNECT_S):
            yield load(self.files, **self.load.words)


def _rows(table: str) -> int:
    """Return how many rows a table has that is a file, or a folder of them."""
    from pyarrow import dataset

    count: int = dataset.dataset(table).count_rows()
    return count
