"""What holds for every verb: help with an example, a place in the README, and only its own imports."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tokentape.cli import main
from tokentape.cli._group import VERBS

README = (Path(__file__).parents[2] / "README.md").read_text()
PACKAGES = {
    "record": "mitmproxy",
    "analyze": "pandas",
    "compare": "pandas",
    "report": "plotly",
    "convert": "yaml",
    "demo": "mitmproxy",
}
ARGUMENTS = {
    "record": ["--upstream", "http://127.0.0.1:1", "-o", "never.tape"],
    "analyze": ["never.tape"],
    "compare": ["never.tape", "other.tape"],
    "report": ["never.tape", "-o", "never.html"],
    "convert": ["never.yaml", "never.tape"],
    "demo": [],
}


def command(verb: str) -> click.Command:
    assert isinstance(main, click.Group)
    found = main.get_command(click.Context(main), verb)
    assert found is not None
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb):
    result = CliRunner().invoke(main, [verb, "--help"])
    assert result.exit_code == 0
    assert f"tokentape {verb}" in result.output.partition("Usage:")[2].partition("\n")[2]


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_every_verb_has_help(verb):
    for parameter in command(verb).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_place_in_the_readme(verb):
    assert f"tokentape {verb}" in README


def test_the_group_lists_every_verb_in_a_line():
    lines = CliRunner().invoke(main, ["--help"]).output.splitlines()
    for verb in VERBS:
        assert any(line.strip().startswith(f"{verb} ") and line.endswith(".") for line in lines), verb


def test_an_unknown_verb_is_a_usage_error():
    result = CliRunner().invoke(main, ["rekord"])
    assert result.exit_code == 2
    assert "No such command 'rekord'" in result.output


@pytest.mark.parametrize("verb", PACKAGES)
def test_a_missing_extra_is_one_line_that_says_how_to_add_it(verb, tmp_path):
    program = (
        f"import sys; sys.modules[{PACKAGES[verb]!r}] = None\n"
        f"sys.argv = ['tokentape', {verb!r}, *{ARGUMENTS[verb]!r}]\n"
        "from tokentape.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    extra = {"analyze": "analysis", "compare": "analysis", "report": "analysis"}.get(verb, verb)
    assert f"pip install 'tokentape[{extra}]'" in line
    assert PACKAGES[verb] in line


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["replay", "none.tape"], ["pandas", "mitmproxy", "openai"]),
        (["record", "--proxy", "-o", "none/a.tape", "--listen", "127.0.0.1:0"], ["pandas", "openai"]),
        (["analyze", "none.tape"], ["mitmproxy", "openai"]),
        (["report", "none.tape", "-o", "none.html"], ["mitmproxy", "openai", "playwright"]),
        (["info", "none.tape"], ["pandas", "mitmproxy", "openai"]),
        (["verify", "none.tape"], ["pandas", "mitmproxy", "openai"]),
        (["recover", "none.tape", "out.tape"], ["pandas", "mitmproxy", "openai"]),
        (["merge", "none.tape", "-o", "out.tape"], ["pandas", "mitmproxy", "openai"]),
        (["split", "none.tape", "--by", "host"], ["pandas", "mitmproxy", "openai"]),
        (["convert", "none.tape", "none.har"], ["pandas", "mitmproxy", "yaml", "openai"]),
    ],
    ids=lambda value: value[0],
)
def test_a_verb_loads_nothing_of_another(arguments, absent, tmp_path):
    program = (
        "import sys\n"
        "from tokentape.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as end: assert end.code == 1\n"
        f"print([name for name in {absent!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "none" in done.stderr
    assert done.stdout.strip() == "[]"
