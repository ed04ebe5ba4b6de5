import json

import pytest
from msgspec.structs import replace

from tests.cassette.tapes import exchange, raw
from tests.cli.verbs import INTERRUPTED, TAPE, bad_file, corrupt, run, tape, torn


def test_a_whole_cassette_is_exit_0(tmp_path):
    path = tape(tmp_path / "a.tape")
    result = run("verify", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{path}: whole: 2 exchanges, 5 pieces\n"
    assert run("verify", "-", stdin=raw(*TAPE)).stdout == "-: whole: 2 exchanges, 5 pieces\n"


def test_an_interrupted_one_is_exit_3_and_asks_for_nothing(tmp_path):
    result = run("verify", tape(tmp_path / "a.tape", *INTERRUPTED))
    assert result.exit_code == 3
    verdict, why, then = result.stdout.splitlines()
    assert verdict.endswith(": interrupted: 2 exchanges, 4 pieces")
    assert "no close record in section 0" in why
    assert "1 exchange without an end" in why
    assert "nothing" in then


def test_a_torn_one_is_exit_3_and_says_where_and_what_to_do(tmp_path):
    path = torn(tmp_path / "a.tape")
    result = run("verify", path)
    assert result.exit_code == 3
    assert f"cut off at byte {len(raw(*TAPE[:-1]))}: " in result.stdout
    assert result.stdout.splitlines()[-1] == (
        f"  next: tokentape recover {path} {path.with_suffix('')}.recovered.tape"
    )


def test_a_corrupt_one_is_exit_1_and_says_what_was_lost_with_the_damage(tmp_path):
    path = corrupt(tmp_path / "a.tape")
    result = run("verify", path)
    assert result.exit_code == 1
    verdict, damage, missing, counted, then = result.stdout.splitlines()
    assert verdict.endswith(": corrupt: 2 exchanges, 4 pieces")
    assert f"bytes damaged at byte {len(raw(*TAPE[:3]))}: expected CRC-32" in damage
    assert "missing: exchange 0 of section 0, at byte" in missing
    assert "counts 2 pieces and 22 bytes; 1 and 11 are there" in missing
    assert "the close record counts" in counted
    assert "next: tokentape recover" in then


def test_a_record_that_is_gone_without_damage_is_exit_1_and_nothing_to_recover(tmp_path):
    result = run("verify", tape(tmp_path / "a.tape", *TAPE[:3], *TAPE[4:]))
    assert result.exit_code == 1
    assert "next: nothing; what is missing is lost" in result.stdout


def test_a_warning_changes_no_exit_code(tmp_path):
    result = run("verify", tape(tmp_path / "a.tape", *TAPE[:4], replace(TAPE[4], t=0), *TAPE[5:]))
    assert result.exit_code == 0
    assert ": whole: " in result.stdout
    assert "warning: exchange 0 of section 0" in result.stdout


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (["whole", "whole"], 0),
        (["whole", "torn"], 3),
        (["interrupted", "whole"], 3),
        (["torn", "corrupt", "whole"], 1),
        (["whole", "text", "torn"], 1),
    ],
)
def test_the_worst_of_several_decides_and_each_is_told(files, code, tmp_path):
    paths = []
    for number, kind in enumerate(files):
        folder = tmp_path / str(number)
        folder.mkdir()
        match kind:
            case "whole":
                paths.append(tape(folder / "a.tape"))
            case "interrupted":
                paths.append(tape(folder / "a.tape", *INTERRUPTED))
            case "torn":
                paths.append(torn(folder / "a.tape"))
            case "corrupt":
                paths.append(corrupt(folder / "a.tape"))
            case _:
                paths.append(bad_file(folder, kind))
    result = run("verify", *paths)
    assert result.exit_code == code
    told = result.stdout + result.stderr
    for path in paths:
        assert f"{path}: " in told
    found = json.loads(run("verify", *paths, "--json").stdout)
    assert [each["verdict"] for each in found] == [kind.replace("text", "unusable") for kind in files]
    assert [each["file"] for each in found] == list(map(str, paths))
    assert [bool(each["error"]) for each in found] == [kind == "text" for kind in files]
    assert len({tuple(each) for each in found}) == 1


def test_json_has_every_finding_with_its_offset(tmp_path):
    path = corrupt(tmp_path / "a.tape")
    result = run("verify", path, "--json")
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)
    (damage,) = found["damage"]
    assert damage["offset"] == len(raw(*TAPE[:3]))
    assert damage["torn"] is False
    assert [(each["section"], each["exchange"], each["is_loss"]) for each in found["findings"]] == [
        (0, 0, True),
        (0, None, True),
    ]


def test_a_thousand_findings_are_a_screen_of_lines(tmp_path):
    lost = [record for n in range(1000) for record in exchange(n)[1:]]
    result = run("verify", tape(tmp_path / "a.tape", TAPE[0], *lost))
    assert len(result.stdout.splitlines()) < 30
    assert "and 980 more of such" in result.stdout


def test_many_damaged_places_are_a_screen_of_lines(tmp_path):
    path = tape(tmp_path / "a.tape", TAPE[0], *(record for n in range(50) for record in exchange(n)))
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"text/event-stream", at + 1)) > 0:
        data[at] ^= 1
    path.write_bytes(data)
    result = run("verify", path)
    assert "and 30 more damaged places" in result.stdout


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a.tape", "tokentape recover a.tape a.recovered.tape"),
        ("a.tape.zst", "tokentape recover a.tape.zst a.recovered.tape"),
        ("my tape", "tokentape recover 'my tape' 'my tape.recovered.tape'"),
        ("-", "tokentape recover - recovered.tape"),
    ],
)
def test_the_command_to_run_next_can_be_pasted(name, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torn(tmp_path / "source")
    data = (tmp_path / "source").read_bytes()
    if name != "-":
        (tmp_path / "source").rename(tmp_path / name)
    assert run("verify", name, stdin=data).stdout.splitlines()[-1] == f"  next: {command}"


def test_a_name_cannot_command_the_terminal(tmp_path):
    path = torn(tmp_path / "a\x1b[2J.tape")
    assert "\x1b" not in run("verify", path).stdout
