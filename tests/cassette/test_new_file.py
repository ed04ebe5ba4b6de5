import errno
import os
import resource
import signal
import socket
import subprocess
import sys

import pytest

from tokentape.cassette._new_file import NewFile


def test_it_is_in_its_place_when_it_is_whole_and_not_before(tmp_path):
    path = tmp_path / "a"
    with NewFile(path) as new:
        new.file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["a"]


def test_an_error_takes_it_away(tmp_path):
    with pytest.raises(RuntimeError), NewFile(tmp_path / "a") as new:
        new.file.write(b"half")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_said_of_the_file_that_is_made(tmp_path, number):
    path = tmp_path / "a"
    with pytest.raises(OSError) as found, NewFile(path):
        raise OSError(number, os.strerror(number))
    assert (found.value.errno, found.value.filename) == (number, str(path))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_cannot_take_its_place_is_said_of_the_file_that_is_made(tmp_path, overwrite):
    path = tmp_path / "a"
    with pytest.raises(OSError) as found, NewFile(path, overwrite=overwrite):
        path.mkdir()
    assert (found.value.filename, found.value.filename2) == (str(path), None)
    assert os.listdir(tmp_path) == ["a"]


def test_other_errors_of_the_system_keep_their_names(tmp_path):
    with pytest.raises(FileNotFoundError) as found, NewFile(tmp_path / "a"):
        open(tmp_path / "another")  # noqa: SIM115
    assert found.value.filename == str(tmp_path / "another")


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder", "link to a pipe"])
def test_what_is_no_regular_file_is_not_overwritten(tmp_path, kind):
    path = tmp_path / "a"
    listener = socket.socket(socket.AF_UNIX)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            listener.bind(os.path.relpath(path))  # such names may not be long
        case "device":
            path.symlink_to(os.devnull)
        case "folder":
            path.mkdir()
        case _:
            os.mkfifo(tmp_path / "pipe")
            path.symlink_to("pipe")
    before = {name: os.lstat(tmp_path / name) for name in os.listdir(tmp_path)}
    with listener, pytest.raises(OSError, match=r"expected a (regular )?file to overwrite") as found:
        NewFile(path, overwrite=True)
    assert found.value.filename == str(path)
    after = {name: os.lstat(tmp_path / name) for name in os.listdir(tmp_path)}
    assert [(name, info.st_ino) for name, info in after.items()] == [
        (name, info.st_ino) for name, info in before.items()
    ]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path, is_there):
    folder, link = tmp_path / "elsewhere", tmp_path / "a"
    folder.mkdir()
    link.symlink_to("elsewhere/b")
    if is_there:
        (folder / "b").write_bytes(b"old")
    with NewFile(link, overwrite=True) as new:
        new.file.write(b"whole")
        assert len(os.listdir(tmp_path)) == 2  # what is not finished lies beside its place
    assert link.is_symlink()
    assert (folder / "b").read_bytes() == b"whole"
    assert os.listdir(folder) == ["b"]


def test_a_link_is_in_the_way_of_a_new_file(tmp_path):
    (tmp_path / "a").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        NewFile(tmp_path / "a")
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("size", [100, 1 << 20], ids=["in the last write", "in the middle"])
def test_a_limit_that_the_system_sets_leaves_nothing(tmp_path, size):
    program = (
        "import sys; from tokentape.cassette._new_file import NewFile\n"
        "try:\n"
        f"    with NewFile(sys.argv[1]) as new: new.file.write(bytes({size}))\n"
        "except OSError as error: print(error.filename)"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    path = tmp_path / "a"
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True, text=True, check=True, preexec_fn=limit, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == str(path)
    assert os.listdir(tmp_path) == []
