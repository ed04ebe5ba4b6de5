"""Which cassettes a test has, and whether they are replayed or recorded: decided here, done elsewhere.

Invariant: a recorder is started only where an API was named to record from.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from tokentape.replay import Timing
    from tokentape.replay.faults import Faulty

Mode: TypeAlias = Literal["none", "once", "new", "all"]
MODES: tuple[Mode, ...] = get_args(Mode)
Misses: TypeAlias = Literal["fail", "allow"]

_UNSAFE = re.compile(r"[^\w.,=+@\[\]-]")
_MAX_NAME_BYTES = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a mark, or a call of `tape_factory`, asks for. `record` are more options of `tokentape record`.

    `matching` are arguments of `Matching`, whose module is not loaded here.
    """

    paths: tuple[Path, ...]
    upstream: str | None = None
    speed: float | str | None = None
    timing: "Timing | None" = None
    matching: Mapping[str, Any] = field(default_factory=dict)
    faults: "Sequence[Faulty]" = ()
    misses: Misses = "fail"
    record: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.misses not in get_args(Misses):
            raise ValueError(f"expected misses to be 'fail' or 'allow', found {self.misses!r}")
        if isinstance(self.record, str):
            raise TypeError(
                f'expected record to be a list such as ["--filter", "~all"], found {self.record!r}'
            )


def default_mode(environment: Mapping[str, str]) -> Mode:
    """Return `none` where the environment says that this is a CI job, else `once`."""
    return "none" if environment.get("CI", "").lower() not in ("", "0", "false") else "once"


def default_path(name: str, class_name: str | None = None) -> Path:
    """Return where the cassette of a test is if it names none, relative to its file.

    A name that is none for a file, or too long, is changed, and gets a digest so that it stays its own.
    """
    whole = f"{class_name}.{name}" if class_name else name
    safe = _UNSAFE.sub("_", whole).encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
    if safe != whole:
        safe += "-" + blake2b(whole.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return Path("tapes", f"{safe}.tape")


def is_recorded(mode: Mode, wanted: Wanted, absent: Sequence[Path]) -> bool:
    """Whether to record. What names no API, or several cassettes, can only be replayed."""
    if wanted.upstream is None or len(wanted.paths) != 1:
        return False
    return mode == "all" or (mode in ("once", "new") and bool(absent))


def how_to_share(path: Path, test: str, others: Sequence[str]) -> str:
    """Return what to say where several tests would record the cassette that none of them has named."""
    own = f"tapes/{Path(test.partition('::')[0]).stem}.{path.name}"
    return (
        f"{path} is not recorded: it is also what {' and '.join(others)} would record, and one would "
        f'overwrite the other; name a cassette in the mark, as in @pytest.mark.tape("{own}", upstream="...")'
    )


def how_to_record(wanted: Wanted, absent: Sequence[Path], mode: Mode, test: str | None) -> str:
    """Return what to say where cassettes are absent and not recorded: what was looked for and what to run."""
    names = ", ".join(map(str, absent))
    lines = [f"{names}: there is no such cassette, and nothing is recorded here (--tape-mode {mode})"]
    run = f"pytest '{test}' --tape-mode once" if test else "pytest --tape-mode once"
    if len(wanted.paths) > 1:
        lines += [f"record it with: tokentape record --upstream URL -o {path}" for path in absent]
    elif wanted.upstream is None:
        lines.append(f"record it with: tokentape record --upstream URL -o {absent[0]}")
        lines.append(f'or give the mark an upstream="https://...", and run: {run}')
    else:
        lines.append(f"record it with: {run}")
    return "\n".join(lines)
