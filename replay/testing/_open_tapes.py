"""The tapes of a test run that are open, what they have missed since somebody looked, and what was played.

Invariant: a miss is handed out once, also when its tape was closed meanwhile.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tokentape.replay.testing._choosing import Mode, Wanted, default_mode
from tokentape.replay.testing._played import Played

if TYPE_CHECKING:
    from tokentape.replay.testing._tape import Tape


class OpenTapes:
    """Opens tapes as the options of a run say, and watches over them. `test` is the one that is running."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._tapes: list[Tape] = []  # the open ones, and those closed since the last look for misses
        self._closed: list[Tape] = []
        self.played = Played()
        self.test: str | None = None
        self._would_record: dict[Path, dict[str, None]] = {}

    def would_record(self, path: Path, test: str) -> None:
        """Note that a test would record this cassette, which it has not named."""
        self._would_record.setdefault(path, {})[test] = None

    @contextmanager
    def opened(self, wanted: Wanted) -> Iterator["Tape"]:
        """Open a tape while the block runs. What is wrong with it is a failure without a traceback."""
        # What serves is not imported before it is needed.
        from tokentape.cassette import CassetteError  # noqa: PLC0415
        from tokentape.replay import Matching, ReplayError, Timing, parse_speed  # noqa: PLC0415
        from tokentape.replay.faults import faults_of  # noqa: PLC0415
        from tokentape.replay.testing._tape import opened  # noqa: PLC0415

        mode: Mode = self._config.getoption("tape_mode") or default_mode(os.environ)
        given = wanted.speed
        if given is None and wanted.timing is None:
            given = self._config.getoption("tape_speed")
        try:
            timing = Timing.chosen(None if given is None else parse_speed(given), wanted.timing)
            # A test that asks more often than was recorded is told so, unless it wants something else.
            matching = Matching(**{"exhausted": "error", **wanted.matching})
            faults = faults_of(wanted.faults)
        except ValueError as error:
            raise pytest.fail.Exception(f"tape: {error}", pytrace=False) from None
        try:
            with opened(
                wanted,
                mode=mode,
                timing=timing,
                matching=matching,
                faults=faults,
                test=self.test,
                rivals=[name for name in self._would_record.get(wanted.paths[0], ()) if name != self.test],
            ) as tape:
                self._tapes.append(tape)
                try:
                    yield tape
                finally:
                    self._closed.append(tape)
                    self.played.add(tape.paths, tape.stats.served)
        except (CassetteError, ReplayError) as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    def take_misses(self) -> list[str]:
        """Return what there is to say of new misses, and forget the tapes that are closed."""
        found = [miss for tape in self._tapes for miss in tape.new_misses()]
        self._tapes = [tape for tape in self._tapes if tape not in self._closed]
        self._closed = []
        return found

    def discard_recordings(self) -> list[str]:
        """Make no cassettes of what is being recorded, and return what to say of it."""
        discarded = [tape for tape in self._tapes if tape.recording and tape.kept]
        for tape in discarded:
            tape.kept = False
        return [
            f"{path} is not made, since the test has not passed{tape.remark}"
            for tape in discarded
            for path in tape.paths
        ]
