import tomllib
from pathlib import Path

import pytest

from tests.recorder.redaction.secrets import AFTER, SHAPES
from tokentape.recorder.redaction import RulesError, default_rules, load_rules, pattern_rules
from tokentape.recorder.redaction._rules import Names, parse_rules

SHAPE = '[[shape]]\nname = "a"\n'


def test_every_shape_of_the_list_has_made_up_secrets_in_the_tests():
    tested = set(SHAPES) | set(AFTER)
    assert {shape.name for shape in default_rules().shapes} <= tested


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("shape = [", "expected TOML"),
        ("[[shap]]\nname = 'a'\n", "expected the tables header, parameter, field, shape; found 'shap'"),
        (SHAPE, "[[shape]] number 1 (a): Object missing required field `regex`"),
        (SHAPE + "regex = '['\n", "[[shape]] number 1 (a): regex is not a regular expression: unterminated"),
        (SHAPE + "regex = 'a*'\n", "[[shape]] number 1 (a): regex matches the empty text"),
        (SHAPE + "regex = 'a'\nstarts = ['']\n", "[[shape]] number 1 (a): expected literal beginnings"),
        (
            SHAPE + "regex = 'a'\nstart = ['a']\n",
            "[[shape]] number 1 (a): Object contains unknown field `start`",
        ),
        (SHAPE + "regex = '[äö]'\n", "write (?:ä|ö) for [äö]"),
        (SHAPE.replace('"a"', '"A b"') + "regex = 'a'\n", "expected a name of lower case letters"),
        ("[[header]]\nheaders = ['a']\n", "[[header]] number 1: Object missing required field `name`"),
        (
            "[[field]]\nname = 'a'\nfields = ['a']\nvalue = '('\n",
            "[[field]] number 1 (a): value is not a regular",
        ),
        ("[shape]\nname = 'a'\n", "[[shape]] number 1 (a): Object missing required field `regex`"),
        ("shape = 5", "[[shape]] number 1: Expected `object`, got `int`"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_in_a_line_with_its_place(tmp_path: Path, text: str, wrong: str):
    path = tmp_path / "ours.toml"
    path.write_text(text)
    with pytest.raises(RulesError) as refused:
        load_rules(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert wrong in message
    assert "\n" not in message


@pytest.mark.parametrize("pattern", ["a", "a=", "=x", "A=x", "a=[", "a=x*"])
def test_a_pattern_that_is_wrong_is_refused_without_naming_what_it_is_for(pattern: str):
    with pytest.raises(RulesError) as refused:
        pattern_rules(["fine=x", pattern])
    assert "number 2" in str(refused.value)


def test_a_secret_that_was_given_for_a_pattern_is_not_shown():
    for pattern in ("s3cret", "S3cret=s3cret", "a=s3cret[", "a=(s3cret)*"):
        with pytest.raises(RulesError) as refused:
            pattern_rules([pattern])
        assert "3cret" not in str(refused.value)


def test_the_documented_file_of_rules_is_one():
    document = (Path(__file__).parents[3] / "docs" / "redaction.md").read_text()
    example = document.partition("```toml\n")[2].partition("```")[0]
    rules = parse_rules(example.encode(), source="docs")
    assert rules.names == ("customer",)
    assert set(tomllib.loads(example)) == {"header", "parameter", "field", "shape"}


def test_names_are_compared_without_case_and_separators_and_may_have_gaps():
    rules = parse_rules(b'[[header]]\nname = "a"\nheaders = ["x-our-*-key", "plain"]\n', source="x")
    names = Names(rules.headers)
    for name in (b"X-Our-Own-Key", b"x_our.key", b"XOURKEY", b"plain", b"PLAIN"):
        assert names.of(name), name
    for name in (b"x-our-keys", b"our-key", b"plainly", b""):
        assert not names.of(name), name


def test_rules_in_front_count_first():
    ours = parse_rules(b'[[field]]\nname = "ours"\nfields = ["password"]\n', source="x")
    assert Names((ours + default_rules()).fields).of(b"password")[0].name == "ours"
