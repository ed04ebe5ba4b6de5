import io
import sys

import pytest
import zstandard

from tests.cassette.tapes import raw
from tests.cli.verbs import INTERRUPTED, TAPE, corrupt, records, run, tape, torn
from tokentape.cassette import STAND_IN


@pytest.mark.parametrize("kept", [TAPE, INTERRUPTED])
def test_where_nothing_was_lost_it_is_a_copy_and_exit_0(kept, tmp_path):
    result = run("recover", tape(tmp_path / "in.tape", *kept), tmp_path / "out.tape")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "; nothing was lost" in result.stderr
    assert (tmp_path / "out.tape").read_bytes() == raw(*kept)


def test_a_torn_tail_is_exit_3_with_its_offset_and_length(tmp_path):
    path = torn(tmp_path / "in.tape")
    before = path.read_bytes()
    result = run("recover", path, tmp_path / "out.tape")
    assert result.exit_code == 3
    lost, summary = result.stderr.splitlines()
    whole = len(raw(*TAPE[:-1]))
    assert lost.startswith(f"lost: {len(before) - whole} bytes at byte {whole}: expected a frame")
    assert summary.startswith(f"recovered 2 exchanges, 5 pieces to {tmp_path / 'out.tape'}; ")
    assert path.read_bytes() == before
    assert (tmp_path / "out.tape").read_bytes() == raw(*TAPE[:-1])
    assert run("verify", tmp_path / "out.tape").exit_code == 3  # no close was made up


def test_damage_is_exit_3_and_names_the_exchange_that_lost_pieces(tmp_path):
    result = run("recover", corrupt(tmp_path / "in.tape"), tmp_path / "out.tape")
    assert result.exit_code == 3
    damage, exchange, close, _ = result.stderr.splitlines()
    assert f"at byte {len(raw(*TAPE[:3]))}: expected CRC-32" in damage
    assert "lost: exchange 0 of section 0" in exchange
    assert "counts 2 pieces" in exchange
    assert "close record counts" in close
    assert records(tmp_path / "out.tape") == [*TAPE[:3], *TAPE[4:]]
    after = run("verify", tmp_path / "out.tape")
    assert after.exit_code == 1  # what is lost stays lost
    assert "damaged" not in after.stdout
    again = run("recover", tmp_path / "out.tape", tmp_path / "again.tape")
    assert again.exit_code == 3
    assert (tmp_path / "again.tape").read_bytes() == (tmp_path / "out.tape").read_bytes()


def test_a_lost_section_has_a_stand_in_and_is_said(tmp_path):
    path = tape(tmp_path / "in.tape")
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)
    result = run("recover", path, tmp_path / "out.tape")
    assert result.exit_code == 3
    assert "a stand-in is in its place" in result.stderr
    assert records(tmp_path / "out.tape") == [STAND_IN, *TAPE[1:]]


def test_a_lost_beginning_costs_only_itself(tmp_path):
    path = tmp_path / "in.tape"
    path.write_bytes(b"\0" * 11 + raw(*TAPE)[11:])
    result = run("recover", path, tmp_path / "out.tape")
    assert result.exit_code == 3
    assert "lost: 11 bytes at byte 0: expected a cassette" in result.stderr
    assert (tmp_path / "out.tape").read_bytes() == raw(*TAPE)


@pytest.mark.parametrize("data", [raw(*TAPE)[:11], raw(*TAPE)[:30], raw(*TAPE)[:5], b"other"])
def test_where_there_is_nothing_to_recover_it_is_exit_1_and_no_file(data, tmp_path):
    (tmp_path / "in.tape").write_bytes(data)
    result = run("recover", tmp_path / "in.tape", tmp_path / "out.tape")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "expected at least one whole record, found none: " in line
    assert not (tmp_path / "out.tape").exists()


def test_pipes_and_compression(tmp_path, monkeypatch):
    result = run("recover", "-", tmp_path / "out.tape.zst", stdin=raw(*TAPE)[:-3])
    assert result.exit_code == 3
    packed = (tmp_path / "out.tape.zst").read_bytes()
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == raw(*TAPE[:-1])
    result = run("recover", tmp_path / "out.tape.zst", "-")
    assert result.stdout_bytes == raw(*TAPE[:-1])


def test_a_cassette_is_not_put_on_a_terminal(tmp_path, monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        from click import UsageError

        from tokentape.cli._output import check_writable

        with pytest.raises(UsageError, match="expected a pipe"):
            check_writable("-", [], overwrite=False)


def test_names_cannot_command_the_terminal(tmp_path):
    result = run("recover", torn(tmp_path / "a\x1b[2J.tape"), tmp_path / "b\x1b[2J.tape")
    assert result.exit_code == 3
    assert "\x1b" not in result.stderr
