"""The addon over a long life: commands, counts of what it passed over, and what it keeps."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mitmproxy import ctx, exceptions, flow, http
from mitmproxy.test import tflow

from tests.recorder.test_addon import answer, chat, exchanges, mitmproxy_with
from tokentape import cassette
from tokentape.recorder import _connections
from tokentape.recorder._part import LiveExchange
from tokentape.recorder.addon import TapeAddon


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def idle(said: list[str]) -> Iterator[TapeAddon]:
    """The addon in a mitmproxy that records to nothing yet."""
    addon = TapeAddon(say=said.append)
    with mitmproxy_with(addon):
        addon.running()
        yield addon


def run(command: str) -> None:
    ctx.master.commands.execute(command)


def whole(addon: TapeAddon, made: http.HTTPFlow | None = None) -> None:
    """Take a flow through all hooks."""
    made = made or chat()
    answer(addon, made)
    assert made.response
    assert callable(made.response.stream)
    made.response.stream(b"one")
    addon.response(made)


def notes(path: Path) -> list[str]:
    with cassette.open(path) as tape:
        return [record.text for record in tape if isinstance(record, cassette.Note)]


def test_commands_start_note_rotate_and_stop_the_recording(idle: TapeAddon, tmp_path: Path, said: list[str]):
    whole_path, second = tmp_path / "a b.tape", tmp_path / "a b-0002.tape"
    run(f"tape.start '{whole_path}'")
    whole(idle)
    run("tape.note 'the model' changed")
    run("tape.rotate")
    whole(idle)
    whole(idle)
    run("tape.stop")
    assert (len(exchanges(whole_path)), len(exchanges(second))) == (1, 2)
    assert notes(whole_path) == ["the model changed"]
    assert said[-1].startswith("recorded 3 exchanges")
    assert ctx.options.tape_out == ""


@pytest.mark.parametrize("command", ["tape.stop", "tape.note x", "tape.rotate"])
def test_without_a_recording_a_command_says_what_begins_one(idle: TapeAddon, command: str):
    with pytest.raises(exceptions.CommandError, match=r"tape\.start begins it"):
        run(command)


def test_a_start_that_fails_leaves_the_recording_as_it_was(idle: TapeAddon, tmp_path: Path):
    path = tmp_path / "a.tape"
    taken = tmp_path / "taken.tape"
    taken.write_text("precious")
    run(f"tape.start {path}")
    for other, said in (
        (taken, "taken.tape exists"),
        (tmp_path / "none" / "b.tape", "No such file"),
        (tmp_path / "b.tape.zst", "record to .*b.tape, and compress"),
        (path, "is being recorded to"),
    ):
        with pytest.raises(exceptions.CommandError, match=said):
            run(f"tape.start {other}")
    whole(idle)
    assert ctx.options.tape_out == str(path)
    assert len(exchanges(path)) == 1
    assert sorted(tmp_path.iterdir()) == [path, taken]


def test_what_is_under_way_when_the_recording_stops_ends_there_and_is_not_in_the_next(
    idle: TapeAddon, tmp_path: Path
):
    first, second = tmp_path / "a.tape", tmp_path / "b.tape"
    run(f"tape.start {first}")
    streaming, waiting, undecided = chat(), chat(), chat("/other", "GET")
    answer(idle, streaming)
    for made in (waiting, undecided):
        idle.requestheaders(made)
        idle.request(made)
    run("tape.stop")
    run(f"tape.start {second}")
    assert streaming.response
    assert callable(streaming.response.stream)
    assert streaming.response.stream(b"later") == b"later"
    for made in (waiting, undecided):
        made.response = http.Response.make(200, headers={"content-type": "text/event-stream"})
        idle.responseheaders(made)
        assert made.response.stream is False
    for made in (streaming, waiting, undecided):
        idle.response(made)
    assert [exchange.end and exchange.end.reason for exchange in exchanges(first)] == ["recorder-stopped"] * 2
    assert exchanges(second) == []
    assert idle.passed_over == 0


def test_what_was_under_way_when_the_recording_started_is_not_recorded_from_its_middle(
    idle: TapeAddon, tmp_path: Path
):
    made = chat()
    idle.requestheaders(made)
    run(f"tape.start {tmp_path / 'a.tape'}")
    idle.request(made)
    made.response = http.Response.make(200)
    idle.responseheaders(made)
    idle.response(made)
    assert exchanges(tmp_path / "a.tape") == []


def fail(addon: TapeAddon) -> None:
    assert addon.recording
    addon.recording.current.fail(OSError(28, "No space left on device"))


@pytest.mark.parametrize("how", ["tape.start", "tape.rotate"])
def test_a_recording_that_failed_stays_stopped_until_it_is_told_otherwise(
    idle: TapeAddon, tmp_path: Path, said: list[str], how: str
):
    path, other = tmp_path / "a.tape", tmp_path / "a-0002.tape"
    ctx.options.update(tape_rotate_size="1kB")
    run(f"tape.start {path}")
    under_way = chat()
    answer(idle, under_way)
    fail(idle)
    for _ in range(3):
        whole(idle)
    assert sorted(tmp_path.iterdir()) == [path]
    with pytest.raises(exceptions.CommandError, match="stopped"):
        run("tape.note lost")
    run("tape.rotate" if how == "tape.rotate" else f"tape.start {other}")
    whole(idle)
    idle.response(under_way)
    run("tape.stop")
    assert len(exchanges(other)) == 1
    assert len(exchanges(path)) == 1
    assert [(failed, error.errno) for failed, error in idle.failures] == [(str(path), 28)]
    assert "INCOMPLETE" in next(line for line in said if line.startswith("recorded"))
    assert "INCOMPLETE" not in said[-1]


def test_a_recording_that_failed_can_go_on_in_its_own_file(idle: TapeAddon, tmp_path: Path):
    ctx.options.update(tape_append=True)
    for _ in range(2):
        run(f"tape.start {tmp_path / 'a.tape'}")
        whole(idle)
        fail(idle)
    run("tape.stop")
    assert [exchange.section_index for exchange in exchanges(tmp_path / "a.tape")] == [0, 1]
    assert len(idle.failures) == 2


def test_when_told_to_stop_on_an_error_the_proxy_is_shut_down(
    idle: TapeAddon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stopped: list[int] = []
    monkeypatch.setattr(ctx.master, "shutdown", lambda: stopped.append(1))
    for policy in ("continue", "stop"):
        ctx.options.update(tape_on_write_error=policy)
        run(f"tape.start {tmp_path / policy}.tape")
        fail(idle)
    assert stopped == [1]


def test_appending_goes_on_in_the_newest_part_where_parts_may_follow(idle: TapeAddon, tmp_path: Path):
    ctx.options.update(tape_append=True)
    for every, parts in (("", (1, 0)), ("1h", (2, 0)), ("1h", (2, 1)), ("", (3, 1))):
        ctx.options.update(tape_rotate_every=every)
        run(f"tape.start {tmp_path / 'a.tape'}")
        whole(idle)
        if parts == (2, 0):
            run("tape.rotate")
        run("tape.stop")
        found = [tmp_path / name for name in ("a.tape", "a-0002.tape")]
        assert tuple(len(exchanges(part)) if part.exists() else 0 for part in found) == parts


def test_stopping_makes_nobody_wait_for_the_disk_and_its_error_counts_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    disk = threading.Event()

    def fails(_: int) -> None:
        disk.wait(30)
        raise OSError(5, "Input/output error")

    addon = TapeAddon(say=lambda _: None)
    with mitmproxy_with(addon):
        addon.running()
        run(f"tape.start {tmp_path / 'a.tape'}")
        whole(addon)
        monkeypatch.setattr("tokentape.cassette._writer._datasync", fails)
        run("tape.stop")
        assert not disk.is_set()
        assert addon.failures == []
        disk.set()
    assert [error.errno for _, error in addon.failures] == [5]


def test_limits_can_be_changed_while_running(idle: TapeAddon, tmp_path: Path):
    run(f"tape.start {tmp_path / 'a.tape'}")
    whole(idle)
    ctx.options.update(tape_rotate_size="1B")
    whole(idle)
    assert [len(exchanges(path)) for path in sorted(tmp_path.iterdir())] == [1, 1]


def test_the_clock_of_the_loop_begins_the_part_that_is_due(idle: TapeAddon, tmp_path: Path):
    run(f"tape.start {tmp_path / 'a.tape'}")
    whole(idle)
    ctx.options.update(tape_rotate_every="1s")
    assert idle.recording
    idle.recording.current.start_ns -= 10**9
    idle._tick()
    assert idle.recording.count == 2


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("tape_rotate_size", "large"),
        ("tape_rotate_every", "1 century"),
        ("tape_label", ["nightly"]),
        ("tape_out", "a.tape.zst"),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_the_options_name(
    idle: TapeAddon, option: str, value: object
):
    with pytest.raises(exceptions.OptionsError, match=option):
        ctx.options.update(**{option: value})


def killed(addon: TapeAddon, made: http.HTTPFlow) -> None:
    addon.requestheaders(made)
    addon.request(made)
    made.error = flow.Error(flow.Error.KILLED_MESSAGE)
    addon.error(made)


def refused(addon: TapeAddon, made: http.HTTPFlow) -> None:
    addon.requestheaders(made)
    addon.request(made)
    made.error = flow.Error("connection refused")
    addon.error(made)


def cut_off(addon: TapeAddon, made: http.HTTPFlow) -> None:
    addon.requestheaders(made)
    made.error = flow.Error("Client disconnected.")
    addon.error(made)


def upgraded(addon: TapeAddon, made: http.HTTPFlow) -> None:
    addon.requestheaders(made)
    addon.request(made)
    made.response = http.Response.make(101, headers={"upgrade": "websocket"})
    addon.responseheaders(made)
    addon.response(made)


def answered(addon: TapeAddon, made: http.HTTPFlow) -> None:
    answer(addon, made, "text/html")
    addon.response(made)


def broken_off(addon: TapeAddon, made: http.HTTPFlow) -> None:
    answer(addon, made, "text/html")
    made.error = flow.Error("server closed connection")
    addon.error(made)


@pytest.mark.parametrize("how", [killed, refused, upgraded, answered, broken_off])
def test_a_request_that_is_not_recorded_is_counted_once_whatever_becomes_of_it(
    idle: TapeAddon,
    tmp_path: Path,
    how: Callable[[TapeAddon, http.HTTPFlow], None],
):
    run(f"tape.start {tmp_path / 'a.tape'}")
    for count in (1, 2):
        how(idle, chat("/other", "GET"))
        assert idle.passed_over == count


def test_a_request_that_its_client_gave_up_is_counted_apart(idle: TapeAddon, tmp_path: Path, said: list[str]):
    run(f"tape.start {tmp_path / 'a.tape'}")
    cut_off(idle, chat())
    cut_off(idle, chat("/other", "GET"))
    assert (idle.passed_over, idle.unfinished) == (0, 2)
    run("tape.stop")
    assert said[-1].endswith("a.tape; 2 requests given up by the client before being sent on")


def test_a_request_that_is_undecided_when_the_recording_stops_is_counted(
    idle: TapeAddon, tmp_path: Path, said
):
    run(f"tape.start {tmp_path / 'a.tape'}")
    made = chat("/other", "GET")
    idle.requestheaders(made)
    run("tape.stop")
    idle.request(made)
    assert said[-1].endswith("passed over 1 that the filter does not match")


def live_exchanges() -> int:
    gc.collect()
    return sum(type(kept) is LiveExchange for kept in gc.get_objects())


def test_nothing_of_a_finished_exchange_is_kept_over_many_parts(tmp_path: Path):
    """Of thousands of exchanges that are answered, broken off or passed over, nothing but counts stays."""
    ended: list[int] = []
    addon = TapeAddon(on_end=lambda exchange: ended.append(exchange.number), say=lambda _: None)
    flows: list[weakref.ref[http.HTTPFlow]] = []
    with mitmproxy_with(addon) as options:
        addon.running()
        options.update(tape_rotate_size="100kB", tape_out=str(tmp_path / "a.tape"))
        for number in range(3_000):
            made = chat()
            made.server_conn = tflow.tserver_conn()
            flows.append(weakref.ref(made))
            match number % 3:
                case 0:
                    whole(addon, made)
                case 1:
                    answer(addon, made)
                    made.error = flow.Error("server closed connection")
                    addon.error(made)
                case _:
                    made.request.method = "GET"
                    answered(addon, made)
            del made
        assert len(ended) == 2_000
        assert len(list(tmp_path.iterdir())) > 5
        assert live_exchanges() == 0
        assert [ref for ref in flows if ref() is not None] == []
        assert len(addon._known) == len(addon._used_servers) == 0
        assert addon.recording
        for earlier in addon.recording._earlier:
            assert earlier.live == {}
            earlier.close()
        addon.recording.rotate()
        assert len(addon.recording._earlier) == 1
        assert addon.recording.counts.exchanges == 2_000


def test_a_flow_that_mitmproxy_keeps_does_not_keep_the_exchange(idle: TapeAddon, tmp_path: Path):
    run(f"tape.start {tmp_path / 'a.tape'}")
    kept = chat()
    answer(idle, kept)
    assert live_exchanges() == 1
    idle.response(kept)
    assert live_exchanges() == 0
    # what mitmproxy saves with the flow says where in which cassette it is, and nothing else
    assert {name: set(mark) for name, mark in kept.get_state()["metadata"].items()} == {
        "tokentape.recorded": {"path", "offset"}
    }


def test_a_flow_that_mitmproxy_keeps_does_not_keep_its_connection(idle: TapeAddon, tmp_path: Path):
    run(f"tape.start {tmp_path / 'a.tape'}")
    for how in (idle.response, idle.error):
        kept = chat()
        answer(idle, kept)
        _connections._readers[kept] = asyncio.StreamReader(loop=ctx.master.event_loop)
        how(kept)
        assert kept not in _connections._readers


def test_a_mitmproxy_of_ones_own_exits_with_1_if_something_went_unrecorded(monkeypatch: pytest.MonkeyPatch):
    from tokentape.recorder.addon import _ExitStatus

    tape = TapeAddon()
    status = _ExitStatus(tape)
    failures: list[tuple[str, OSError]] = []
    monkeypatch.setattr(TapeAddon, "failures", failures)

    async def main() -> None:
        status.done()

    asyncio.run(main())
    failures.append(("a.tape", OSError(28, "No space left on device")))
    with pytest.raises(SystemExit) as exit_:
        asyncio.run(main())
    assert exit_.value.code == 1
