import numpy as np
import pytest

from tests.analysis.tapes import DONE, chunk, data, records, write
from tokentape.analysis import compare, load
from tokentape.analysis._bootstrap import drawn_quantiles, draws

US = 1_000


def recording(path, ttfts_ms, *, prompt="a"):
    exchanges = []
    for number, ttft in enumerate(ttfts_ms):
        times = [int(ttft * 1000) * US + step * 20_000 * US for step in range(3)]
        pieces = [(ns, data(chunk({"content": "a"}))) for ns in times]
        last = [(times[-1], data(chunk(finish="stop")) + DONE)]
        body = f'{{"model":"m","prompt":"{prompt}{number}"}}'.encode()
        exchanges.append(records([*pieces, *last], exchange=number, body=body))
    return load(write(path, *exchanges))


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_drawn_quantiles_are_numpys_of_what_was_drawn(rng):
    values, cluster = rng.normal(size=40), rng.integers(0, 10, 40)
    cluster[:10] = range(10)
    counts = draws(rng, 10, 50)
    found = drawn_quantiles(values, cluster, (0.5, 0.9), counts)
    for row, count in zip(found, counts, strict=True):
        assert row == pytest.approx(np.quantile(np.repeat(values, count[cluster]), [0.5, 0.9]))


def test_intervals_of_a_median_cover_the_truth_as_often_as_they_say(rng):
    covered = 0
    for _ in range(300):
        values = rng.lognormal(0, 0.5, 60)
        drawn = drawn_quantiles(values, np.arange(60), (0.5,), draws(rng, 60, 500))
        low, high = np.quantile(drawn, [0.025, 0.975])
        covered += low <= 1 <= high
    assert 0.91 <= covered / 300 <= 0.985


def test_a_is_not_found_to_differ_from_a(tmp_path, rng):
    alarms = 0
    for number in range(20):
        one, other = (
            recording(tmp_path / f"{number}{name}.tape", rng.lognormal(5, 0.4, 30), prompt=name)
            for name in "ab"
        )
        alarms += compare(one, other).verdict.startswith("B differs")
    assert alarms <= 2


def test_slower_recording_is_found_and_by_how_much(tmp_path, rng):
    times = rng.lognormal(5, 0.2, 60)
    one = recording(tmp_path / "a.tape", times)
    other = recording(tmp_path / "b.tape", times * 1.5, prompt="b")
    found = compare(one, other)
    row = found.quantiles.loc[("ttft_ms", "p50")]
    assert row["change_pct"] == pytest.approx(50, abs=0.1)
    assert row["low_pct"] < 50 < row["high_pct"]
    assert found.effects.loc["ttft_ms", "prob_b_slower"] > 0.8
    assert found.verdict.startswith("B differs from A: ttft_ms slower, median +50.0%")
    assert found.quantiles.loc[("ttft_ms", "p99"), "why"] == "too-few"
    assert not found.paired
    assert compare(one, other).quantiles.equals(found.quantiles)


def test_replay_is_paired_and_its_interval_is_narrow(tmp_path, rng):
    times = rng.lognormal(5, 0.8, 40)
    found = compare(recording(tmp_path / "a.tape", times), recording(tmp_path / "b.tape", times + 10))
    assert found.paired
    assert found.effects.loc["ttft_ms", "prob_b_slower"] == 1
    assert found.quantiles.loc[("ttft_ms", "p50"), "low_pct"] > 0


@pytest.mark.parametrize("size", [0, 1, 9])
def test_few_requests_are_too_little_to_say(tmp_path, size):
    found = compare(
        recording(tmp_path / "a.tape", [100] * size), recording(tmp_path / "b.tape", [900] * size, prompt="b")
    )
    assert found.verdict.startswith("Too little to say")
    assert found.quantiles["low_pct"].isna().all()
    assert set(found.quantiles["why"]) == {"too-few" if size else "no-values"}


def test_groups_are_compared_apart(tmp_path):
    one, other = (recording(tmp_path / f"{name}.tape", [100] * 12, prompt=name) for name in "ab")
    found = compare(one, other, by="model_requested")
    assert found.quantiles.index.names == ["model_requested", "metric", "quantile"]
    assert found.quantiles.loc[("m", "ttft_ms", "p50"), "change"] == 0
