"""Cassettes that are loaded here or by a Dask cluster, into tables to print or into a folder of Parquet."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click

from tokentape.cli._extras import needs
from tokentape.cli._output import overwrite_option

if TYPE_CHECKING:
    from tokentape.analysis import Recording

_CONNECT_S = 5.0
_T = TypeVar("_T", bound=Callable[..., object])

Load: TypeAlias = Callable[..., Any]
"""A function of paths, and of what to load them with (`_reading_options`)."""


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


def check_output(folder: str | None, form: str, *, summarised: bool) -> None:
    """Refuse a folder for what is no tables, with a line that says what fits."""
    if folder is not None and (form != "parquet" or summarised):
        raise click.UsageError(
            "expected --format parquet with --output, and no --by, --slo or --json: it has whole tables"
        )


def loaded(
    load: Load, files: tuple[str, ...], scheduler: str | None, by: tuple[str, ...] | None, *, exact: bool
) -> "Recording":
    """Return a recording; from a scheduler one without the gaps, if there are very many, unless `exact`."""
    if scheduler is None:
        found: Recording = load(files)
        return found
    with needs("dask"):
        from tokentape.analysis.dask import ApproximateRecording, connected
        from tokentape.analysis.dask import load as load_distributed
    try:
        with connected(scheduler, timeout_s=_CONNECT_S):
            found = load(files, using=load_distributed).collected(by, exact=exact)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if isinstance(found, ApproximateRecording):
        click.echo(found.exactness, err=True)
    return found


def written(
    load: Load, files: tuple[str, ...], folder: str, scheduler: str | None, *, overwrite: bool
) -> tuple[str, ...]:
    """Write the four tables to a folder, and return what was lost."""
    try:
        if scheduler is not None:
            with needs("dask"):
                from tokentape.analysis.dask import connected
                from tokentape.analysis.dask import load as load_distributed
            with connected(scheduler, timeout_s=_CONNECT_S):
                lost: tuple[str, ...] = load(files, using=load_distributed).to_parquet(
                    folder, overwrite=overwrite
                )
                return lost
        with needs("analysis"):
            from tokentape.analysis import to_parquet

        return load(files, using=partial(to_parquet, folder=folder, overwrite=overwrite))  # type: ignore[no-any-return]  # what `using` returns
    except FileExistsError as error:
        hint = "" if overwrite else "; choose another name, or add --overwrite"
        raise click.ClickException(f"{error}{hint}") from error
