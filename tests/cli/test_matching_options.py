import click
import pytest
from click.testing import CliRunner

from tests.replay.recordings import exchange, tape
from tokentape.cli import main
from tokentape.cli._matching_options import matching_options
from tokentape.replay import Matching


@click.command()
@matching_options
def show(matching):
    click.echo(repr(matching))


def matching(*arguments, **kwargs):
    result = CliRunner().invoke(show, arguments, **kwargs)
    return result.output.strip() if result.exit_code == 0 else result


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Matching()),
        (["--match", "body, path"], Matching(match=("path", "body"))),
        (["--match", "method,header:X-A"], Matching(match=("method", "header:x-a"))),
        (["--match", "host,path"], Matching(match=("host", "path"))),
        (["--match", "none"], Matching(match=())),
        (["--ignore", "$.a", "--ignore", "$..b"], Matching(ignore=("$.a", "$..b"))),
        (["--order", "recorded", "--exhausted", "last"], Matching(order="recorded", exhausted="last")),
    ],
)
def test_options_are_the_value_of_the_library(arguments, expected):
    assert matching(*arguments) == repr(expected)


def test_lists_from_a_file_are_taken_as_well():
    found = matching(default_map={"match": ["path", "body", "header:x"], "ignore": ["$.a"]})
    assert found == repr(Matching(match=("path", "body", "header:x"), ignore=("$.a",)))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--match", "port"],
        ["--match", ""],
        ["--ignore", "user"],
        ["--ignore", "$.a", "--match", "path"],
        ["--order", "strict"],
        ["--exhausted", "stop"],
    ],
)
def test_what_the_library_refuses_is_a_usage_error(tmp_path, arguments):
    result = CliRunner().invoke(main, ["replay", str(tape(tmp_path / "a.tape", exchange())), *arguments])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert repr(arguments[1]) in result.output or "expected body" in result.output


def test_standard_input_cannot_be_reloaded():
    result = CliRunner().invoke(main, ["replay", "-", "--reload"])
    assert result.exit_code == 2
    assert "standard input cannot be read again" in result.output
