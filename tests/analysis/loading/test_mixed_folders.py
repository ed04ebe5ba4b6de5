"""A file of a folder of which nothing can be used costs only itself, and is said; a named one is an error."""

import pytest
from msgspec.structs import replace

from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, write
from tests.cassette.tapes import raw
from tests.cli.verbs import run
from tokentape import analysis, cassette
from tokentape.analysis import dask, load, to_parquet

SAYS = {
    "newer.tape": "this is format version 9",
    "nothing.tape": "empty file",
    "other.tape": "expected a cassette",
}

PIECES = [(200 * MS, data(chunk({"content": "a"}, "stop"))), (201 * MS, DONE)]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "week"
    made.mkdir()
    write(made / "good.tape", records(PIECES))
    (made / "newer.tape").write_bytes(raw(replace(SECTION, version=9)))
    (made / "nothing.tape").touch()
    (made / "other.tape").write_text("hello, this is no cassette")
    return made


def check(exchanges, lost):
    assert exchanges == 1
    assert len(lost) == len(SAYS)
    for (name, says), line in zip(SAYS.items(), lost, strict=True):
        assert name in line
        assert says in line


@pytest.mark.parametrize("pattern", ["", "*", "*.tape"])
def test_what_can_be_used_is(folder, pattern, tmp_path):
    paths = folder / pattern if pattern else folder
    recording = load(paths)
    check(len(recording.exchanges), recording.lost)
    check(1, to_parquet(paths, tmp_path / "tables"))
    distributed = dask.load(paths)
    check(len(distributed.exchanges.compute()), distributed.lost)
    done = run("analyze", paths, "--format", "csv")
    assert done.exit_code == 3
    assert "e2e_ms,1," in done.stdout
    check(1, done.stderr.splitlines())


@pytest.mark.parametrize("name", SAYS)
def test_what_is_named_must_be_of_use(folder, name):
    for paths in ([folder / name], [folder, folder / name], [folder / name, folder / "*.tape"]):
        with pytest.raises(cassette.CassetteError, match=SAYS[name]):
            load(paths)
    done = run("analyze", folder, folder / name)
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)


def test_nothing_of_use_is_an_error(folder, tmp_path):
    (folder / "good.tape").unlink()
    for read in (load, dask.load, lambda paths: to_parquet(paths, tmp_path / "tables")):
        with pytest.raises(cassette.CassetteError, match="version 9"):
            read(folder)
    assert not (tmp_path / "tables").exists()
    assert analysis.cassettes_at(folder) == [str(folder / name) for name in SAYS]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_conditions_that_choose_nothing_count_what_is_of_use(folder, form, tmp_path):
    to = ("-o", tmp_path / "tables") if form == "parquet" else ()
    done = run("analyze", folder, "--format", form, *to, "--where", "status=404")
    assert done.exit_code == 3
    assert f"{folder}: --where status=404 chose 0 of 1 exchange" in done.stderr
    assert done.stderr.count("lost: ") == len(SAYS)


def test_a_report_counts_what_conditions_choose_of_what_is_of_use(folder, tmp_path):
    page = tmp_path / "page.html"
    done = run("report", folder, "-o", page, "--where", "status=200")
    assert done.exit_code == 3
    assert done.stderr.count("lost: ") == len(SAYS)
    assert "1 of 1 request" in page.read_text(encoding="utf-8")


@pytest.fixture
def appended(tmp_path):
    """A folder with a good cassette, and one to which a newer version appended a section."""
    made = tmp_path / "appended"
    made.mkdir()
    write(made / "good.tape", records(PIECES))
    both = [records(PIECES, exchange=number) for number in range(2)]
    write(made / "mixed.tape", *both)
    later = records(PIECES)
    with (made / "mixed.tape").open("ab") as file:
        file.write(raw(replace(SECTION, version=9), *later).removeprefix(raw()))
    return made


@pytest.mark.parametrize("pattern", ["", "*.tape"])
def test_what_is_before_a_section_of_a_newer_version_is_used_and_one_line_says_so(
    appended, pattern, tmp_path
):
    paths = appended / pattern if pattern else appended
    recording = load(paths)
    assert len(recording.exchanges) == 3
    (line,) = recording.lost
    assert line.startswith(f"{appended / 'mixed.tape'}: ")
    assert "format version 9, and this tokentape reads 1; please upgrade" in line
    assert to_parquet(paths, tmp_path / "tables") == recording.lost
    for size in (1, 10**6):
        distributed = dask.load(paths, max_part_bytes=size)
        assert len(distributed.exchanges.compute()) == 3
        assert distributed.lost == recording.lost


@pytest.mark.parametrize(
    ("verb", "code", "more"),
    [
        ("verify", 1, []),
        ("analyze", 3, []),
        ("lint", 3, []),
        ("cat", 3, []),
        ("info", 3, []),
        ("recover", 3, ["{out}"]),
        ("merge", 3, ["-o", "{out}"]),
        ("redact", 3, ["{out}"]),
        ("convert", 3, ["{out}"]),
    ],
)
def test_every_verb_says_the_newer_version_and_none_calls_it_whole(appended, tmp_path, verb, code, more):
    more = [each.format(out=tmp_path / "out.tape") for each in more]
    done = run(verb, appended / "mixed.tape", *more)
    assert done.exit_code == code
    assert "version 9" in done.output


def test_verify_asks_for_an_upgrade_and_not_for_a_recovery(appended):
    done = run("verify", appended / "mixed.tape")
    assert done.stdout.splitlines()[-1] == "  next: pip install --upgrade tokentape"
