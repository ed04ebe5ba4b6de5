import os
import resource
import signal
import stat
import subprocess
import sys

import pytest

from tests.cassette.tapes import CHUNKS, CLOSE, REQUEST, SECTION, write
from tokentape import cassette


def test_every_record_is_one_write_and_is_in_the_file_when_write_returns(tmp_path, monkeypatch):
    sizes = []
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: sizes.append(len(data)) or real_write(fd, data))
    path = tmp_path / "a.tape"
    writer = cassette.Writer(path, SECTION)
    before = len(sizes)
    for count, chunk in enumerate(CHUNKS, 1):
        writer.write(chunk)
        assert len(sizes) == before + count
        assert path.stat().st_size == sum(sizes)
    writer.close()


def test_only_the_owner_can_read_the_file(tmp_path):
    path = write(tmp_path / "a.tape", SECTION)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.tape"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        cassette.Writer(path, SECTION)
    assert path.read_text() == "precious"


def test_overwriting_replaces_the_file(tmp_path):
    path = tmp_path / "a.tape"
    path.write_text("old" * 1000)
    cassette.Writer(path, SECTION, overwrite=True).close()
    with cassette.open(path) as reader:
        assert list(reader) == [SECTION]


def test_a_file_that_is_replaced_is_its_owners_from_then_on(tmp_path):
    path = tmp_path / "a.tape"
    path.touch()
    path.chmod(0o644)
    cassette.Writer(path, SECTION, overwrite=True).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("options", [{"overwrite": True}, {"append": True}], ids=["overwrite", "append"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, options):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, "/dev/null"):
        with pytest.raises(OSError, match=r"expected a file|No such device"):
            cassette.Writer(path, SECTION, **options)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="expected a file"):
        cassette.Writer(fifo, SECTION, **options)
    os.close(reader)
    assert fifo.is_fifo()


def test_a_file_that_was_removed_is_known_to_be(tmp_path):
    path = tmp_path / "a.tape"
    with cassette.Writer(path, SECTION) as writer:
        assert not writer.removed
        path.rename(tmp_path / "b.tape")
        assert not writer.removed
        (tmp_path / "b.tape").unlink()
        assert writer.removed
    assert not writer.removed


def test_a_torn_tail_that_is_written_behind_is_told(tmp_path):
    path = write(tmp_path / "a.tape", SECTION, REQUEST)
    with cassette.Writer(path, SECTION, append=True) as writer:
        assert writer.torn is None
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\xc9\x00\x00\x00")
    with cassette.Writer(path, SECTION, append=True) as writer:
        assert writer.torn is not None
        assert writer.torn.offset == whole


def test_a_file_that_another_writer_has_is_not_touched(tmp_path):
    path = tmp_path / "a.tape"
    with cassette.Writer(path, SECTION) as writer:
        writer.write(REQUEST)
        with pytest.raises(BlockingIOError):
            cassette.Writer(path, SECTION, overwrite=True)
        writer.write(CLOSE)
    with cassette.open(path) as reader:
        assert list(reader) == [SECTION, REQUEST, CLOSE]


def test_nothing_is_written_after_close(tmp_path):
    writer = cassette.Writer(tmp_path / "a.tape", SECTION)
    writer.close()
    writer.close()
    assert writer.closed
    with pytest.raises(ValueError, match="closed"):
        writer.write(REQUEST)


def test_a_record_that_readers_would_refuse_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("tokentape.cassette._writer.MAX_RECORD_BYTES", 100)
    path = tmp_path / "a.tape"
    with cassette.Writer(path, SECTION) as writer:
        size = path.stat().st_size
        with pytest.raises(cassette.RecordTooLarge):
            writer.write(cassette.Chunk(exchange=0, t=0, data=b"x" * 200))
        assert path.stat().st_size == size


def test_what_a_full_disk_took_of_a_record_is_taken_back(tmp_path):
    path = tmp_path / "a.tape"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with cassette.Writer(path, SECTION) as writer:
        size = path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500, limits[1]))
        try:
            with pytest.raises(OSError, match="disk full"):
                writer.write(cassette.Chunk(exchange=0, t=0, data=b"x" * 1000))
            assert path.stat().st_size == size
            writer.write(CLOSE)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
    with cassette.open(path) as reader:
        assert list(reader) == [SECTION, CLOSE]


def test_a_killed_writer_leaves_every_record_that_it_had_written(tmp_path):
    path = tmp_path / "a.tape"
    program = (
        "import os, signal, sys\n"
        "from tests.cassette.tapes import CHUNKS, SECTION\n"
        "from tokentape import cassette\n"
        "writer = cassette.Writer(sys.argv[1], SECTION)\n"
        "for _ in range(100): writer.write(CHUNKS[0])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], check=False)
    assert done.returncode == -signal.SIGKILL
    with cassette.open(path) as reader:
        assert list(reader) == [SECTION, *[CHUNKS[0]] * 100]
        assert reader.interrupted


def test_a_file_that_could_not_be_begun_is_taken_away_again(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
    try:
        with pytest.raises(OSError, match="disk full"):
            cassette.Writer(tmp_path / "a.tape", SECTION)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="the system does not tell who holds a lock")
@pytest.mark.parametrize("how", ["append", "overwrite"])
def test_the_second_writer_is_told_who_has_the_file(tmp_path, how):
    path = tmp_path / "a.tape"
    with (
        cassette.Writer(path, SECTION),
        pytest.raises(BlockingIOError, match=f"process {os.getpid()} is rec"),
    ):
        cassette.Writer(path, SECTION, **{how: True})
