import logging
import threading
from pathlib import Path

import msgspec
import pytest

from tests.cassette.tapes import REQUEST, RESPONSE
from tokentape import cassette
from tokentape.recorder import report
from tokentape.recorder._loss import Loss
from tokentape.recorder._part import Part


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.ns = 1_000_000

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def part(tmp_path: Path, clock: Clock):
    part = Part(tmp_path / "a.tape", proxy="mitmproxy 1", clock=clock, wall=lambda: 1_790_000_000_000_000_000)
    yield part
    part.close()


def records(part: Part) -> list[cassette.Record]:
    with cassette.open(part.path) as tape:
        return list(tape)


def test_the_section_anchors_both_clocks(part: Part):
    (section,) = records(part)
    assert isinstance(section, cassette.Section)
    assert (section.version, section.mono_ns, section.wall_ns) == (1, 1_000_000, 1_790_000_000_000_000_000)
    assert section.proxy == "mitmproxy 1"
    assert section.writer.startswith("tokentape ")


def test_pieces_are_stamped_written_and_returned(part: Part, clock: Clock):
    exchange = part.begin(REQUEST)
    clock.ns += 5_000
    exchange.respond(RESPONSE)
    assert exchange.piece(b"abc") == b"abc"
    assert records(part)[-1] == cassette.Chunk(exchange=0, t=5_000, data=b"abc")
    clock.ns += 7_000
    exchange.piece(b"de")
    assert records(part)[-1] == cassette.Chunk(exchange=0, t=12_000, data=b"de")
    exchange.end("complete")
    assert records(part)[-1] == cassette.End(exchange=0, t=12_000, reason="complete", chunks=2, bytes=5)


def test_an_empty_piece_is_no_piece(part: Part):
    exchange = part.begin(REQUEST)
    assert exchange.piece(b"") == b""
    assert exchange.chunks == 0


def test_exchanges_are_numbered_as_they_are_taken_up(part: Part):
    assert [part.begin(REQUEST).number for _ in range(3)] == [0, 1, 2]
    assert [r.exchange for r in records(part) if isinstance(r, cassette.Request)] == [0, 1, 2]


def test_only_the_first_ending_counts(part: Part):
    exchange = part.begin(REQUEST)
    exchange.end("client-closed", "gone")
    exchange.end("upstream-error")
    exchange.piece(b"late")
    ends = [record for record in records(part) if isinstance(record, cassette.End)]
    assert [(end.reason, end.detail) for end in ends] == [("client-closed", "gone")]
    assert isinstance(records(part)[-1], cassette.End)


def test_credentials_of_both_sides_are_counted_where_they_were(part: Part):
    secret = (b"authorization", b"Bearer " + b"s" * 20)
    exchange = part.begin(msgspec.structs.replace(REQUEST, headers=(secret,)))
    exchange.respond(msgspec.structs.replace(RESPONSE, headers=((b"set-cookie", b"s" * 20),)))
    _, request, response = records(part)
    assert isinstance(request, cassette.Request)
    assert isinstance(response, cassette.Response)
    assert (request.redactions, response.redactions) == (1, 1)
    assert b"s" * 20 not in Path(part.path).read_bytes()


def test_close_ends_what_is_live_and_counts(part: Part):
    part.begin(REQUEST).piece(b"abc")
    part.close()
    *_, end, close = records(part)
    assert isinstance(end, cassette.End)
    assert end.reason == "recorder-stopped"
    assert close == cassette.Close(t=0, exchanges=1, chunks=1, bytes=3)
    part.close()


def test_nothing_of_a_finished_exchange_is_kept(part: Part):
    part.begin(REQUEST).end("complete")
    assert part.live == {}


def test_a_body_that_no_reader_would_take_is_left_out_and_said_so(part: Part, monkeypatch):
    monkeypatch.setattr("tokentape.cassette._writer.MAX_RECORD_BYTES", 500)
    part.begin(msgspec.structs.replace(REQUEST, body=b"x" * 1000))
    _, request, note = records(part)
    assert isinstance(request, cassette.Request)
    assert request.body == b""
    assert isinstance(note, cassette.Note)
    assert (note.exchange, "body not kept" in note.text) == (0, True)


def test_a_write_that_fails_ends_the_recording_loudly_and_nothing_else(part: Part, monkeypatch, caplog):
    exchange = part.begin(REQUEST)
    exchange.piece(b"kept")
    before = Path(part.path).read_bytes()

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    exchange._write = full
    with caplog.at_level(logging.ERROR):
        assert exchange.piece(b"lost") == b"lost"
        assert exchange.piece(b"lost too") == b"lost too"
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith(f"{part.path}: THE RECORDING HAS STOPPED")
    assert line.endswith("No space left on device")
    exchange.end("complete")
    assert report.ended(exchange).endswith("complete  NOT WHOLLY RECORDED")
    others = [part.begin(REQUEST) for _ in range(2)]
    assert [other.number for other in others] == [1, 2]
    assert set(part.live) == {1, 2}
    part.close()
    assert Path(part.path).read_bytes() == before
    assert (part.chunks, part.bytes) == (1, 4)
    assert (part.loss.exchanges, part.loss.pieces) == (3, 2)


def test_the_line_of_an_exchange_says_what_came_and_how_it_ended(part: Part, clock: Clock):
    clock.ns = 1_002_000
    request = msgspec.structs.replace(REQUEST, t_end=2_000)
    exchange = part.begin(request)
    exchange.respond(RESPONSE)
    clock.ns += 250_000_000
    exchange.piece(b"abc")
    clock.ns += 1_000_000_000
    exchange.end("upstream-error", "server closed connection")
    assert report.ended(exchange) == (
        "#0 POST api.example/v1/chat/completions  200  first byte 250 ms  1 piece, 3 bytes  1.25 s  "
        "upstream-error: server closed connection"
    )


def test_the_line_of_an_exchange_shows_no_query_and_nothing_that_a_terminal_would_obey(
    part: Part,
):
    request = msgspec.structs.replace(REQUEST, path=b"/a\x1b[31m\xc3\xa9?key=" + b"s" * 20)
    line = report.ended(part.begin(request))
    assert "api.example/a?[31m??  no response" in line
    request = msgspec.structs.replace(REQUEST, path=b"/a#access_token=" + b"s" * 20 + b"?x")
    assert "api.example/a  no response" in report.ended(part.begin(request))


def test_a_sync_that_fails_ends_the_recording_loudly(tmp_path: Path, monkeypatch, caplog):
    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("tokentape.cassette._writer._datasync", fails)
    told = threading.Event()
    loss = Loss(Clock(), on_error=told.set)
    part = Part(tmp_path / "a.tape", proxy="mitmproxy 1", loss=loss)
    exchange = part.begin(REQUEST)
    part.sync_soon()
    assert told.wait(10)
    exchange.piece(b"lost")
    exchange.end("complete")
    part.close()
    assert (loss.exchanges, loss.pieces) == (1, 1)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.endswith("THE RECORDING HAS STOPPED, the traffic goes on unrecorded: Input/output error")
    assert part.writer.closed
    with cassette.open(tmp_path / "a.tape") as tape:
        assert [type(record) for record in tape] == [cassette.Section, cassette.Request]


def test_a_note_is_of_the_section(part: Part, clock: Clock):
    clock.ns += 5
    assert part.note("a remark")
    assert records(part)[-1] == cassette.Note(t=5, text="a remark")


def test_clocks_that_move_apart_are_noted_once_each_time(tmp_path: Path, clock: Clock):
    asleep_ns = 0

    def wall() -> int:
        return 1_790_000_000_000_000_000 + clock.ns + asleep_ns

    part = Part(tmp_path / "a.tape", proxy="mitmproxy 1", clock=clock, wall=wall)
    for asleep_ns in (0, 999_999_999, 3_600 * 10**9, 3_600 * 10**9, -(10**9)):  # noqa: B007  (wall reads it)
        clock.ns += 10**9
        part.begin(REQUEST)
    part.close()
    assert [record.text for record in records(part) if isinstance(record, cassette.Note)] == [
        "the wall clock is 3600.000 s ahead of wall_ns + t",
        "the wall clock is -1.000 s ahead of wall_ns + t",
    ]


def test_a_time_of_the_wall_clock_is_right_also_when_the_clocks_have_moved_apart(tmp_path: Path):
    clock = Clock()
    wall_ns = 1_790_000_000 * 10**9
    part = Part(tmp_path / "a.tape", proxy="mitmproxy 1", clock=clock, wall=lambda: wall_ns)
    clock.ns += 5 * 10**9
    wall_ns += 3_605 * 10**9
    assert part.of_wall(wall_ns / 1e9 - 2) == 3 * 10**9
    part.close()


def test_a_retired_recording_is_closed_by_its_last_exchange(part: Part):
    first, last = part.begin(REQUEST), part.begin(REQUEST)
    part.retire()
    first.end("complete")
    assert not part.writer.closed
    last.piece(b"abc")
    last.end("complete")
    part._syncer._thread.join(10)
    assert records(part)[-1] == cassette.Close(t=0, exchanges=2, chunks=1, bytes=3)
    assert part.finished
