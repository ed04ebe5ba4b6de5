from msgspec.structs import replace

from tests.cassette.tapes import SECTION, closed, exchange, raw
from tests.cli.verbs import TAPE, records, run, tape, torn

EARLIER = closed(replace(SECTION, wall_ns=1), *exchange(0))


def test_recordings_come_in_the_order_in_which_they_began(tmp_path):
    paths = [tape(tmp_path / "b.tape"), tape(tmp_path / "a.tape", *EARLIER)]
    result = run("merge", *paths, "-o", tmp_path / "out.tape")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"merged 2 sections of 2 files into {tmp_path / 'out.tape'}\n"
    assert records(tmp_path / "out.tape") == [*EARLIER, *TAPE]
    assert run("verify", tmp_path / "out.tape").exit_code == 0


def test_pipes_and_compression(tmp_path):
    result = run(
        "merge", "-", tape(tmp_path / "a.tape", *EARLIER), "-o", tmp_path / "o.tape.zst", stdin=raw(*TAPE)
    )
    assert result.exit_code == 0
    assert records(tmp_path / "o.tape.zst") == [*EARLIER, *TAPE]
    assert run("merge", tmp_path / "o.tape.zst", "-o", "-").stdout_bytes == raw(*EARLIER, *TAPE)


def test_damage_is_left_out_said_and_exit_3(tmp_path):
    path = torn(tmp_path / "a.tape")
    result = run("merge", path, tape(tmp_path / "b.tape", *EARLIER), "-o", tmp_path / "out.tape")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"lost: {path}: cut off at byte")
    assert records(tmp_path / "out.tape") == [*EARLIER, *TAPE[:-1]]


def test_the_output_is_named_with_an_option_so_that_no_input_is_taken_for_it(tmp_path):
    result = run("merge", tape(tmp_path / "a.tape"), tmp_path / "b.tape")
    assert result.exit_code == 2
    assert "--output" in result.stderr


def test_a_cassette_that_is_given_twice_is_refused(tmp_path):
    path = tape(tmp_path / "a.tape")
    (tmp_path / "link.tape").symlink_to(path)
    for other in (path, tmp_path / "link.tape"):
        result = run("merge", path, other, "-o", tmp_path / "out.tape")
        assert result.exit_code == 2
        assert "are the same file" in result.stderr
    assert not (tmp_path / "out.tape").exists()


def test_nothing_to_merge_is_exit_1_and_no_file(tmp_path):
    (tmp_path / "a.tape").write_bytes(raw(*TAPE)[:11])
    result = run("merge", tmp_path / "a.tape", "-o", tmp_path / "out.tape")
    assert result.exit_code == 1
    assert "expected at least one whole record" in result.stderr
    assert not (tmp_path / "out.tape").exists()
