"""Every verb that loads cassettes into tables says in one way how they are read and grouped."""

import json

import click
import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.cli.verbs import run
from tokentape.cli import main

SIZE = 24
NAMES = ("where", "definitions", "tokens", "dialect")
VERBS = {"analyze": 1, "compare": 2, "fidelity": 2, "report": 2}
"""How many files each takes; fidelity, which is about times alone, has no option but --where."""


@pytest.fixture(scope="module")
def tapes(tmp_path_factory):
    """Of two models and two hosts each; B is 20% slower. Half of the requests have failed."""
    folder, made = tmp_path_factory.mktemp("tapes"), []
    for name, ttft in (("a", 100), ("b", 120)):
        exchanges = []
        for number in range(4 * SIZE):
            pieces = [((ttft + 10 * at) * MS, data(chunk({"content": "a b c"}))) for at in range(3)]
            pieces.append(((ttft + 20) * MS, data(chunk(finish="stop")) + DONE))
            body = f'{{"model":"m{number % 2}","number":{number}}}'.encode()
            status = 200 if number < 2 * SIZE else 500
            exchanges.append(records(pieces, exchange=number, body=body, status=status))
        made.append(write(folder / f"{name}.tape", *exchanges))
    return made


def arguments(verb, tapes, folder):
    return [verb, *tapes[: VERBS[verb]], *(["-o", folder / "page.html"] if verb == "report" else [])]


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_have_all_reading_options_with_the_same_words(verb):
    of = {
        each: {option.name: option for option in main.get_command(click.Context(main), each).params}
        for each in (verb, "analyze")
    }
    assert set(NAMES) & set(of[verb]) == ({"where"} if verb == "fidelity" else set(NAMES))
    for name in set(NAMES) & set(of[verb]):
        assert of[verb][name].help == of["analyze"][name].help
        assert of[verb][name].multiple == of["analyze"][name].multiple
    assert verb == "fidelity" or of[verb]["by"].multiple


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--where", "nope=1"), "expected a column of exchanges"),
        (("--definitions", "nope"), "guidellm"),
        (("--tokens", "nope"), "tiktoken:"),
        (("--dialect", "nope"), "openai-chat"),
    ],
)
def test_wrong_ones_are_usage_errors_of_every_verb(tapes, tmp_path, verb, wrong, said):
    done = run(*arguments(verb, tapes, tmp_path), *wrong)
    if verb == "fidelity" and wrong[0] != "--where":
        said = "No such option"
    assert (done.exit_code, said in done.stderr) == (2, True), done.output
    assert not (tmp_path / "page.html").exists()


def test_conditions_and_definitions_reach_what_is_compared(tapes):
    def failed(*options):
        return json.loads(run("compare", *tapes, "--json", *options).stdout)["failures"][0]["failed_b"]

    assert failed() == 2 * SIZE
    assert failed("--where", "status=200") == 0
    plain, tool = (
        {row["metric"] for row in json.loads(run("compare", *tapes, "--json", *options).stdout)["quantiles"]}
        for options in ((), ("--definitions", "vllm"))
    )
    assert tool - plain == {"tpot_ms"}


def test_conditions_reach_fidelity(tapes):
    one = tapes[0]
    found = json.loads(run("fidelity", one, one, "--where", "status=200", "--json").stdout)
    assert found["exchanges"] == 2 * SIZE


def test_several_columns_are_levels_of_every_table(tapes):
    options = ("--by", "model_requested", "--by", "status", "--where", "status=200")
    found = json.loads(run("compare", *tapes, *options, "--json").stdout)
    for table, rows in (("quantiles", 2 * 7 * 3), ("effects", 2 * 7), ("failures", 2)):
        assert len(found[table]) == rows
        assert {(row["model_requested"], row["status"]) for row in found[table]} == {("m0", 200), ("m1", 200)}
    assert "ttft_ms (model_requested m0, status 200) slower" in found["verdict"]
    header, first, *_ = run("compare", *tapes, *options, "--format", "csv").stdout.splitlines()
    assert header.startswith("model_requested,status,metric,quantile,")
    assert first.startswith("m0,200,ttft_ms,p50,24,24,100.0,120.0,20.0,")
    table = run("compare", *tapes, *options).stdout.splitlines()
    assert sum(line.split()[:3] == ["m1", "200", "ttft_ms"] for line in table) == 2
    done = run("compare", *tapes, *options, "--fail-if", "ttft_p50 > +10%")
    assert "(model_requested m1, status 200): found +20%" in done.stderr


def test_group_without_a_name_is_said_to_be_without_one(tapes):
    by = ("--by", "prompt_size", "--by", "model_requested")
    done = run("compare", *tapes, *by, "--fail-if", "ttft_p50 > +10%")
    said = " ".join(done.stdout.split())
    assert "ttft_ms (without prompt_size, model_requested m0) slower" in said
    assert "failed: ttft_p50 > +10% (without prompt_size, model_requested m0): found +20%" in done.stderr
    assert "nan" not in (done.stdout + done.stderr).lower()
    assert json.loads(run("compare", *tapes, *by, "--json").stdout)["quantiles"][0]["prompt_size"] is None


@pytest.mark.parametrize("verb", ["analyze", "compare", "report"])
def test_columns_are_checked_before_anything_is_read(tmp_path, verb):
    paths = [tmp_path / "no.tape", tmp_path / "none.tape"]
    for names, said in ((("nope",), "found 'nope'"), (("model", "model"), "'model' twice")):
        options = [word for name in names for word in ("--by", name)]
        done = run(*arguments(verb, paths, tmp_path), *options)
        assert (done.exit_code, said in done.stderr) == (2, True)


def test_names_of_opentelemetry_are_a_table_for_a_terminal(tapes):
    text = run("analyze", tapes[0], "--names", "otel", "--by", "model_requested").stdout
    assert "|" not in text
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert lines[0][:4] == ["gen_ai.request.model", "metric", "unit", "n"]
    assert ["m0", "gen_ai.server.time_to_first_token", "s", "48", "0.1"] in [line[:5] for line in lines]
    assert "| gen_ai" in run("analyze", tapes[0], "--names", "otel", "--format", "markdown").stdout


@pytest.mark.parametrize("options", [("--names", "otel"), ("--format", "otlp"), ("--format", "otlp-traces")])
def test_objectives_have_no_names_of_opentelemetry(tapes, options):
    done = run("analyze", tapes[0], "--slo", "ttft_ms=500", *options)
    assert (done.exit_code, "no names for attainment" in done.stderr) == (2, True)


@pytest.mark.parametrize("verb", VERBS)
def test_conditions_that_choose_nothing_are_said(verb, tapes, tmp_path):
    result = run(
        *arguments(verb, tapes, tmp_path), "--where", "model_requested=typo", "--where", "status=200"
    )
    said = [line for line in result.stderr.splitlines() if "--where" in line]
    assert said == [
        f"{tape}: --where model_requested=typo --where status=200 chose 0 of {4 * SIZE} exchanges"
        for tape in tapes[: VERBS[verb]]
    ]
    chosen = run(*arguments(verb, tapes, tmp_path / "again"), "--where", "model_requested=m0")
    assert "chose" not in chosen.stderr


def test_of_standard_input_nobody_knows_how_many_there_were(tapes):
    result = run("analyze", "-", "--where", "status=1", stdin=tapes[0].read_bytes())
    assert result.stderr == "-: --where status=1 chose 0 of standard input's\n"
