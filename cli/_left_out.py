"""What `--where` leaves out of a report, as a sentence for it, with counts where they can be had."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tokentape import cassette
from tokentape.cassette import counted

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


def _requests(path: str) -> int:
    from tokentape.analysis import cassettes_at

    count = 0
    for file in cassettes_at(path):
        with cassette.open(file, lenient=True) as tape:
            count += sum(1 for _ in cassette.exchanges(tape))
    return count
