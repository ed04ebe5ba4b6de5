"""The plugin for pytest: the fixtures `tape` and `tape_factory`, the mark `tape`, and three options.

A request that matches nothing fails the test that runs then, whatever its client made of the answer. Where
the test fails anyway, the explanation stands beside its failure.

Invariant: nothing here imports what serves before a fixture is asked for.
"""

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tokentape.replay.testing._choosing import MODES, Wanted, default_path
from tokentape.replay.testing._open_tapes import OpenTapes

if TYPE_CHECKING:
    from tokentape.replay.testing._tape import Tape

TapeFactory: TypeAlias = Callable[..., AbstractContextManager["Tape"]]


_MATCHING = ("match", "ignore", "order", "exhausted")
_TAPES = pytest.StashKey[OpenTapes]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; `--help` shows them under "tokentape"."""
    group = parser.getgroup("tokentape")
    group.addoption(
        "--tape-mode",
        choices=MODES,
        help="none: replay only; once: record cassettes that are absent; new: also what a cassette does not "
        "have; all: record all again. Default: none where the environment has CI, else once.",
    )
    group.addoption(
        "--tape-speed",
        default="instant",
        metavar="SPEED",
        help="How many times faster than recorded, or 'instant' (the default); a mark's own goes before.",
    )
    group.addoption(
        "--tape-report", action="store_true", help="List exchanges and cassettes that no test has played."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing played."""
    config.addinivalue_line(
        "markers",
        "tape(*paths, upstream=None, speed=None, timing=None, faults=(), misses='fail', record=(), "
        "match=..., ignore=(), order='any', exhausted='error'): the cassettes of the fixture `tape`, beside "
        "the test's file; without paths tapes/<test name>.tape",
    )
    tapes = config.stash[_TAPES] = OpenTapes(config)
    config.pluginmanager.register(_AtInterrupt(tapes), "tokentape-interrupt")


class _AtInterrupt:
    """A plugin of its own, because this hook is not told which configuration it is of."""

    def __init__(self, tapes: OpenTapes) -> None:
        self._tapes = tapes

    def pytest_keyboard_interrupt(self) -> None:
        """Discard what is being recorded: no test passes any more, and fixtures are finished next."""
        self._tapes.discard_recordings()


@pytest.fixture
def tape(request: pytest.FixtureRequest) -> "Iterator[Tape]":
    """Serve the test's cassettes, or record its cassette. See the mark `tape`."""
    tapes = request.config.stash[_TAPES]
    _note_recording(tapes, request.node)
    with tapes.opened(_wanted_by(request.node)) as found:
        yield found


@pytest.fixture(scope="session")
def tape_factory(pytestconfig: pytest.Config) -> TapeFactory:
    """Return what opens tapes in a `with` block: several in one test, or one for a module or session.

    It takes what the mark takes. Relative paths are beside the file in which it is called.
    """
    tapes = pytestconfig.stash[_TAPES]

    def open_tape(*paths: str | PathLike[str], **options: Any) -> "AbstractContextManager[Tape]":
        if not paths:
            raise TypeError("expected the path of a cassette or several, found none")
        beside = Path(sys._getframe(1).f_code.co_filename).parent  # noqa: SLF001  (as warnings find their place)
        return tapes.opened(_wanted(beside, paths, **options))

    return open_tape


def _wanted_by(item: pytest.Item) -> Wanted:
    """Return what the marks of a test ask for."""
    paths, options = _marked(item)
    return _wanted(item.path.parent, paths or (_default_path(item),), **options)


def _marked(item: pytest.Item) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a test's marks: of each, what the nearest mark has that gives it."""
    paths: tuple[Any, ...] = ()
    options: dict[str, Any] = {}
    for mark in item.iter_markers("tape"):
        paths = paths or mark.args
        options = {**mark.kwargs, **options}
    return paths, options


def _default_path(item: pytest.Item) -> Path:
    of: type | None = getattr(item, "cls", None)
    return default_path(item.name, of.__name__ if of else None)


def _note_recording(tapes: OpenTapes, item: pytest.Item) -> None:
    """Have two tests that would record one cassette, which neither has named, found out."""
    paths, options = _marked(item)
    if not paths and options.get("upstream") is not None:
        tapes.would_record(item.path.parent / _default_path(item), item.nodeid)


def _wanted(beside: Path, paths: tuple[str | PathLike[str], ...], **options: Any) -> Wanted:
    matching = {name: options.pop(name) for name in _MATCHING if name in options}
    try:
        return Wanted(paths=tuple(beside / fspath(path) for path in paths), matching=matching, **options)
    except (TypeError, ValueError) as error:
        said = str(error).replace("Wanted.__init__() got an ", "")
        raise pytest.fail.Exception(f"tape: {said}", pytrace=False) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Know which test runs."""
    tapes = item.config.stash[_TAPES]
    tapes.test = item.nodeid
    try:
        return (yield)
    finally:
        tapes.test = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that asked for what is not recorded."""
    tapes = item.config.stash[_TAPES]
    try:
        result = yield
    except BaseException:
        if misses := tapes.take_misses():
            item.add_report_section("call", "tape", _explained(misses))
        raise
    if misses := tapes.take_misses():
        pytest.fail(_explained(misses), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Explain misses before and after the test itself, and discard what a test records that does not pass."""
    report = yield
    tapes = item.config.stash[_TAPES]
    if report.when != "setup" or not report.passed:  # after a setup that passed comes the call
        misses = tapes.take_misses()
        if misses and report.when == "teardown" and report.passed:
            report.outcome = "failed"
            report.longrepr = _explained(misses)
        elif misses:
            report.sections.append(("tape", _explained(misses)))
    if not report.passed:
        report.sections += [("tape", said) for said in tapes.discard_recordings()]
    return report


def _explained(misses: list[str]) -> str:
    requests = "a request was" if len(misses) == 1 else "requests were"
    first = (
        f"{requests} not in the recording; run with --tape-mode all to record again from the mark's "
        "upstream, or give the mark misses='allow' where they are expected"
    )
    return "\n\n".join([first, *misses])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note where cassettes may be, and what tests would record: also those that another process runs."""
    tapes = session.config.stash[_TAPES]
    tapes.played.look_in(item.path.parent for item in session.items)
    for item in session.items:
        if "tape" in getattr(item, "fixturenames", ()):
            _note_recording(tapes, item)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of xdist, hand what was played to the process that prints the report."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tokentape"] = session.config.stash[_TAPES].played.as_plain()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001  (xdist calls it by these names)
    """Take what a worker of xdist has handed over; one that crashed hands over nothing."""
    found = getattr(node, "workeroutput", {}).get("tokentape")
    if found is not None:
        node.config.stash[_TAPES].played.add_plain(found)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what no test has played, if it was asked for."""
    if config.getoption("tape_report"):
        terminalreporter.section("tapes")
        for line in config.stash[_TAPES].played.report(config.invocation_params.dir):
            terminalreporter.line(line)
