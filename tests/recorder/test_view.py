"""Recorded answers inside mitmproxy, on its own flows, views and addons, of version 11 and 12."""

import asyncio
import gzip
import io
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy import contentviews, exceptions, http
from mitmproxy.addons import view
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.master import Master
from mitmproxy.options import Options

from tests.analysis.tapes import chunk, data
from tests.recorder.test_addon import answer, chat
from tokentape.recorder import _bodies, _view
from tokentape.recorder.addon import TapeAddon

PIECES = (data(chunk({"content": "Hel"})), data(chunk({"content": "lo"}, "stop")))


class Proxy:
    """A mitmproxy that records, with somebody to look; flows are taken through all its addons."""

    def __init__(self, path: Path, *, looks: bool = True) -> None:
        self.loop = asyncio.new_event_loop()
        self.master = Master(Options(), event_loop=self.loop)
        self.tape = TapeAddon()
        self.shown = _view.Shown()
        self.addons = [*([view.View()] if looks else []), self.tape, self.shown]
        self.master.addons.add(*self.addons)
        self.master.options.update(tape_out=str(path))
        self.tape.running()

    def close(self) -> None:
        self.loop.run_until_complete(self.master.done())
        self.loop.close()

    def begin(self, content_type: str = "text/event-stream") -> http.HTTPFlow:
        made = chat()
        answer(self.tape, made, content_type)
        self.shown.responseheaders(made)
        return made

    def end(self, of: http.HTTPFlow, *pieces: bytes, how: str = "response") -> http.HTTPFlow:
        for piece in pieces:
            assert of.response.stream(piece) == piece
        for addon in (self.tape, self.shown):
            getattr(addon, how)(of)
        return of

    def whole(self, *pieces: bytes) -> http.HTTPFlow:
        return self.end(self.begin(), *(pieces or PIECES))

    def run(self, command: str, *arguments: object) -> object:
        return self.master.commands.call_strings(command, [str(each) for each in arguments])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.tape"


@pytest.fixture
def proxy(path: Path) -> Iterator[Proxy]:
    made = Proxy(path)
    yield made
    made.close()


def shown(of: http.HTTPFlow, name: str = "auto") -> tuple[str, str]:
    """What mitmproxy shows of a flow's answer, and in which view, asked as its console asks."""
    assert of.response
    if hasattr(contentviews, "prettify_message"):
        found = contentviews.prettify_message(of.response, of, name)
        return found.text, found.view_name
    title, lines, error = contentviews.get_message_content_view(name, of.response, of)
    assert error is None
    return "\n".join("".join(text for _, text in line) for line in lines), title


def test_a_recorded_stream_is_shown_as_text_with_times(proxy: Proxy):
    text, name = shown(proxy.whole())
    assert name == "tokentape"
    assert " ms  content    | Hello" in text
    assert " ms  finish     | stop" in text
    assert "first byte" in text


def test_the_body_is_what_came_and_other_views_show_it(proxy: Proxy):
    made = proxy.whole()
    assert made.response
    assert made.response.raw_content == b"".join(PIECES)
    assert '"content": "Hel"' in shown(made, "raw")[0]


def test_what_was_not_recorded_is_left_to_other_views(proxy: Proxy):
    made = chat("/other", "GET")
    made.response = http.Response.make(200, b'{"a": 1}', {"content-type": "application/json"})
    assert "ms" not in shown(made)[0]
    json = proxy.end(proxy.begin("application/json"), b'{"a": 1}')
    assert shown(json)[1] != "tokentape"
    assert '"a": 1' in shown(json)[0]


def test_each_flow_shows_its_own_exchange_also_side_by_side(proxy: Proxy):
    flows = [proxy.begin() for _ in range(5)]
    for turn in range(3):
        for number, made in enumerate(flows):
            made.response.stream(data(chunk({"content": f"{number}.{turn} "})))
    for number, made in enumerate(flows):
        proxy.end(made)
        assert f"content    | {number}.0 {number}.1 {number}.2" in shown(made)[0]


def test_a_flow_shows_its_exchange_when_something_else_is_recorded_to(proxy: Proxy, path: Path):
    first = proxy.whole()
    proxy.master.options.update(tape_out=str(path.with_name("b.tape")))
    second = proxy.whole(data(chunk({"content": "second"})))
    assert "Hello" in shown(first)[0]
    assert "second" in shown(second)[0]
    proxy.master.options.update(tape_out="")
    assert "Hello" in shown(first)[0]


def test_a_flow_is_found_also_behind_a_note_that_the_clocks_moved_apart(proxy: Proxy):
    recording = proxy.tape.recording
    assert recording
    recording.current.wall_ns -= 10**10  # as if the wall clock had been set ten seconds ahead
    text, _ = shown(proxy.whole())
    assert " ms  content    | Hello" in text


@pytest.mark.parametrize("how", ["removed", "replaced", "emptied"])
def test_a_recording_that_is_gone_is_said_and_not_made_up(proxy: Proxy, path: Path, how: str):
    made = proxy.whole()
    proxy.master.options.update(tape_out="")
    path.rename(path.with_name("old.tape"))
    if how == "replaced":
        proxy.master.options.update(tape_out=str(path))
        proxy.whole(data(chunk({"content": "another"})))
    elif how == "emptied":
        path.touch()
    with pytest.raises(ValueError, match=r"replaced|cannot be read"):
        _view.text_of(made, with_request=False)
    with pytest.raises(exceptions.CommandError):
        proxy.shown.show(made)
    assert "another" not in shown(made, "raw")[0]


def test_the_answer_of_a_stream_that_broke_off_is_shown_as_far_as_it_came(proxy: Proxy):
    made = proxy.end(proxy.begin(), PIECES[0], how="error")
    assert "content    | Hel" in shown(made)[0]


def test_compressed_answers_are_decoded(proxy: Proxy):
    made = chat()
    proxy.tape.requestheaders(made)
    proxy.tape.request(made)
    headers = {"content-type": "text/event-stream; charset=utf-8", "content-encoding": "gzip"}
    made.response = http.Response.make(200, headers=headers)
    made.response.data.content = None
    proxy.tape.responseheaders(made)
    proxy.shown.responseheaders(made)
    proxy.end(made, gzip.compress(b"".join(PIECES)))
    assert "content    | Hello" in shown(made)[0]


def test_show_is_a_command_that_gives_lines_also_of_what_is_under_way(proxy: Proxy):
    made = proxy.begin()
    made.response.stream(PIECES[0])
    made.response.stream(data(chunk({"content": "\x1b[31m"})))
    proxy.master.addons.get("view").add([made])
    lines = proxy.run("tape.show", "@focus")
    assert isinstance(lines, list)
    assert lines[0].startswith("#0 POST http://address:22/v1/chat/completions")
    assert not any("\x1b" in line for line in lines)
    assert any("content    | Hel" in line for line in lines)
    assert any("still under way" in line for line in lines)
    with pytest.raises(exceptions.CommandError, match="not recorded"):
        proxy.shown.show(chat())


def test_the_latest_bodies_are_kept_and_no_more_than_the_limit(proxy: Proxy):
    proxy.master.options.update(tape_show_mib=1)
    flows = [proxy.whole(b"data: %s\n\n" % (b"x" * 300_000)) for _ in range(6)]
    kept = [made.response.raw_content is not None for made in flows]
    assert kept == [False, False, False, True, True, True]
    proxy.master.options.update(tape_show_mib=0)
    assert all(made.response.raw_content is None for made in flows)
    assert proxy.whole().response.raw_content is None
    with pytest.raises(exceptions.OptionsError):
        proxy.master.options.update(tape_show_mib=-1)


def test_no_more_flows_are_kept_than_a_number(proxy: Proxy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_bodies, "MOST_FLOWS", 3)
    flows = [proxy.whole() for _ in range(5)]
    assert [made.response.raw_content is not None for made in flows] == [False, False, True, True, True]


def test_only_the_answer_is_shown_as_one(proxy: Proxy):
    made = proxy.whole()
    assert _view._priority(made, made.response, "text/event-stream") > 1
    assert _view._priority(made, made.request, "text/event-stream") < 0
    assert _view._priority(made, None, "text/event-stream") < 0
    with pytest.raises(ValueError, match="expected the answer"):
        _view._text_for_view(made, made.request)


def test_answers_under_way_count_towards_the_limit(proxy: Proxy):
    proxy.master.options.update(tape_show_mib=1)
    long, short = proxy.begin(), proxy.begin()
    for _ in range(5):
        long.response.stream(bytes(250_000))
        assert proxy.shown._bodies._size <= 1 << 20
    assert proxy.end(long).response.raw_content is None
    assert proxy.end(short, *PIECES).response.raw_content == b"".join(PIECES)


def test_body_brings_back_what_is_not_kept_any_more(proxy: Proxy):
    made = proxy.whole()
    proxy.master.options.update(tape_show_mib=0)
    proxy.master.options.update(tape_show_mib=1)
    assert made.response.raw_content is None
    proxy.master.addons.get("view").add([made])
    proxy.run("tape.body", "@focus")
    assert made.response.raw_content == b"".join(PIECES)
    under_way = proxy.begin()
    with pytest.raises(exceptions.CommandError, match="under way"):
        proxy.shown.body([under_way])


def test_a_body_that_a_user_has_edited_stays(proxy: Proxy):
    made = proxy.whole()
    made.response.raw_content = b"edited"
    proxy.master.options.update(tape_show_mib=0)
    assert made.response.raw_content == b"edited"


def test_nothing_is_kept_where_nobody_looks(path: Path):
    proxy = Proxy(path, looks=False)
    try:
        made = proxy.whole()
        assert made.response.raw_content is None
        assert any("Hello" in line for line in proxy.shown.show(made))
    finally:
        proxy.close()


def test_memory_stays_flat_over_many_flows(proxy: Proxy):
    proxy.master.options.update(tape_show_mib=1)

    flows = []

    def record(count: int) -> None:
        flows.extend(proxy.whole(b"data: %s\n\n" % (b"x" * 40_000)) for _ in range(count))

    record(100)
    tracemalloc.start()
    try:
        record(300)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 8 << 20  # the flows themselves, and 1 MiB of bodies, of 12 that passed
    assert sum(made.response.raw_content is not None for made in flows) == 26


def test_a_flow_that_mitmproxy_saves_can_still_be_shown(proxy: Proxy):
    file = io.BytesIO()
    FlowWriter(file).add(proxy.whole())
    file.seek(0)
    (made,) = FlowReader(file).stream()
    assert "Hello" in _view.text_of(made, with_request=True)


def test_looking_reads_no_more_than_its_limit(proxy: Proxy, path: Path):
    made = proxy.whole(data(chunk({"content": "a" * 5_000})), data(chunk({"content": "b" * 5_000})))
    text = _view.text_of(made, with_request=False, max_bytes=6_500)
    assert "aaa" in text
    assert "bbb" not in text
    assert f"tokentape cat {path} --exchange 0" in text
    assert os.path.getsize(path) > 10_000


def test_an_addon_that_is_loaded_again_has_its_view_again(path: Path):
    for number in range(2):
        proxy = Proxy(path.with_name(f"{number}.tape"))
        assert "Hello" in shown(proxy.whole())[0]
        proxy.close()


def test_the_addon_file_brings_the_view():
    from tokentape.recorder.addon import addons

    assert any(isinstance(each, _view.Shown) for each in addons)
