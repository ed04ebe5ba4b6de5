import json

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.cli.verbs import run


@pytest.fixture
def tapes(tmp_path):
    made = []
    for name, ttft in (("a", 100), ("b", 120)):
        exchanges = [
            records([(ttft * MS, data(chunk({"content": "a"}, "stop"))), (ttft * MS, DONE)], exchange=number,
                    body=f'{{"model":"{name}"}}'.encode())
            for number in range(12)
        ]  # fmt: skip
        made.append(write(tmp_path / f"{name}.tape", *exchanges))
    return made


def test_table_and_verdict(tapes):
    result = run("compare", *tapes)
    assert result.exit_code == 0
    assert "| ttft_ms" in result.stdout
    assert "B differs from A: ttft_ms slower, median +20.0%" in result.stdout
    made = json.loads(run("compare", *tapes, "--json").stdout)
    assert made["quantiles"][0]["change_pct"] == pytest.approx(20)
    assert made["paired"] is False


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("ttft_p90 > +10%", 1),
        ("ttft_p90 > +30%", 0),
        ("ttft_ms_p50 >= +20ms", 1),
        ("ttft_p50>119", 1),
        ("e2e_p99 < -5%", 0),
        ("itl_p50 > +1%", 1),
        ("ttft_p90 > 10%", 2),
        ("nope > 1", 2),
    ],
)
def test_condition_decides_the_exit_code(tapes, condition, code):
    result = run("compare", *tapes, "--fail-if", condition)
    assert result.exit_code == code
    assert ("failed: " in result.stderr) == (code == 1)
