"""The parts of a split cassette: which there are, their files, and writing them a few at a time.

A part is an open file until the last of its sections is over, so where there are many they are written in
several passes, and neither memory nor open files grow with their number.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

from tokentape.cassette import Damage, Reader, Request, Rewriter, Split, whole_entries
from tokentape.dialects import requested_model

_AT_A_TIME = 200


def plan(open_source: Callable[[], Reader], by: str) -> tuple[Split, list[Damage]]:
    """Return how a cassette is split by `exchange`, `host` or `model`, and what of it is damaged."""
    with open_source() as tape:
        split = Split(_NAMES[by])
        for entry in whole_entries(tape):
            split.add(entry)
    return split, tape.damage


def write_parts(
    open_source: Callable[[], Reader], split: Split, paths: Sequence[str], *, overwrite: bool
) -> None:
    """Write each part to its path. An error takes away what was written before it, unless that replaced."""
    made: list[str] = []
    try:
        for start in range(0, len(paths), _AT_A_TIME):
            batch = range(start, min(start + _AT_A_TIME, len(paths)))
            with open_source() as tape, ExitStack() as stack:
                out = {
                    index: stack.enter_context(Rewriter(paths[index], overwrite=overwrite)) for index in batch
                }
                for index, payload in split.routed(whole_entries(tape), batch):
                    out[index].copy(payload)
            made += [paths[index] for index in batch]
    except BaseException:
        for path in made if not overwrite else ():
            with suppress(OSError):
                os.unlink(path)
        raise


def _by_exchange(section: int, number: int, request: Request | None) -> str:  # noqa: ARG001
    return f"{section}-{number:04d}"


def _by_host(section: int, number: int, request: Request | None) -> str:  # noqa: ARG001
    return (request.host if request else "") or "no-host"


def _by_model(section: int, number: int, request: Request | None) -> str:  # noqa: ARG001
    return (requested_model(request) if request else None) or "no-model"


_NAMES = {"exchange": _by_exchange, "host": _by_host, "model": _by_model}
