"""What becomes of a request that is not in the recording, beside the 404: it is asked live, and recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from glob import has_magic
from os import PathLike, fspath
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from tokentape.replay.live._upstream import Upstream
from tokentape.replay.matching._matching import Matching

_ALL = ("--filter", "~all")

How: TypeAlias = Literal["forward", "record"]


@dataclass(frozen=True, slots=True)
class OnMiss:
    """Ask the API at `url` for what is not recorded: only ask ("forward"), or also record the answer.

    With "record" the answer is appended to a cassette: to `output`, or to the last of those that are served.
    `recorder` are more options of `tokentape record`; all that was missed is recorded, unless these have a
    filter. Raises ValueError for what is no URL of an API, and for what can be recorded to no file.
    """

    how: How
    url: str
    output: str | PathLike[str] | None = None
    recorder: Sequence[str] = _ALL

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise ValueError(f"expected 'forward' or 'record', found {self.how!r}")
        Upstream.of(self.url)
        if self.output is not None and self.how == "record":
            recordable(fspath(self.output))

    def into(self, names: Sequence[str | PathLike[str]]) -> "OnMiss":
        """Return the same with an `output`: the last of these names of cassettes, where there was none.

        Raises ValueError if that is no file that can be appended to.
        """
        if self.how == "forward" or self.output is not None or not names:
            return self
        return OnMiss(self.how, self.url, recordable(fspath(names[-1])), self.recorder)

    def check(self, matching: Matching | None, paths: Sequence[bytes] = ()) -> None:
        """Raise ValueError if what is recorded would not be found again beside these recorded paths."""
        prefix = Upstream.of(self.url).path.encode()
        if self.how == "forward":
            return
        if self.output is None:
            raise ValueError("expected the cassette that is recorded to as `output`, found none")
        if matching is not None and matching.order == "recorded" and matching.exhausted != "error":
            raise ValueError(
                f"expected exhausted='error' beside order='recorded', found {matching.exhausted!r}: "
                "in order only what comes after the last exchange can be recorded"
            )
        if paths and not any(path.startswith(prefix) for path in paths):
            raise ValueError(
                f"expected a URL whose path the recorded requests begin with, found {prefix.decode()}: "
                "what is recorded under another path is not found again; leave the path out"
            )

    @property
    def records_all(self) -> bool:
        """Whether nothing that is asked may be left out; options beside the usual ones may have a filter."""
        return self.how == "record" and tuple(self.recorder) == _ALL

    @property
    def grows(self) -> str | PathLike[str] | None:
        """The cassette that is appended to; None if nothing is recorded."""
        return self.output if self.how == "record" else None

    @property
    def base_path(self) -> str:
        """What clients add to the root while nothing is recorded that says it: as `tokentape record` says."""
        upstream = Upstream.of(self.url)
        return "" if upstream.host.endswith("anthropic.com") else upstream.path or "/v1"


def recordable(name: str) -> str:
    """Return the name of a cassette to append to. Raises ValueError, with what to do, if it can be none."""
    what = "what is missed is appended to the last cassette, "
    if name == "-":
        raise ValueError(f"{what}expected a file there, found -: standard input cannot be appended to")
    if has_magic(name) and not Path(name).exists():
        raise ValueError(f"{what}expected the name of one file there, found the pattern {name!r}")
    if name.endswith(".zst"):
        raise ValueError(
            f"{what}expected one that is not compressed, found {name}; make one that can grow with: "
            f"tokentape convert {name} {name.removesuffix('.zst')}"
        )
    return name
