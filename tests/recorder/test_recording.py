"""The succession of parts, with a clock that stands still until it is moved."""

import logging
import threading
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cassette.tapes import REQUEST, RESPONSE
from tests.recorder.test_part import Clock
from tokentape import cassette
from tokentape.recorder import report
from tokentape.recorder._loss import REPEAT_NS, Loss
from tokentape.recorder._part import Part
from tokentape.recorder._recording import Limits, Recording, newest
from tokentape.recorder.redaction import Redactor, Rules

HOUR_NS = 3_600 * 10**9


def begin(folder: Path, clock: Clock, limits: Limits, say=lambda _: None) -> Recording:
    wall = lambda: 1_790_000_000_000_000_000 + clock.ns  # noqa: E731
    part = partial(
        Part, proxy="mitmproxy 1", clock=clock, wall=wall, loss=Loss(clock), redactor=Redactor(Rules())
    )
    path = str(folder / "a.tape")
    return Recording(path, part(path), part, limits=limits, say=say)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def exchanges(path: Path | str) -> list[cassette.Exchange]:
    with cassette.open(path) as tape:
        return list(cassette.exchanges(tape))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def whole(parts: Recording) -> None:
    """Begin and end an exchange."""
    exchange = parts.part().begin(REQUEST)
    exchange.piece(b"x" * 1_000)
    exchange.end("complete")


def test_a_part_is_followed_by_another_at_its_size(tmp_path, clock):
    lines: list[str] = []
    parts = begin(tmp_path, clock, Limits(size_bytes=3_000), lines.append)
    for _ in range(5):
        whole(parts)
    parts.close()
    assert names(tmp_path) == ["a-0002.tape", "a.tape"]
    assert [len(exchanges(tmp_path / name)) for name in ("a.tape", "a-0002.tape")] == [3, 2]
    assert lines == [f"going on in {tmp_path}/a-0002.tape"]
    assert report.summary(parts, 2) == (
        f"recorded 5 exchanges, 5 pieces, 5,000 bytes to {tmp_path}/a.tape ... {tmp_path}/a-0002.tape "
        "(2 parts); passed over 2 that the filter does not match"
    )


def test_a_part_is_followed_by_another_after_its_time_unless_nothing_is_in_it(tmp_path, clock):
    parts = begin(tmp_path, clock, Limits(span_ns=HOUR_NS))
    whole(parts)
    clock.ns += HOUR_NS - 1
    assert parts.part() is parts.part()
    assert parts.count == 1
    clock.ns += 1
    parts.part()
    assert parts.count == 2
    clock.ns += 5 * HOUR_NS
    parts.part()
    assert parts.count == 2
    parts.close()


def test_every_part_is_anchored_to_both_clocks_anew(tmp_path, clock):
    parts = begin(tmp_path, clock, Limits())
    clock.ns += HOUR_NS
    parts.rotate()
    parts.close()
    with cassette.open(tmp_path / "a-0002.tape") as tape:
        section = next(iter(tape))
    assert isinstance(section, cassette.Section)
    assert (section.mono_ns, section.wall_ns) == (clock.ns, 1_790_000_000_000_000_000 + clock.ns)


def test_parts_come_after_those_that_exist(tmp_path, clock):
    for number in (2, 3, 5):
        (tmp_path / f"a-{number:04}.tape").write_text("precious")
    parts = begin(tmp_path, clock, Limits())
    parts.rotate()
    parts.rotate()
    parts.close()
    assert [path.name for path in sorted(tmp_path.iterdir()) if path.read_bytes() != b"precious"] == [
        "a-0006.tape",
        "a-0007.tape",
        "a.tape",
    ]


def test_a_name_that_is_taken_meanwhile_is_left_alone(tmp_path, clock):
    parts = begin(tmp_path, clock, Limits())
    for name in ("a-0002.tape", "a-0003.tape"):
        (tmp_path / name).write_text("precious")
    parts.rotate()
    parts.close()
    assert parts.current.path == str(tmp_path / "a-0004.tape")
    assert (tmp_path / "a-0002.tape").read_text() == "precious"


def test_the_newest_part_is_the_one_with_the_highest_number(tmp_path):
    path = tmp_path / "a.tape"
    assert newest(str(path)) == str(path)
    for name in ("a.tape", "a-0002.tape", "a-10000.tape", "a-0010.tap", "b-0011.tape", "a-12.tape"):
        (tmp_path / name).touch()
    assert newest(str(path)) == str(tmp_path / "a-10000.tape")
    assert newest(str(tmp_path / "none" / "a.tape")) == str(tmp_path / "none" / "a.tape")


def test_an_exchange_ends_in_the_part_in_which_it_began_and_that_part_is_closed_then(tmp_path, clock):
    parts = begin(tmp_path, clock, Limits())
    exchange = parts.part().begin(REQUEST)
    parts.rotate()
    exchange.respond(RESPONSE)
    exchange.piece(b"abc")
    first = exchange.part
    assert not first.writer.closed
    exchange.end("complete")
    first._syncer._thread.join(10)
    assert first.finished
    with cassette.open(tmp_path / "a.tape") as tape:
        *_, close = tape
    assert isinstance(close, cassette.Close)
    assert (close.exchanges, close.chunks, close.bytes) == (1, 1, 3)
    parts.close()


def test_a_part_that_is_held_open_is_named_at_the_end_with_its_age(tmp_path, clock):
    parts = begin(tmp_path, clock, Limits())
    parts.part().begin(msgspec.structs.replace(REQUEST, t=0))
    parts.rotate()
    clock.ns += 2 * HOUR_NS
    parts.part().begin(REQUEST)
    parts.close()
    assert report.summary(parts, 0).endswith(
        f"; {tmp_path}/a.tape was still open for 1 exchange that began in it, the oldest 7,200 s ago"
    )


def test_closing_a_part_makes_nobody_wait_for_the_disk(tmp_path, clock, monkeypatch):
    disk = threading.Event()
    waiting = []

    def sync(_: int) -> None:
        waiting.append(threading.current_thread())
        disk.wait(30)

    monkeypatch.setattr("tokentape.cassette._writer._datasync", sync)
    parts = begin(tmp_path, clock, Limits())
    first = parts.current
    whole(parts)
    parts.rotate()
    whole(parts)
    assert not disk.is_set()
    assert not first.finished
    assert len(exchanges(tmp_path / "a-0002.tape")) == 1
    disk.set()
    parts.close()
    assert first.finished
    assert threading.main_thread() not in waiting


def test_where_no_part_can_be_begun_the_present_one_goes_on_and_it_is_tried_again(
    tmp_path, clock, monkeypatch, caplog
):
    parts = begin(tmp_path, clock, Limits(size_bytes=100))
    really = parts._begin
    monkeypatch.setattr(parts, "_begin", lambda _: really("/no/such/folder/a.tape"))
    for _ in range(3):
        whole(parts)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith(f"cannot begin {tmp_path}/a-0002.tape, {tmp_path}/a.tape goes on: No such file")
    monkeypatch.setattr(parts, "_begin", really)
    clock.ns += REPEAT_NS
    whole(parts)
    parts.close()
    assert [len(exchanges(tmp_path / name)) for name in ("a.tape", "a-0002.tape")] == [3, 1]


def test_when_one_part_fails_nothing_more_is_recorded_in_any(tmp_path, clock):
    parts = begin(tmp_path, clock, Limits(size_bytes=1))
    early = parts.part().begin(REQUEST)
    parts.rotate()
    late = parts.part().begin(REQUEST)
    sizes = {path: path.stat().st_size for path in tmp_path.iterdir()}
    early.part.fail(OSError(28, "No space left on device"))
    for exchange in (early, late, parts.part().begin(REQUEST)):
        assert exchange.piece(b"lost") == b"lost"
        exchange.end("complete")
        assert not exchange.whole
    parts.close()
    assert {path: path.stat().st_size for path in tmp_path.iterdir()} == sizes
    assert (parts.loss.exchanges, parts.loss.pieces) == (3, 3)
    assert report.summary(parts, 0).endswith(
        "INCOMPLETE, the file could not be written any more: 3 exchanges and 3 pieces went unrecorded"
    )


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 49) | st.just(-1), min_size=200, max_size=400), st.integers(300, 20_000))
def test_no_piece_is_lost_over_many_parts(tmp_path_factory, order, size):
    """Fifty streams under way, each of which gets a piece or ends, while parts come and go."""
    folder = tmp_path_factory.mktemp("parts")
    clock = Clock()
    parts = begin(folder, clock, Limits(size_bytes=size))
    sent: dict[bytes, list[bytes]] = {}
    live = {}

    def start(stream: int) -> None:
        name = b"%d of %d" % (len(sent), stream)
        sent[name] = []
        live[stream] = (parts.part().begin(msgspec.structs.replace(REQUEST, body=name)), name)

    for stream in range(50):
        start(stream)
    for step, stream in enumerate(order):
        clock.ns += 1
        if stream < 0:
            parts.rotate()
        elif step % 11 == 0:
            live[stream][0].end("complete")
            start(stream)
        else:
            exchange, name = live[stream]
            piece = b"%d " % step * (step % 40 + 1)
            assert exchange.piece(piece) == piece
            sent[name].append(piece)
    for exchange, _ in live.values():
        exchange.end("complete")
    parts.close()
    found = {}
    for path in folder.iterdir():
        with cassette.open(path) as tape:
            for exchange in cassette.exchanges(tape):
                assert exchange.request
                assert exchange.end
                assert exchange.lost_chunks == 0
                assert exchange.request.body not in found
                found[exchange.request.body] = [chunk.data for chunk in exchange.chunks]
            assert not tape.interrupted
    assert found == sent
    assert parts.counts.exchanges == len(sent)
    assert parts.counts.chunks == sum(map(len, sent.values()))
