import click
import pytest
from click.testing import CliRunner

from tokentape.cli._config import config_option


@click.command()
@click.option("--speed", type=float, default=1.0)
@click.option("--ignore", multiple=True)
@click.option("--as-slow", "slow", is_flag=True)
@click.option("--seed", type=int)
@click.option("--port", type=click.IntRange(1, 9))
@click.option("--order", type=click.Choice(["any", "recorded"]), default="any")
@config_option
def replay(speed, ignore, slow, seed, port, order):
    click.echo([speed, ignore, slow, order, *filter(None, [seed, port])])


def run(tmp_path, text, *arguments, name="x.toml"):
    path = tmp_path / name
    path.write_text(text)
    return CliRunner().invoke(replay, ["--config", str(path), *arguments], prog_name="replay")


def test_options_have_the_values_of_the_file(tmp_path):
    text = '[replay]\nspeed = 2\nignore = ["$.a", "$.b"]\nas-slow = true\norder = "recorded"\n'
    assert run(tmp_path, text).output == "[2.0, ('$.a', '$.b'), True, 'recorded']\n"


def test_what_is_not_in_it_is_as_without_it_and_the_command_line_goes_before(tmp_path):
    text = '[replay]\nspeed = 2\nignore = "$.a"\n[other]\nx = 1\n'
    assert run(tmp_path, text).output == "[2.0, ('$.a',), False, 'any']\n"
    assert run(tmp_path, text, "--speed", "3", "--ignore", "$.c").output == "[3.0, ('$.c',), False, 'any']\n"


def test_whole_numbers_stay_whole(tmp_path):
    found = run(tmp_path, "[replay]\nseed = 7\nport = '8'\n").output
    assert found == "[1.0, (), False, 'any', 7, 8]\n"


def test_in_a_pyproject_the_table_is_that_of_the_tool(tmp_path):
    text = "[replay]\nspeed = 2\n[tool.tokentape.replay]\nspeed = 5\n"
    assert run(tmp_path, text, name="pyproject.toml").output.startswith("[5.0, ")
    assert run(tmp_path, text).output.startswith("[2.0, ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[replay]\nspeed = ", "expected TOML, found"),
        ("speed = 1\n", "expected a table [replay], found none"),
        ("replay = 1\n", "expected a table [replay], found none"),
        (
            "[replay]\nsped = 1\n",
            "expected one of as-slow, ignore, order, port, seed, speed in [replay], found 'sped'",
        ),
        ("[replay]\nconfig = 'x'\n", "found 'config'"),
        ("[replay]\nspeed = 'fast'\n", "'fast' is not a valid float"),
        ("[replay]\nas-slow = 1\n", "expected true or false as as-slow in [replay], found 1"),
        ("[replay]\norder = 'x'\n", "'x' is not one of"),
        ("[replay]\nseed = 1.5\n", "expected a whole number as seed in [replay], found 1.5"),
        ("[replay]\nseed = true\n", "expected a whole number as seed in [replay], found True"),
        ("[replay]\nseed = [1]\n", "expected a whole number as seed in [replay], found [1]"),
        ("[replay]\nport = 1.0\n", "expected a whole number as port in [replay], found 1.0"),
        ("[replay]\nseed = '1.5'\n", "'1.5' is not a valid integer"),
    ],
)
def test_what_is_wrong_in_it_is_a_usage_error(tmp_path, text, words):
    result = run(tmp_path, text)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path):
    result = CliRunner().invoke(replay, ["--config", str(tmp_path / "none.toml")])
    assert result.exit_code == 2
    assert "does not exist" in result.output
