import sys

import pytest

from benchmarks import aimock


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program on the path, alone, and leaves aimock to be installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(aimock, "_BUILD", tmp_path / "build")
    monkeypatch.setattr(aimock, "_FOLDER", tmp_path / "build" / "aimock")
    monkeypatch.setattr(aimock, "_TIMEOUT_S", 20)
    aimock._tried.cache_clear()

    def put(name, script):
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\n{script}")
        path.chmod(0o700)

    yield put
    aimock._tried.cache_clear()


def test_without_npm_the_reason_is_said(program):
    with pytest.raises(aimock.Missing, match="npm is not installed"):
        aimock.command()


def test_npm_that_fails_is_asked_once_and_what_it_said_last_is_the_reason(program, tmp_path):
    asked = tmp_path / "asked"
    program(
        "npm",
        f"import sys; open({str(asked)!r}, 'a').write('x'); sys.exit('npm error code ENOTFOUND\\n')",
    )
    for _ in range(2):
        with pytest.raises(aimock.Missing, match="npm: npm error code ENOTFOUND"):
            aimock.command()
    assert asked.read_text() == "x"
    assert list((tmp_path / "build").iterdir()) == []


def test_what_is_installed_is_kept_and_asked_for_by_its_version(program, tmp_path):
    script = "@copilotkit/aimock/dist/cli.js"
    program(
        "npm",
        "import pathlib, sys; assert sys.argv[-1] == '@copilotkit/aimock@1.43.0'\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('--prefix') + 1], 'node_modules')\n"
        f"(folder / {script!r}).parent.mkdir(parents=True); (folder / {script!r}).touch()",
    )
    program("node", "")
    assert aimock.command() == ("node", str(tmp_path / "build" / "aimock" / script))
    (tmp_path / "npm").unlink()
    aimock._tried.cache_clear()
    assert aimock.command()[0] == "node"
