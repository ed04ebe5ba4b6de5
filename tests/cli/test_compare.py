import json

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, usage_chunk, write
from tests.cli.verbs import run

SIZE = 24


def exchange(number, ttft, model, *, status=200, tokens=5):
    pieces = [
        (ttft * MS, data(chunk({"content": "a"}))),
        ((ttft + 10) * MS, data(chunk({"content": "a"}, "stop"))),
        ((ttft + 10) * MS, data(usage_chunk(9, tokens)) + DONE),
    ]
    body = f'{{"model":"{model}","number":{number}}}'.encode()
    return records(pieces if status == 200 else [], exchange=number, body=body, status=status)


def made(path, ttft, model="m", **options):
    return write(path, *(exchange(number, ttft, model, **options) for number in range(SIZE)))


@pytest.fixture
def tapes(tmp_path):
    return [made(tmp_path / "a.tape", 100), made(tmp_path / "b.tape", 120, tokens=6)]


def test_table_and_verdict(tapes):
    result = run("compare", *tapes)
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if line.split()[:1] == ["ttft_ms"])
    assert (
        row.split()
        == ["ttft_ms", "p50", "100.0", "120.0", "+20.0", "+20.0", "+20.0", "to", "+20.0"] + [str(SIZE)] * 2
    )
    assert "too few requests to say" in result.stdout
    assert "requests that failed" in result.stdout
    assert "B differs from A: ttft_ms slower, median +20.0%" in result.stdout
    assert "with answers that are longer (median +20.0% tokens)" in result.stdout


def test_json_has_everything_and_nothing_that_is_no_json(tapes):
    result = run("compare", *tapes, "--json")

    def refuse(text):
        raise AssertionError(text)

    found = json.loads(result.stdout, parse_constant=refuse)
    assert set(found) == {"quantiles", "effects", "failures", "verdict", "paired", "left_out"}
    assert found["quantiles"][0]["change_pct"] == pytest.approx(20)
    assert found["failures"][0]["n_b"] == SIZE
    assert found["paired"] is False
    assert json.loads(run("compare", *tapes, "--format", "json").stdout) == found


def test_csv_and_markdown(tapes):
    lines = run("compare", *tapes, "--format", "csv").stdout.splitlines()
    assert lines[0].startswith("metric,quantile,n_a,n_b,a,b,change,change_pct")
    assert len(lines) == 1 + 7 * 3
    text = run("compare", *tapes, "--format", "markdown").stdout
    assert "| ttft_ms" in text
    assert "B differs from A" in text


@pytest.mark.parametrize(
    ("condition", "code", "said"),
    [
        ("ttft_p90 > +10%", 1, "found +20% (100 before, 120 now)"),
        ("ttft_p90 > +30%", 0, ""),
        ("ttft_ms_p50 >= +20ms", 1, "found +20ms"),
        ("ttft_p50 > +0.015s", 1, "found +20ms"),
        ("ttft_p50>119", 1, "found 120 "),
        ("ttft_p50 > 119ms", 1, "found 120ms"),
        ("ttft_p50 > 120ms", 0, ""),
        ("e2e_p99 < -5%", 0, ""),
        ("output_tokens_p50 > +10%", 1, "found +20%"),
        ("output_tokens_p50 > 6", 0, ""),
        ("tokens_per_s_p50 < 1000000", 1, "found 500 "),
        ("surely ttft_p50 > +10%", 1, "found +20% to +20%"),
        ("surely ttft_p50 > +10ms", 1, "found +20ms to +20ms"),
        ("surely ttft_p50 > 110ms", 1, "found 120ms to 120ms"),
        ("surely ttft_p50 > +20%", 0, ""),
        ("surely ttft_p99 > +900%", 1, "cannot be told: too-few"),
        ("read_gap_p50 > +1%", 0, ""),
        ("failed > 0%", 0, ""),
        ("failed >= 0%", 1, "found 0%"),
        ("failed > +1pp", 0, ""),
        ("surely failed > 1%", 0, ""),
        ("ttft_p90 > 10%", 2, "with its sign"),
        ("ttft_p90 > +10pp", 2, "with its sign"),
        ("output_tokens_p50 > 10ms", 2, "without a unit"),
        ("failed > +2%", 2, "percentage points"),
        ("failed > 2", 2, "percentage points"),
        ("nope > 1", 2, "expected a condition"),
        ("nope_p50 > 1", 2, "expected a condition"),
        ("ttft_p75 > +1%", 2, "expected a condition"),
        ("ttft_p90 > +10% or so", 2, "expected a condition"),
        ("", 2, "expected a condition"),
    ],
)
def test_condition_decides_the_exit_code(tapes, condition, code, said):
    result = run("compare", *tapes, "--fail-if", condition)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.stderr.split())
    assert ("failed: " in result.stderr) == (code == 1)


@pytest.mark.parametrize("condition", ["itl_p50 > +1%", "surely ttft_p50 > +1%", "failed > 50%"])
def test_what_cannot_be_told_has_failed(tmp_path, condition):
    tapes = [made(tmp_path / "a.tape", 100, status=500), write(tmp_path / "b.tape")]
    result = run("compare", *tapes, "--fail-if", condition)
    assert result.exit_code == 1
    assert f"failed: {condition}: cannot be told: no-values" in result.stderr


def test_failures_have_their_condition(tmp_path, tapes):
    failing = made(tmp_path / "c.tape", 100, status=500)
    result = run(
        "compare", tapes[0], failing, "--fail-if", "failed > +1pp", "--fail-if", "surely failed > 2%"
    )
    assert result.exit_code == 1
    assert "failed: failed > +1pp: found +100pp (0% before, 100% now)" in result.stderr
    assert "surely failed > 2%: found 86.2% to 100%" in result.stderr
    assert "more requests fail: 24 of 24 requests of B failed, 0 of 24 of A" in " ".join(
        result.stdout.split()
    )


def test_groups_are_compared_apart_and_those_of_one_side_are_said(tmp_path):
    def mixed(name, ttft, other):
        return write(
            tmp_path / f"{name}.tape",
            *(exchange(number, ttft, "m") for number in range(SIZE)),
            *(exchange(SIZE + number, ttft, other) for number in range(3)),
        )

    one, other = mixed("a", 100, "old"), mixed("b", 130, "new")
    result = run("compare", one, other, "--by", "model_requested", "--fail-if", "ttft_p50 > +10%")
    assert result.exit_code == 1
    assert "failed: ttft_p50 > +10% (model_requested m): found +30%" in result.stderr
    words = " ".join(result.stdout.split())
    assert "ttft_ms (model_requested m) slower" in words
    assert "model_requested old is only in A; model_requested new is only in B" in words
    made_json = json.loads(run("compare", one, other, "--by", "model_requested", "--json").stdout)
    assert made_json["quantiles"][0]["model_requested"] == "m"
    assert made_json["left_out"] == ["model_requested old is only in A", "model_requested new is only in B"]
    for form in ("table", "csv", "markdown"):
        assert (
            "model_requested"
            in run("compare", one, other, "--by", "model_requested", "--format", form).stdout
        )
    assert run("compare", one, other, "--by", "hour", "--json").exit_code == 0
    assert run("compare", one, other, "--by", "nope").exit_code == 2


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("failed > 2%", "(model_requested new): found 100% (100% now)"),
        ("surely failed > 2%", "(model_requested new): found 86.2% to 100%"),
        ("failed > +1pp", "(model_requested new): cannot be told: model_requested new is only in B"),
        ("failed > +1pp", "(model_requested old): cannot be told: model_requested old is only in A"),
        ("failed > 100%", "(model_requested old): cannot be told: model_requested old is only in A"),
        ("ttft_p50 > +10%", "(model_requested new): cannot be told: model_requested new is only in B"),
        ("ttft_p50 > 50ms", "(model_requested new): cannot be told: no-values"),
        ("ttft_p50 > 50ms", "(model_requested other): found 90ms (90 now)"),
        ("surely ttft_p50 > 50ms", "(model_requested other): found 90ms to 90ms (90 now)"),
        ("surely ttft_p90 > 50ms", "(model_requested other): cannot be told: too-few"),
    ],
)
def test_what_only_b_has_is_asked_about_its_own_value(tmp_path, condition, said):
    one = write(
        tmp_path / "a.tape",
        *(exchange(number, 100, "m") for number in range(SIZE)),
        *(exchange(SIZE + number, 100, "old") for number in range(SIZE)),
    )
    other = write(
        tmp_path / "b.tape",
        *(exchange(number, 110, "m") for number in range(SIZE)),
        *(exchange(SIZE + number, 100, "new", status=500) for number in range(SIZE)),
        *(exchange(2 * SIZE + number, 90, "other") for number in range(SIZE)),
    )
    result = run("compare", one, other, "--by", "model_requested", "--fail-if", condition)
    assert result.exit_code == 1
    assert f"failed: {condition} {said}" in result.stderr


def test_a_group_of_b_alone_that_is_as_promised_does_not_fail(tmp_path):
    one = write(tmp_path / "a.tape", *(exchange(number, 100, "m") for number in range(SIZE)))
    other = write(
        tmp_path / "b.tape",
        *(exchange(number, 100, "m") for number in range(SIZE)),
        *(exchange(SIZE + number, 90, "new") for number in range(SIZE)),
    )
    asked = ["--fail-if", "surely ttft_p50 > 200ms", "--fail-if", "failed > 2%"]
    result = run("compare", one, other, "--by", "model_requested", *asked)
    assert (result.exit_code, result.stderr) == (0, "")


def test_failures_are_those_of_the_model_that_was_to_answer(tmp_path):
    """An answer that failed names no model, and would hide among those without one."""
    one = made(tmp_path / "a.tape", 100)
    half = (exchange(number, 100, "m", status=500 if number % 2 else 200) for number in range(SIZE))
    other = write(tmp_path / "b.tape", *half)
    result = run("compare", one, other, "--by", "model", "--fail-if", "failed > 2%")
    assert result.exit_code == 1
    assert "failed: failed > 2% (model m-1): found 50% (0% before, 50% now)" in result.stderr
    assert "without" not in result.stdout


@pytest.mark.parametrize("condition", ["surely failed > 0%", "surely failed > +0pp"])
def test_nothing_failed_surely_if_nothing_failed(tapes, condition):
    result = run("compare", *tapes, "--fail-if", condition)
    assert (result.exit_code, result.stderr) == (0, "")


def test_nothing_in_common_is_nothing_to_compare(tmp_path):
    one, other = made(tmp_path / "a.tape", 100, "old"), made(tmp_path / "b.tape", 100, "new")
    result = run("compare", one, other, "--by", "model_requested", "--fail-if", "ttft_p50 > +10%")
    assert "Nothing to compare: model_requested old is only in A" in " ".join(result.stdout.split())
    assert result.exit_code == 1
    for side in ("old is only in A", "new is only in B"):
        assert f"cannot be told: model_requested {side}" in result.stderr
    result = run("compare", *[write(tmp_path / "c.tape")] * 2, "--by", "host", "--fail-if", "failed > 2%")
    assert (result.exit_code, "cannot be told: nothing to compare" in result.stderr) == (1, True)


def test_damaged_cassette_is_compared_as_far_as_it_is_whole(tapes):
    raw = bytearray(tapes[1].read_bytes())
    raw[raw.rindex(b"completion_tokens")] ^= 1
    tapes[1].write_bytes(raw)
    result = run("compare", *tapes)
    assert result.exit_code == 3
    assert "lost: " in result.stderr
    assert "B differs from A" in result.stdout
    assert run("compare", *tapes, "--fail-if", "ttft_p50 > +10%").exit_code == 1
    tapes[1].write_bytes(raw[:-20])
    assert run("compare", *tapes, "--json").exit_code == 3


def test_names_of_strangers_are_only_shown(tmp_path):
    nasty = r"\u001b[31m\nred|"
    one, other = (made(tmp_path / f"{name}.tape", ttft, nasty) for name, ttft in (("a", 100), ("b", 150)))
    for form in ("table", "csv", "markdown", "json"):
        result = run("compare", one, other, "--by", "model_requested", "--format", form)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout + result.stderr


def test_of_damage_and_a_failed_condition_the_condition_wins(tapes):
    for each in tapes:
        each.write_bytes(each.read_bytes()[:-4])
    for condition, code in (("ttft_p50 > +10%", 1), ("tpot_p50 > +10%", 1), ("ttft_p50 > +90%", 3)):
        result = run("compare", *tapes, "--fail-if", condition)
        assert (result.exit_code, result.stderr.count("lost: ")) == (code, 2)
