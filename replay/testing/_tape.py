"""A test's tape: cassettes that are served, or one that is being recorded, under one URL either way.

Invariant: a recording becomes a cassette only when it is whole and the test has passed. Until then it is a
file beside it with another ending, and the cassette that was there before stays as it was.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tokentape import cassette
from tokentape.replay import (
    CannotRecord,
    Matching,
    OnMiss,
    Replay,
    ReplayError,
    SeenRequest,
    Served,
    Stats,
    Timing,
    serve,
)
from tokentape.replay.faults import Fault, Faulty, faults_of
from tokentape.replay.live._recorder_process import base_path_of, recorder
from tokentape.replay.matching._secrets import printable
from tokentape.replay.testing._choosing import Mode, Wanted, how_to_record, how_to_share, is_recorded
from tokentape.replay.testing._ttft import ttfts_ms
from tokentape.replay.timing._quantities import parse_factor

_NO_FAULTS = "; faults are injected only where it is replayed"


class Tape:
    """What a test asks instead of the API, and what was asked.

    `paths` are its cassettes. While one is recorded, `recording` is True, and nothing is missed.
    """

    def __init__(
        self,
        wanted: Wanted,
        *,
        url: str,
        base_url: str,
        replay: Replay | None,
        file: Path | None = None,
    ) -> None:
        self._wanted = wanted
        self._replay = replay
        self._files = (file,) if file else wanted.paths
        self._counted = 0
        self.paths = wanted.paths
        self.url = url
        """The root, such as http://127.0.0.1:41233; what `anthropic` takes as its base URL."""
        self.base_url = base_url
        """What `openai` takes as its base URL, such as http://127.0.0.1:41233/v1."""
        self.kept = True
        """Whether a recording is to become a cassette: no longer when the test has failed."""
        self.remark = _NO_FAULTS if wanted.faults and replay is None else ""
        """What to say beside that a recording became no cassette."""

    @property
    def recording(self) -> bool:
        """Whether the API itself answers, or has answered something, and a cassette is made of it."""
        return self._replay is None or (self.stats.live is not None and self.stats.live.forwarded > 0)

    @property
    def stats(self) -> Stats:
        """What was served so far, what was missed, and how late pieces were."""
        return self._replay.stats if self._replay else Stats()

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The last thousand requests and what became of each; none while the API itself answers."""
        return self._replay.requests if self._replay else ()

    @property
    def misses(self) -> tuple[str, ...]:
        """What was said of each request that matched nothing: the nearest recorded one and the difference."""
        return self._replay.explanations if self._replay else ()

    @property
    def unused(self) -> tuple[Served, ...]:
        """The recorded exchanges that were not played yet."""
        return self.stats.never_played

    @property
    def all_played(self) -> bool:
        """Whether every recorded exchange was played; in a recording all are."""
        return not self.unused

    @property
    def ttfts_ms(self) -> tuple[float, ...]:
        """The recorded time to first token of every stream that has one, in ms.

        It is from the cassette: the API's, whatever the speed of the replay.
        """
        recorded = all(file.exists() for file in self._files)  # else it is a cassette by now, or gone
        return tuple(ms for path in (self._files if recorded else self.paths) for ms in ttfts_ms(path))

    @property
    def ttft_ms(self) -> float:
        """The longest of `ttfts_ms`. Raises `ReplayError` if there is none."""
        found = self.ttfts_ms
        if not found:
            names = ", ".join(map(str, self.paths))
            raise ReplayError(f"{names}: expected a stream with a timed first token, found none")
        return max(found)

    def pause(self) -> None:
        """Let all answers stand still until `resume`. Of an API that is recorded nothing is changed."""
        if self._replay:
            self._replay.pause()

    def resume(self) -> None:
        """Go on with all answers from where they stood."""
        if self._replay:
            self._replay.resume()

    def set_speed(self, speed: float) -> None:
        """Play what is left of all answers, and those that come, so many times faster than recorded.

        Raises ValueError for what is no positive number, and where the test's speed is "instant": its answers
        have no times left to go by.
        """
        if self._replay:
            if self._replay.speed == "instant":
                parse_factor(speed)
                raise ValueError(
                    "expected a test whose speed is a number, found instant; give its mark one, as in speed=1"
                )
            self._replay.set_speed(speed)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong with recorded answers, in the order in which it is applied."""
        return self._replay.faults if self._replay else ()

    def set_faults(self, faults: Iterable[Faulty]) -> None:
        """Have these faults, and no others, from the next request on; all that they count begins anew.

        They are `Fault` values or their spellings, as in `["status=429,times=1"]`. Of an API that is recorded
        nothing is changed. Raises `WrongFault`, a ValueError, if one makes no sense.
        """
        given = faults_of(faults)
        if self._replay:
            self._replay.set_faults(given)
        elif given:
            self.remark = _NO_FAULTS

    def new_misses(self) -> tuple[str, ...]:
        """Return what to say of misses since the last call that fail a test; none where they are allowed."""
        if self._wanted.misses == "allow" or self._replay is None:
            return ()
        counted = self._replay.stats.misses
        before, self._counted = min(self._counted, counted), counted  # fewer than before after a reset
        new = self.misses[before : self._counted]
        unexplained = self._counted - before - len(new)
        return (*new, f"... and {unexplained} more") if unexplained else new


@contextmanager
def opened(
    wanted: Wanted,
    *,
    mode: Mode,
    timing: Timing,
    matching: Matching,
    faults: Sequence[Fault],
    test: str | None,
    rivals: Sequence[str] = (),
) -> Iterator[Tape]:
    """Serve or record while the block runs. `test` is the running one's name, for messages.

    `rivals` are other tests that would record the same cassette.

    Raises `ReplayError` and `CassetteError` with what to do; an exception in the block discards a recording.
    """
    absent = [path for path in wanted.paths if not path.exists()]
    if is_recorded(mode, wanted, absent):
        if rivals:
            raise ReplayError(how_to_share(wanted.paths[0], test or "", rivals))
        with _recorded(wanted) as tape:
            yield tape
    elif absent:
        raise ReplayError(how_to_record(wanted, absent, mode, test))
    elif mode == "new" and wanted.upstream is not None and len(wanted.paths) == 1:
        with _added_to(wanted, timing, matching, faults) as tape:
            yield tape
    else:
        with serve(wanted.paths, timing=timing, matching=matching, faults=faults) as replay:
            yield _replayed(wanted, replay)


@contextmanager
def _recorded(wanted: Wanted) -> Iterator[Tape]:
    with _beside(wanted) as (upstream, path, file):
        with recorder(upstream, file, wanted.record) as url:
            base_url = url + base_path_of(upstream)
            tape = Tape(wanted, url=url, base_url=base_url, replay=None, file=file)
            yield tape
        if tape.kept:
            ends = _ends(file)
            if not ends:
                raise ReplayError(
                    f"{path} is not made: nothing was recorded; the test must ask tape.base_url or tape.url, "
                    'and what is no model call is recorded with record=["--filter", "~all"] on the mark'
                )
            if all(failure is not None for failure in ends):
                raise ReplayError(f"{path} is not made: {upstream} did not answer: {ends[-1]}")
            os.replace(file, path)


@contextmanager
def _added_to(wanted: Wanted, timing: Timing, matching: Matching, faults: Sequence[Fault]) -> Iterator[Tape]:
    with _beside(wanted) as (upstream, path, file):
        was = _state(path)
        shutil.copyfile(path, file)
        # what was missed is to be there the next time, also if it is no model call
        on_miss = OnMiss("record", upstream, file, ["--filter", "~all", *wanted.record])
        try:
            on_miss.check(matching)
        except ValueError as error:
            raise ReplayError(f"{path}: {error}") from None
        with serve(path, timing=timing, matching=matching, faults=faults, on_miss=on_miss) as replay:
            tape = _replayed(wanted, replay)
            yield tape
        live = replay.stats.live
        if live is not None and live.recorder_failure is not None:
            raise CannotRecord(live.recorder_failure)
        if live is None or not live.forwarded or not tape.kept:
            return
        if live.failed:
            failures = [failure for failure in _ends(file) if failure is not None]
            why = f": {failures[-1]}" if failures else ""
            raise ReplayError(f"nothing is added to {path}: {upstream} did not answer a request{why}")
        if _state(path) != was:
            raise ReplayError(
                f"nothing is added to {path}: another test has recorded to it meanwhile; run this one again"
            )
        os.replace(file, path)


def _replayed(wanted: Wanted, replay: Replay) -> Tape:
    if replay.repertoire.lost:
        raise ReplayError(_damaged(replay.repertoire.lost))
    return Tape(wanted, url=replay.url, base_url=replay.base_url, replay=replay)


@contextmanager
def _beside(wanted: Wanted) -> Iterator[tuple[str, Path, Path]]:
    """Yield the API, the cassette, and the file to record to; at the end the file is gone if it was left."""
    (path,) = wanted.paths
    if path.suffix == ".zst":
        raise ReplayError(f"{path}: a recording is not compressed while it is written: name it *.tape")
    assert wanted.upstream is not None  # noqa: S101  (see `is_recorded`)
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            made = tempfile.TemporaryDirectory(prefix=".recording-", dir=path.parent)
            folder = stack.enter_context(made)
        except OSError as error:
            raise ReplayError(
                f"{path}: cannot be recorded: expected a folder to write to, found: {error.strerror}"
            ) from None
        yield wanted.upstream, path, Path(folder, path.name)


def _ends(path: Path) -> list[str | None]:
    """Return, for each exchange of a recording, why the API did not answer; None where it did."""
    with cassette.open(path, lenient=True) as tape:
        return [
            None
            if exchange.response or exchange.end is None or exchange.end.reason != "upstream-error"
            else printable(exchange.end.detail or exchange.end.reason)
            for exchange in cassette.exchanges(tape)
        ]


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _damaged(lost: tuple[str, ...]) -> str:
    more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
    return (
        f"{lost[0]}{more}; what is whole is saved by: tokentape recover DAMAGED.tape WHOLE.tape, "
        "or record it again"
    )
