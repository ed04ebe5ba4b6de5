import json
import subprocess
import sys
import zlib
from contextlib import nullcontext

import pytest

from tests.analysis.tapes import records, write
from tests.cli.verbs import BAD, bad_file, run
from tests.dialects.rules.clean import clean, written
from tests.nobody import as_nobody
from tokentape.dialects.rules import CODES


def body(name, **fields):
    events = clean(name)
    for event in events[:-1]:
        event.update(fields)
    return written(name, events)


@pytest.fixture
def tape(tmp_path):
    late = clean("stepfun")
    late.insert(-1, late[2])
    return write(
        tmp_path / "a.tape",
        records([(1, written("stepfun", clean("stepfun")))]),
        records([(1, body("openai-chat", provider="Acme\x1b[31m"))], exchange=1),
        records([(1, written("stepfun", late))], exchange=2),
        records([(1, b"no")], exchange=3, status=429),
        records([(1, b'{"a": 1}')], exchange=4, path=b"/x", content_type="application/json"),
    )


@pytest.fixture
def clean_tape(tmp_path):
    return write(tmp_path / "clean.tape", records([(1, written("stepfun", clean("stepfun")))]))


def test_a_line_a_finding_and_on_stderr_a_line_a_file(tape):
    result = run("lint", tape)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{tape}: {line}"
        for line in (
            (
                "exchange 2, event 8: usage-decreases usage.completion_tokens: "
                "expected at least 8, as in event 7, found 3"
            ),
            (
                "exchange 2, choice 0, event 8: content-after-finish: "
                "expected nothing more of choice 0, which finished in event 7, found content"
            ),
            (
                "exchange 1: note: unknown-field provider in 8 events, first event 1: "
                r'expected no such field, found "Acme\u001b[31m"'
            ),
        )
    ]
    assert result.stderr.splitlines() == [
        (
            f"{tape}: 3 exchanges checked: stepfun by model (2), openai-chat by dialect (1); "
            "2 skipped: HTTP status 429 (1), not streamed (1); 2 findings; 1 note (8 in all)"
        )
    ]


@pytest.fixture
def week(tmp_path):
    """Ten exchanges that lack their fingerprint and say something odd, the eighth with two broken ends."""
    events = clean("openai-chat")
    for event in events[:-1]:
        del event["object"]
        event["choices"] = [
            choice | {"delta": choice["delta"] | {"surprise": {}}} for choice in event["choices"]
        ]
    whole, broken = written("openai-chat", events), written("openai-chat", events[:5])
    pieces = [[(1, broken if exchange == 7 else whole)] for exchange in range(10)]
    return write(
        tmp_path / "week.tape", *(records(piece, exchange=number) for number, piece in enumerate(pieces))
    )


def test_what_exchanges_have_in_common_is_a_line_and_the_broken_one_comes_first(week):
    result = run("lint", week)
    lines = [line.removeprefix(f"{week}: ").partition(": expected")[0] for line in result.stdout.splitlines()]
    assert lines == [
        "exchange 7, event 5: no-end-mark",
        "exchange 7, choice 0: no-finish in 2 events, first event 3",
        "missing-field object in 10 exchanges (77 events), first exchange 0, event 1",
        (
            "note: unknown-field choices[].delta.surprise in 10 exchanges (68 events), "
            "first exchange 0, choice 0, event 1"
        ),
    ]
    (said,) = result.stderr.splitlines()
    assert said.endswith(
        "10 exchanges checked: openai-chat by dialect (10); 3 findings (80 in all); 1 note (68 in all)"
    )


def test_the_counts_of_the_last_line_are_those_of_the_lines_with_and_without_all(week):
    every = run("lint", week, "--all")
    notes = sum(": note: " in line for line in every.stdout.splitlines())
    assert (len(every.stdout.splitlines()) - notes, notes) == (80, 68)
    assert every.stderr == run("lint", week).stderr


def test_notes_alone_set_no_exit_code(week):
    for options in (["--only", "unknown-field"], ["--ignore", "no-finish", "--ignore", "no-end-mark"]):
        result = run("lint", week, *options, "--ignore", "missing-field:object")
        assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)
        assert "0 findings; 1 note" in result.stderr


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (["--only", "no-finish"], {"no-finish"}),
        (["--only", "no-finish", "--only", "no-end-mark"], {"no-finish", "no-end-mark"}),
        (["--only", "missing-field:object"], {"missing-field"}),
        (["--only", "missing-field:obj"], set()),
        (["--ignore", "missing-field"], {"no-finish", "no-end-mark", "unknown-field"}),
        (["--ignore", "missing-field:model"], {"no-finish", "no-end-mark", "unknown-field", "missing-field"}),
        (["--ignore", "unknown-field:choices[].delta"], {"no-finish", "no-end-mark", "missing-field"}),
        (["--ignore", "unknown-field:$.choices[0].delta"], {"no-finish", "no-end-mark", "missing-field"}),
        (["--ignore", "unknown-field:choices"], {"no-finish", "no-end-mark", "missing-field"}),
    ],
)
def test_codes_and_paths_choose_findings_in_words_and_in_json(week, options, codes):
    objects = json.loads(run("lint", week, "--json", *options).stdout)
    assert {finding["code"] for each in objects for finding in each["findings"]} == codes
    lines = run("lint", week, *options).stdout.splitlines()
    assert {word.rstrip(":") for line in lines for word in line.split()} & set(CODES) == codes


def test_a_code_that_does_not_exist_is_a_usage_error(week):
    for option in ("--only", "--ignore"):
        result = run("lint", week, option, "no-finsh")
        assert result.exit_code == 2
        assert "found 'no-finsh'" in result.stderr


def test_all_prints_what_is_folded(tape):
    lines = run("lint", tape, "--all").stdout.splitlines()
    assert [line.partition(": ")[2] for line in lines[:8]] == [
        f"exchange 1, event {event}: note: unknown-field provider: "
        r'expected no such field, found "Acme\u001b[31m"'
        for event in range(1, 9)
    ]
    assert len(lines) == 10


def test_nothing_found_is_silence_and_0(clean_tape):
    result = run("lint", clean_tape)
    assert (result.exit_code, result.stdout) == (0, "")


def test_json_has_an_object_for_each_exchange(tape):
    result = run("lint", tape, "--json")
    assert result.exit_code == 1
    objects = json.loads(result.stdout)
    assert [each["rules"] for each in objects] == ["stepfun", "openai-chat", "stepfun", None, None]
    assert [each["skipped"] for each in objects] == [None, None, None, "HTTP status 429", "not streamed"]
    assert objects[0] == {
        "file": str(tape), "section": 0, "exchange": 0, "rules": "stepfun", "chosen_by": "model",
        "skipped": None, "events": 8, "findings": [],
    }  # fmt: skip
    assert objects[1]["findings"] == [
        {
            "code": "unknown-field", "event": 1, "expected": "no such field", "found": '"Acme\\u001b[31m"',
            "path": "$.provider", "choice": None, "level": "note", "events": 8,
        }
    ]  # fmt: skip
    every = json.loads(run("lint", tape, "--json", "--all").stdout)[1]["findings"]
    assert [(each["event"], each["events"]) for each in every] == [(n, 1) for n in range(1, 9)]


def test_json_of_nothing_found_is_still_a_list(clean_tape):
    (found,) = json.loads(run("lint", clean_tape, "--json").stdout)
    assert found["findings"] == []


def test_rules_are_chosen_by_name(clean_tape):
    result = run("lint", clean_tape, "--rules", "openai-relay")
    assert result.exit_code == 1
    assert "unknown-field usage in 7 events, first event 1" in result.stdout
    assert "openai-relay as asked (1)" in result.stderr


def test_rules_that_do_not_exist_are_a_usage_error_with_their_names(clean_tape):
    result = run("lint", clean_tape, "--rules", "step")
    assert result.exit_code == 2
    assert "'stepfun', 'openai-relay', 'openai-chat'" in result.stderr


def test_where_chooses_exchanges(tape):
    result = run("lint", tape, "--where", "status=200", "--where", "model=step-*")
    assert len(result.stdout.splitlines()) == 2
    assert "2 exchanges checked: stepfun by model (2)" in result.stderr
    piped = run("lint", "-", "--where", "status=200", stdin=tape.read_bytes())
    assert piped.exit_code == 2
    assert "expected a file beside --where" in piped.stderr
    wrong = run("lint", tape, "--where", "colour=red")
    assert wrong.exit_code == 2
    assert "expected a column of exchanges" in wrong.stderr


def test_several_files_and_standard_input(tape, clean_tape):
    result = run("lint", clean_tape, "-", stdin=tape.read_bytes())
    assert result.exit_code == 1
    assert "-: exchange 2, event 8: usage-decreases" in result.stdout


def test_damage_wins_over_findings_and_over_none(tape, clean_tape):
    for path in (tape, clean_tape):
        path.write_bytes(path.read_bytes()[:-4])
        result = run("lint", path)
        assert result.exit_code == 3
        assert f"lost: {path}: " in result.stderr
    assert "exchange 2, event 8: usage-decreases" in run("lint", tape).stdout


def test_an_exchange_with_a_damaged_piece_is_skipped(tmp_path):
    path = write(tmp_path / "a.tape", records([(1, body("stepfun")), (2, b": end\n\n")]))
    data = bytearray(path.read_bytes())
    data[data.index(b"d7ae7c4a")] ^= 1
    path.write_bytes(data)
    result = run("lint", path)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "0 exchanges checked; 1 skipped: parts of it are lost to damage (1)" in result.stderr


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_cannot_be_read_is_one_line_and_2(tmp_path, kind):
    path = bad_file(tmp_path, kind)
    with as_nobody() if kind == "locked" else nullcontext():
        result = run("lint", path)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert ("expected cassettes" if kind == "folder" else BAD[kind]) in line


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_looked_at(tape, clean_tape, tmp_path):
    clean_tape.write_bytes(clean_tape.read_bytes()[:-4])
    result = run("lint", tmp_path / "none.tape", clean_tape, tape)
    assert result.exit_code == 2
    assert "none.tape" in result.stderr.splitlines()[0]
    assert f"lost: {clean_tape}" in result.stderr
    assert len(result.stdout.splitlines()) == 3


def test_what_cannot_be_decoded_is_lost_and_the_rest_is_looked_at(tmp_path):
    coder = zlib.compressobj(wbits=31)
    half = coder.compress(written("stepfun", clean("stepfun")[:3])) + coder.flush(zlib.Z_SYNC_FLUSH)
    cases = [
        ([(1, b"no gzip")], "1 skipped: not what its encoding says"),
        ([(1, half), (2, b"\xff" * 99)], "1 exchange checked: stepfun by model (1); 0 findings"),
    ]
    for pieces, said in cases:
        path = write(tmp_path / f"{len(pieces)}.tape", records(pieces, encoding="gzip"))
        result = run("lint", path)
        assert result.exit_code == 3
        assert said in result.stderr
        assert f"lost: {path}: exchange 0: not what its encoding says" in result.stderr


def test_hostile_streams_are_told_of_in_short_lines(tmp_path):
    deep = b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    long = b'{"choices": [{"delta": {"content": "' + b"y" * 10_000_000 + b'"}}], "x\\ud83d\\u001b[2J": 1}'
    path = write(tmp_path / "a.tape", records([(1, b"data: " + deep + b"\n\ndata: " + long + b"\n\n")]))
    result = run("lint", path)
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "\x1b" not in result.output
    assert max(map(len, result.output.splitlines())) < 700 + len(str(path))


def test_the_base_install_is_all_it_needs(tape):
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['pandas', 'pyarrow', 'mitmproxy', 'numpy']))\n"
        "from tokentape.cli import main\n"
        f"main(['lint', {str(tape)!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1, done.stderr
    assert len(done.stdout.splitlines()) == 3
    wanted = program.replace("'lint',", "'lint', '--where', 'status=200',")
    done = subprocess.run(
        [sys.executable, "-c", wanted], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "pip install 'tokentape[analysis]'" in done.stderr


def test_the_codes_of_the_lines_are_those_of_the_document(tape):
    for line in run("lint", tape).stdout.splitlines():
        assert {word.rstrip(":") for word in line.split()} & set(CODES)


def test_folders_and_patterns_are_their_cassettes_each_once(tape, clean_tape, tmp_path):
    each = run("lint", tape, clean_tape)
    for named in ([tmp_path], [f"{tmp_path}/*.tape"], [tmp_path, f"{tmp_path}/**/*.tape", clean_tape]):
        result = run("lint", *named)
        assert (result.exit_code, result.stdout, result.stderr) == (1, each.stdout, each.stderr)


def test_a_pattern_without_files_keeps_no_file_from_being_looked_at(clean_tape, tmp_path):
    result = run("lint", f"{tmp_path}/none*", clean_tape)
    assert result.exit_code == 2
    error, summary = result.stderr.splitlines()
    assert error.startswith(f"Error: {tmp_path}/none*: expected files")
    assert summary.startswith(f"{clean_tape}: 1 exchange checked")


def test_conditions_that_choose_nothing_are_said(tape, clean_tape):
    result = run("lint", tape, clean_tape, "--where", "model=typo")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[-1] == f"{tape} and 1 more: --where model=typo chose 0 of 6 exchanges"
    assert "chose" not in run("lint", tape, "--where", "status=429").stderr


@pytest.mark.parametrize(
    ("options", "is_refused"),
    [
        (["--only", "no-finish", "--ignore", "no-finish"], True),
        (["--only", "unknown-field:usage.cost", "--ignore", "unknown-field:usage"], True),
        (["--only", "unknown-field:usage", "--ignore", "unknown-field:usage.cost"], False),
        (["--only", "no-finish", "--only", "no-end-mark", "--ignore", "no-finish"], False),
    ],
)
def test_only_and_ignore_that_leave_nothing_are_refused(clean_tape, options, is_refused):
    result = run("lint", clean_tape, *options)
    assert result.exit_code == (2 if is_refused else 0)
    assert ("expected --only to leave some finding" in result.stderr) == is_refused


def test_a_file_of_no_use_is_lost_from_a_folder_and_an_error_where_it_is_named(clean_tape, tmp_path):
    junk = tmp_path / "zz.tape"
    junk.write_bytes(b"no")
    for where in ((), ("--where", "status=404")):
        for paths in ([tmp_path], [tmp_path / "*.tape"]):
            result = run("lint", *paths, *where)
            assert result.exit_code == 3
            assert f"lost: {junk}: expected a cassette" in result.stderr
        result = run("lint", tmp_path, junk, *where)
        assert result.exit_code == 2
        assert f"Error: {junk}: expected a cassette" in result.stderr
        assert f"{clean_tape}: " in result.stderr


def test_a_folder_without_a_file_of_use_is_one_error_and_the_others_are_looked_at(clean_tape, tmp_path):
    (folder := tmp_path / "junk").mkdir()
    (folder / "zz.tape").write_bytes(b"no")
    result = run("lint", folder)
    assert (result.exit_code, result.stderr.count("Error: ")) == (2, 1)
    result = run("lint", folder, clean_tape)
    assert result.exit_code == 3
    assert f"{clean_tape}: " in result.stderr
