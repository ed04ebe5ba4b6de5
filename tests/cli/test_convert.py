import json
import sys

import msgspec
import pytest
from click.testing import CliRunner

from tests.cassette.formats.test_har import archive, entry
from tests.cassette.tapes import RECORDS, REQUEST, write
from tokentape import cassette
from tokentape.cli import main


def run(*arguments, **options):
    return CliRunner().invoke(main, ["convert", *map(str, arguments)], **options)


@pytest.fixture
def tape(tmp_path):
    return write(tmp_path / "a.tape", *RECORDS)


@pytest.mark.parametrize("ending", [".jsonl", ".har", ".flow", ".mitm", ".tape.zst"])
def test_the_endings_say_what_is_read_and_written(tape, tmp_path, ending):
    there, back = tmp_path / f"b{ending}", tmp_path / "c.tape"
    result = run(tape, there)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{there}: 1 exchange\n"
    assert run(there, back, "--no-redact").exit_code == 0
    assert back.read_bytes() == tape.read_bytes()


def test_options_say_it_where_names_do_not(tape, tmp_path):
    result = run("--to", "jsonl", tape, "-")
    assert json.loads(result.stdout_bytes.splitlines()[1])["kind"] == "section"
    there = tmp_path / "strange.name"
    assert run("--from", "jsonl", "--to", "tape", "-", there, input=result.stdout_bytes).exit_code == 0
    assert there.read_bytes() == tape.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.tape", "b.txt"], "expected a name that ends in one of .tape, .tape.zst, .jsonl"),
        (["-", "b.tape"], "or --from; found '-'"),
        (["a.tape", "-"], "or --to; found '-'"),
        (["a.tape", "b.yaml"], "than vcr, which is read and not written"),
        (["a.tape"], "Missing argument 'OUT'"),
        (["a.tape", "b.tape", "--to", "xml"], "'xml' is not one of"),
    ],
)
def test_wrong_usage_is_exit_2_and_says_what_is_expected(tape, tmp_path, arguments, says):
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_what_was_lost_is_said_and_exit_3(tape, tmp_path):
    tape.write_bytes(tape.read_bytes()[:-5])
    result = run(tape, tmp_path / "b.har")
    assert result.exit_code == 3
    assert f"lost: {tape}: cut off at byte" in result.stderr
    assert (tmp_path / "b.har").exists()


def test_an_existing_file_is_refused(tape, tmp_path):
    there = tmp_path / "b.jsonl"
    there.write_text("precious")
    result = run(tape, there)
    assert (result.exit_code, there.read_text()) == (1, "precious")
    assert "b.jsonl" in result.stderr
    assert run(tape, there, "--overwrite").exit_code == 0


def test_a_cassette_is_not_replaced_by_itself(tape):
    before = tape.read_bytes()
    result = run(tape, tape, "--overwrite")
    assert (result.exit_code, tape.read_bytes()) == (2, before)
    assert "expected another file than" in result.stderr


def test_a_folder_is_no_file_to_write_to(tape, tmp_path):
    (tmp_path / "a.har").mkdir()
    result = run(tape, tmp_path / "a.har", "--overwrite")
    assert result.exit_code == 1
    assert "expected the name of a file to write to, found the folder" in result.stderr


@pytest.mark.parametrize("name", ["missing.har", "wrong.har", "wrong.jsonl", "wrong.yaml", "wrong.flow"])
def test_a_wrong_source_is_one_line_and_exit_1(tmp_path, name):
    (tmp_path / name).write_text("hello") if name.startswith("wrong") else None
    result = run(tmp_path / name, tmp_path / "b.tape")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert str(tmp_path / name) in result.stderr


@pytest.mark.parametrize(("name", "package"), [("a.flow", "mitmproxy"), ("a.yaml", "yaml")])
def test_a_missing_package_says_how_to_add_it(tmp_path, monkeypatch, name, package):
    (tmp_path / name).write_text("")
    for loaded in ("_flows", "_vcr"):
        monkeypatch.delitem(sys.modules, f"tokentape.cassette.formats.{loaded}", raising=False)
        monkeypatch.delattr(f"tokentape.cassette.formats.{loaded}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    result = run(tmp_path / name, tmp_path / "b.tape")
    assert result.exit_code == 1
    assert "pip install 'tokentape[convert]'" in result.stderr


def test_what_strangers_have_written_cannot_command_the_terminal(tmp_path):
    made = entry(request={"method": "GET", "url": "\x1b[2J"})
    source = tmp_path / "a.har"
    source.write_bytes(archive(made, entry()))
    result = run(source, tmp_path / "b.tape")
    assert result.exit_code == 3
    assert "\x1b" not in result.stderr


def test_what_was_imported_is_a_cassette_that_says_which_times_it_has(tmp_path):
    source = tmp_path / "a.har"
    source.write_bytes(archive(entry()))
    run(source, tmp_path / "b.tape")
    with cassette.open(tmp_path / "b.tape") as found:
        (exchange,) = cassette.exchanges(found)
    assert exchange.request.times == "headers"


@pytest.mark.parametrize("unredacted", [False, True])
def test_secrets_of_an_archive_are_replaced_on_the_way_in_unless_told_otherwise(unredacted, tmp_path):
    secret = "sk-" + "Ab1" * 16
    request = msgspec.structs.replace(
        REQUEST,
        headers=((b"authorization", f"Bearer {secret}".encode()),),
        body=f'{{"prompt": "{secret}"}}'.encode(),
    )
    write(tmp_path / "a.tape", *(request if record is REQUEST else record for record in RECORDS))
    run(tmp_path / "a.tape", tmp_path / "a.har")
    assert secret in (tmp_path / "a.har").read_text()
    run(tmp_path / "a.har", tmp_path / "b.tape", *["--no-redact"] * unredacted)
    assert (secret.encode() in (tmp_path / "b.tape").read_bytes()) is unredacted
    with cassette.open(tmp_path / "b.tape") as tape:
        section, found, *_ = tape
    assert isinstance(section, cassette.Section)
    assert isinstance(found, cassette.Request)
    assert (found.redactions > request.redactions) is not unredacted
    assert ("authorization" in section.redaction) is not unredacted
