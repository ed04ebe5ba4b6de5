"""The cases of tests/analysis/cases.py over sockets: sent with real times, recorded by the proxy, analysed.

What is counted must be exact. A time must lie between what the upstream and the client saw, which no busy
machine can break: see timed.py. How close these two are is up to the machine, so recording is tried again
where it stood still.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.analysis.cases import CASES
from tests.analysis.truth import Case, Must
from tests.e2e.processes import Process
from tests.e2e.timed import Witnessed, ask, timed_upstream
from tokentape.analysis import Recording, load

ATTEMPTS = 3
AT_ONCE = 8
WIDTH_MS = 10.0
"""What lies between upstream and client, at most, on a machine that has time for both."""
_BY_NAME = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@dataclass(frozen=True, slots=True)
class Measured:
    """The cases as they were witnessed, and as the recording of them was analysed."""

    seen: dict[str, Witnessed]
    recording: Recording

    def rows(self, table: str, case: Case) -> pd.DataFrame:
        """Return the rows of a case."""
        streams = self.recording.streams
        exchange = streams.loc[streams["model_requested"] == case.name, "exchange"].iloc[0]
        found: pd.DataFrame = getattr(self.recording, table)
        return found[found["exchange"] == exchange]

    def came_as_sent(self, case: Case) -> bool:
        """Whether the proxy read each piece by itself; one that was late for a read has two in it."""
        return self.rows("reads", case)["bytes"].tolist() == [len(piece) for _, piece in case.pieces]

    def width_ms(self) -> float:
        """Return how far the bounds of a piece's time are from each other, typically."""
        return median(
            (each.latest_ns(ms) - each.earliest_ns(ms)) / 1e6
            for each in self.seen.values()
            for ms, _ in each.case.pieces
        )


def measured(path: Path, home: dict[str, str]) -> Measured:
    seen = {case.name: Witnessed(case) for case in CASES}
    with (
        timed_upstream(seen) as url,
        Process.tokentape("record", "--upstream", url, "-o", path, env=home) as recorder,
        ThreadPoolExecutor(AT_ONCE) as clients,
    ):
        list(clients.map(lambda each: ask(recorder.url, each), seen.values()))
    assert recorder.returncode == 0, recorder.stderr
    return Measured(seen, load(path))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, home: dict[str, str]) -> Measured:
    folder = tmp_path_factory.mktemp("cases")
    attempts: list[Measured] = []
    for attempt in range(ATTEMPTS):
        attempts.append(measured(folder / f"{attempt}.tape", home))
        if attempts[-1].width_ms() <= WIDTH_MS and all(map(attempts[-1].came_as_sent, CASES)):
            break
    return min(attempts, key=lambda each: (-sum(map(each.came_as_sent, CASES)), each.width_ms()))


def percentile(values: Sequence[float], percent: int) -> float:
    return float(np.percentile(values, percent))


def assert_within(value: float, bounds: tuple[float, float], what: str) -> None:
    rounding = 1e-6  # of milliseconds: a nanosecond
    assert bounds[0] - rounding <= value <= bounds[1] + rounding, what


def test_all_cases_are_in_one_recording_and_nothing_is_lost(found: Measured) -> None:
    assert found.recording.lost == ()
    assert sorted(found.recording.exchanges["model_requested"]) == sorted(case.name for case in CASES)


@_BY_NAME
def test_what_is_counted_is_exact(found: Measured, case: Case) -> None:
    streams = found.rows("streams", case)
    assert len(streams) == len(case.streams)
    for row, must in zip(streams.to_dict("records"), case.streams, strict=True):
        assert {name: known(row[name]) for name in must.equal} == must.equal
        if isinstance(must.numbers["prompt_tokens"], int):
            assert row["prompt_tokens"] == must.numbers["prompt_tokens"]
        for name, value in {**must.clocks, **must.numbers}.items():
            if isinstance(value, str):
                assert (known(row[name]), row[f"{name}_why"]) == (None, value), name
            else:
                assert (pd.isna(row[name]), known(row[f"{name}_why"])) == (False, None), name
    (exchange,) = found.rows("exchanges", case).to_dict("records")
    as_sent = found.came_as_sent(case)
    for name, value in case.exchange.items():
        assert known(exchange[name]) == value or (name == "reads" and not as_sent), name
    for must in case.streams:
        tokens = token_events(found, case, must)
        merged = tokens["coalesced"].sum() - must.coalesced
        assert merged == 0 if as_sent else merged >= 0
        assert tokens["gap_ms"].count() == must.gaps
        assert set(tokens["tokens"].dropna()) == ({case.tokens} if case.tokens else set())


@_BY_NAME
def test_every_clock_lies_between_what_both_ends_saw(found: Measured, case: Case) -> None:
    seen = found.seen[case.name]
    for row, must in zip(found.rows("streams", case).to_dict("records"), case.streams, strict=True):
        for name, ms in must.clocks.items():
            if name == "end_ms":  # nobody but the proxy knows when it saw the end
                assert_within(row[name], ((seen.ended_ns - seen.got_ns) / 1e6, math.inf), name)
            elif not isinstance(ms, str):
                assert_within(row[name], seen.clock_ms(ms), name)
                assert row[name] >= ms  # the upstream sends nothing early, and its zero is the later one
        for t_ms, ms in zip(token_events(found, case, must)["t_ms"], must.tokens_ms, strict=True):
            assert_within(t_ms, seen.clock_ms(ms), f"token of {ms} ms")


@_BY_NAME
def test_every_gap_and_rate_lies_between_what_both_ends_saw(found: Measured, case: Case) -> None:
    seen = found.seen[case.name]
    for row, must in zip(found.rows("streams", case).to_dict("records"), case.streams, strict=True):
        bounds = [seen.span_ms(a, b) if a != b else (0.0, 0.0) for a, b in pairwise(must.tokens_ms)]
        gaps = token_events(found, case, must)["gap_ms"].tolist()[1:]
        for gap, each in zip(gaps, bounds, strict=True):
            assert_within(gap, each, "gap")
        least, most = ([each[side] for each in bounds] for side in (0, 1))
        for percent in (50, 90, 99):
            between = percentile(least, percent), percentile(most, percent)
            assert_within(row[f"gap_p{percent}_ms"], between, f"p{percent}")
        assert_within(row["gap_max_ms"], (max(least), max(most)), "max")
        first, last = must.tokens_ms[0], must.tokens_ms[-1]
        steps = round((last - first) / float(must.numbers["itl_ms"]))
        least_ms, most_ms = seen.span_ms(first, last)
        for name in ("itl_ms", "tpot_ms"):
            assert_within(row[name], (least_ms / steps, most_ms / steps), name)
        fastest = steps * 1e3 / least_ms if least_ms else math.inf
        assert_within(row["tokens_per_s"], (steps * 1e3 / most_ms, fastest), "tokens_per_s")
        assert row["tokens_per_s"] == pytest.approx(1e3 / row["itl_ms"])
        for token_event, _, _ in case.stalls:
            stalls = found.recording.stalls(over_ms=100)
            mine = stalls[stalls["exchange"] == row["exchange"]]
            assert token_event in mine["token_event"].tolist()


def token_events(found: Measured, case: Case, must: Must) -> pd.DataFrame:
    events = found.rows("events", case)
    return events[events["is_token"] & (events["choice"] == must.equal["choice"])]


def known(value: Any) -> Any:
    return None if pd.isna(value) else value
