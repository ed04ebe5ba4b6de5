"""A test's tape: cassettes that are served, or one that is being recorded, under one URL either way.

Invariant: a recording becomes a cassette only when it is whole and the test has passed. Until then it is a
file beside it with another ending, and the cassette that was there before stays as it was.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tokentape import cassette
from tokentape.replay import Matching, Replay, ReplayError, Served, Stats, Timing, serve
from tokentape.replay.testing._adding import Adding, adding
from tokentape.replay.testing._choosing import Mode, Wanted, how_to_record, is_recorded
from tokentape.replay.testing._recorder_process import base_path_of, recorder
from tokentape.replay.testing._ttft import ttfts_ms


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
        adding: Adding | None = None,
        file: Path | None = None,
    ) -> None:
        self._wanted = wanted
        self._replay = replay
        self._adding = adding
        self._files = (file,) if file else wanted.paths
        self._counted = 0
        self.paths = wanted.paths
        self.url = url
        """The root, such as http://127.0.0.1:41233; what `anthropic` takes as its base URL."""
        self.base_url = base_url
        """What `openai` takes as its base URL, such as http://127.0.0.1:41233/v1."""
        self.kept = True
        """Whether a recording is to become a cassette: no longer when the test has failed."""

    @property
    def recording(self) -> bool:
        """Whether the API itself answers, or has answered something, and a cassette is made of it."""
        return self._adding.begun if self._adding else self._replay is None

    @property
    def stats(self) -> Stats:
        """What was served so far, what was missed, and how late pieces were."""
        return self._replay.stats if self._replay else Stats()

    @property
    def misses(self) -> tuple[str, ...]:
        """What was said of each request that matched nothing: the nearest recorded one and the difference."""
        return self._replay.explanations if self._replay and not self._adding else ()

    @property
    def unused(self) -> tuple[Served, ...]:
        """The recorded exchanges that were not played yet."""
        return tuple(item for item in self.stats.served if not item.times)

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

        Raises ValueError for what is no positive number, and where the test's speed is "instant".
        """
        if self._replay:
            self._replay.set_speed(speed)

    def new_misses(self) -> tuple[str, ...]:
        """Return what to say of misses since the last call that fail a test; none where they are allowed."""
        if self._wanted.misses == "allow" or self._replay is None or self._adding:
            return ()
        before, self._counted = self._counted, self._replay.stats.misses
        new = self.misses[before : self._counted]
        unexplained = self._counted - before - len(new)
        return (*new, f"... and {unexplained} more") if unexplained else new


@contextmanager
def opened(
    wanted: Wanted, *, mode: Mode, timing: Timing, matching: Matching, test: str | None
) -> Iterator[Tape]:
    """Serve or record while the block runs. `test` is the running one's name, for messages.

    Raises `ReplayError` and `CassetteError` with what to do; an exception in the block discards a recording.
    """
    absent = [path for path in wanted.paths if not path.exists()]
    if is_recorded(mode, wanted, absent):
        with _recorded(wanted) as tape:
            yield tape
    elif absent:
        raise ReplayError(how_to_record(wanted, absent, mode, test))
    else:
        with serve(wanted.paths, timing=timing, matching=matching) as replay:
            if replay.repertoire.lost:
                raise ReplayError(_damaged(replay.repertoire.lost))
            if mode == "new" and wanted.upstream is not None and len(wanted.paths) == 1:
                with _added_to(wanted, replay) as tape:
                    yield tape
            else:
                yield Tape(wanted, url=replay.url, base_url=replay.base_url, replay=replay)


@contextmanager
def _recorded(wanted: Wanted) -> Iterator[Tape]:
    with _beside(wanted) as (upstream, path, file):
        with recorder(upstream, file, wanted.record) as url:
            base_url = url + base_path_of(upstream)
            tape = Tape(wanted, url=url, base_url=base_url, replay=None, file=file)
            yield tape
        if tape.kept:
            if not _holds_an_exchange(file):
                raise ReplayError(
                    f"{path} is not made: nothing was recorded; the test must ask tape.base_url or tape.url, "
                    'and what is no model call is recorded with record=["--filter", "~all"] on the mark'
                )
            os.replace(file, path)


@contextmanager
def _added_to(wanted: Wanted, replay: Replay) -> Iterator[Tape]:
    with _beside(wanted) as (upstream, path, file):
        with ExitStack() as stack:

            def start_recorder() -> str:
                shutil.copyfile(path, file)
                return stack.enter_context(recorder(upstream, file, ["--append", *wanted.record]))

            front = stack.enter_context(adding(replay.url, start_recorder))
            base_url = front.url + replay.base_url.removeprefix(replay.url)
            tape = Tape(wanted, url=front.url, base_url=base_url, replay=replay, adding=front)
            yield tape
        if front.failure is not None:
            raise front.failure
        if tape.kept and front.begun:
            os.replace(file, path)


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


def _holds_an_exchange(path: Path) -> bool:
    with cassette.open(path, lenient=True) as tape:
        return any(True for _ in cassette.exchanges(tape))


def _damaged(lost: tuple[str, ...]) -> str:
    more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
    return (
        f"{lost[0]}{more}; what is whole is saved by: tokentape recover DAMAGED.tape WHOLE.tape, "
        "or record it again"
    )
