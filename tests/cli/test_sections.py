import re

import click
import pytest
from click.testing import CliRunner

from tokentape.cli import main
from tokentape.cli._group import VERBS
from tokentape.cli._sections import Sectioned


def said_by(sections):
    @click.command(cls=Sectioned, sections=sections)
    @click.argument("file")
    @click.option("--one", help="The first.")
    @click.option("--two", help="The second.")
    def verb(file, one, two): ...

    return CliRunner().invoke(verb, ["--help"], catch_exceptions=False).output


def test_options_stand_below_their_heading_and_the_rest_last():
    said = said_by({"Second": ["two"]})
    assert re.search(
        r"Second:\n  --two TEXT  The second\.\n\nOther:\n  --one TEXT  The first\.\n  --help", said
    )


def test_a_heading_for_an_option_that_is_not_there_is_a_mistake():
    with pytest.raises(KeyError):
        said_by({"Third": ["three"]})


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_in_the_help_of_its_verb_once(verb):
    command = main.get_command(click.Context(main), verb)
    said = CliRunner().invoke(command, ["--help"]).output
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert len(re.findall(rf"^ +(?:-\w, )?{option.opts[-1]}(?![\w-])", said, re.MULTILINE)) == 1
