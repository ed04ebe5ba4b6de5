"""How exchanges are read: in words, which another process understands, and what these words mean.

The invariant: `Options` that exist can be understood; what cannot is said before anything is read.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from tokentape.analysis.loading._where import conditions
from tokentape.analysis.measuring._definitions import named_definitions
from tokentape.analysis.measuring._reading import Reading
from tokentape.analysis.measuring._tokenizers import Count, Tokens, tokenizer
from tokentape.dialects import named


def _count(tokens: Tokens | None) -> Count | None:
    if not isinstance(tokens, str):
        return tokenizer(tokens)
    try:
        found = os.stat(tokens.partition(":")[2])
    except (OSError, ValueError):  # no file: another name, or one that is not there, which `tokenizer` says
        return _tokenizer(tokens, None)
    return _tokenizer(tokens, (found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=4)
def _tokenizer(tokens: str, stamp: tuple[int, int] | None) -> Count | None:  # noqa: ARG001  (another file)
    """Return a tokenizer, made once for all parts: that takes as long as to read many small cassettes."""
    return tokenizer(tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `load` is told of the exchanges, as it is told."""

    where: tuple[str, ...] = ()
    definitions: str | None = None
    dialect: str | None = None
    tokens: Tokens | None = None

    def __post_init__(self) -> None:
        """Raise as `reading` does."""
        self.reading()

    def reading(self) -> Reading:
        """Return what the options mean.

        Raises ValueError for what cannot be understood or does not exist, and ModuleNotFoundError, which says
        what to install, for a tokenizer without its library.
        """
        return Reading(
            where=conditions(self.where),
            definitions=named_definitions(self.definitions),
            dialect=None if self.dialect is None else named(self.dialect),
            count=_count(self.tokens),
        )


def options_of(
    where: str | Iterable[str] | None, definitions: str | None, dialect: str | None, tokens: Tokens | None
) -> Options:
    """Return the options that functions of the package take as arguments."""
    return Options(
        where=(where,) if isinstance(where, str) else tuple(where or ()),
        definitions=definitions,
        dialect=dialect,
        tokens=tokens,
    )
