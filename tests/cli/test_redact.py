import gzip
import json
import stat

import pytest
from click.testing import CliRunner

from tests.recorder.redaction.secrets import letters
from tests.replay.recordings import exchange, tape
from tokentape import cassette
from tokentape.cli import main

SECRET = "sk-" + letters(40)


@pytest.fixture
def source(tmp_path):
    records = exchange(
        body=f'{{"a": "{SECRET}"}}'.encode(), pieces=[(2, SECRET.encode()), (3, b" ACME-123456")]
    )
    return tape(tmp_path / "in.tape", records)


def redact(*arguments, **options):
    return CliRunner().invoke(main, ["redact", *map(str, arguments)], **options)


def test_it_prints_what_was_replaced_by_rule_and_place_and_no_secret(source, tmp_path):
    target = tmp_path / "out.tape"
    result = redact(source, target, "--pattern", "customer=ACME-[0-9]{6}")
    assert result.exit_code == 0
    assert [line.split(None, 2) for line in result.stdout.splitlines()] == [
        ["1", "customer", "response body"],
        ["1", "openai-key", "request body"],
        ["1", "openai-key", "response body"],
        ["replaced", "3", "secrets"],
    ]
    assert result.stderr == ""
    data = target.read_bytes()
    assert SECRET[3:].encode() not in data
    assert b"ACME" not in data
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_as_json_it_is_one_object(source, tmp_path):
    result = redact(source, tmp_path / "out.tape.zst", "--json")
    assert json.loads(result.stdout) == {
        "replaced": [
            {"rule": "openai-key", "place": "request body", "count": 1},
            {"rule": "openai-key", "place": "response body", "count": 1},
        ],
        "reencoded": 0,
        "lost": [],
    }
    with cassette.open(tmp_path / "out.tape.zst") as out:
        assert len(list(out)) == 7


def test_from_a_pipe_to_a_pipe_the_words_go_to_stderr(source):
    result = redact("-", "-", input=source.read_bytes())
    assert result.exit_code == 0
    assert result.stdout_bytes.startswith(b"\xaatokentape\n")
    assert SECRET.encode() not in result.stdout_bytes
    assert "replaced 2 secrets" in result.stderr


def test_an_existing_file_is_kept_unless_told(source, tmp_path):
    target = tmp_path / "out.tape"
    target.write_bytes(b"mine")
    result = redact(source, target)
    assert (result.exit_code, target.read_bytes()) == (1, b"mine")
    assert "add --overwrite" in result.stderr
    assert redact(source, target, "--overwrite").exit_code == 0


def test_a_cassette_is_not_replaced_by_itself(source):
    before = source.read_bytes()
    result = redact(source, source, "--overwrite")
    assert (result.exit_code, source.read_bytes()) == (2, before)
    assert "expected another file than" in result.stderr


def test_a_folder_is_no_file_to_write_to(source, tmp_path):
    (tmp_path / "folder").mkdir()
    result = redact(source, tmp_path / "folder", "--overwrite")
    assert result.exit_code == 1
    assert (
        result.stderr
        == f"Error: expected the name of a file to write to, found the folder {tmp_path}/folder\n"
    )


@pytest.mark.parametrize("options", [("--pattern", "a"), ("--pattern", "a=["), ("--pattern", "A=b")])
def test_a_pattern_that_is_wrong_is_a_usage_error(source, tmp_path, options):
    result = redact(source, tmp_path / "out.tape", *options)
    assert result.exit_code == 2
    assert not (tmp_path / "out.tape").exists()


def test_rules_of_a_file_are_added(source, tmp_path):
    rules = tmp_path / "ours.toml"
    rules.write_text('[[shape]]\nname = "ours"\nstarts = ["ACME-"]\nregex = "ACME-[0-9]{6}"\n')
    result = redact(source, tmp_path / "out.tape", "--rules", rules)
    assert "ours" in result.stdout
    assert redact(source, tmp_path / "b.tape", "--rules", tmp_path / "none.toml").exit_code == 1


def test_what_is_no_cassette_is_one_line(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    result = redact(tmp_path / "a.txt", tmp_path / "out.tape")
    assert result.exit_code == 1
    assert "expected a cassette" in result.stderr
    assert not (tmp_path / "out.tape").exists()


def test_a_damaged_cassette_is_copied_as_far_as_it_is_whole(source, tmp_path):
    source.write_bytes(source.read_bytes()[:-5])
    result = redact(source, tmp_path / "out.tape")
    assert result.exit_code == 3
    assert "lost: " in result.stderr
    with cassette.open(tmp_path / "out.tape") as out:
        assert len(list(out)) == 6


def test_answers_that_were_encoded_again_are_said(tmp_path):
    packed = gzip.compress(SECRET.encode())
    source = tape(
        tmp_path / "in.tape", exchange(pieces=[(2, packed)], headers=((b"content-encoding", b"gzip"),))
    )
    result = redact(source, tmp_path / "out.tape")
    assert result.exit_code == 0
    assert "encoded again, with other sizes of pieces: 1 answer" in result.stderr
