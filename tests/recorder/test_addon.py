"""The addon's hooks on mitmproxy's own test flows; real processes are in tests/e2e."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mitmproxy import connection, ctx, exceptions, flow, http
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.test import tflow

from tokentape import cassette
from tokentape.recorder.addon import TapeAddon


@contextmanager
def mitmproxy_with(addon: TapeAddon) -> Iterator[Options]:
    """A mitmproxy that has the addon and does not run, by its options."""
    loop = asyncio.new_event_loop()
    master = Master(Options(), event_loop=loop)
    try:
        master.addons.add(addon)
        yield master.options
    finally:
        loop.run_until_complete(master.done())
        loop.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.tape"


@pytest.fixture
def addon(path: Path) -> Iterator[TapeAddon]:
    addon = TapeAddon()
    with mitmproxy_with(addon) as options:
        options.update(tape_out=str(path))
        addon.running()
        yield addon


def chat(path: str = "/v1/chat/completions", method: str = "POST") -> http.HTTPFlow:
    made = tflow.tflow()
    made.request.method = method
    made.request.path = path
    return made


def answer(addon: TapeAddon, of: http.HTTPFlow, content_type: str = "text/event-stream") -> None:
    """Take a flow through the hooks up to its response's headers."""
    addon.requestheaders(of)
    addon.request(of)
    of.response = http.Response.make(200, headers={"content-type": content_type})
    of.response.data.content = None
    addon.responseheaders(of)


def exchanges(path: Path) -> list[cassette.Exchange]:
    with cassette.open(path) as tape:
        return list(cassette.exchanges(tape))


def test_every_option_has_its_help():
    addon = TapeAddon()
    with mitmproxy_with(addon) as options:
        declared = [option for name, option in options.items() if name.startswith("tape_")]
        assert len(declared) == 10
        assert all(option.help for option in declared)


def test_nothing_is_recorded_without_an_output():
    addon = TapeAddon()
    with mitmproxy_with(addon):
        addon.running()
        made = chat()
        answer(addon, made)
        assert made.response
        assert made.response.stream is False
        assert addon.recording is None


def test_the_stream_function_returns_the_same_bytes_and_writes_them(addon: TapeAddon, path: Path):
    made = chat()
    answer(addon, made)
    assert made.response
    assert callable(made.response.stream)
    assert made.response.stream(b"one") == b"one"
    assert exchanges(path)[0].body == b"one"
    assert made.response.stream(b"") == b""
    addon.response(made)
    (exchange,) = exchanges(path)
    assert exchange.end
    assert (exchange.end.reason, exchange.end.chunks) == ("complete", 1)


def test_another_addons_stream_function_still_has_its_say(addon: TapeAddon, path: Path):
    made = chat()
    addon.requestheaders(made)
    addon.request(made)
    made.response = http.Response.make(200)
    made.response.stream = bytes.upper
    addon.responseheaders(made)
    assert made.response.stream(b"one") == b"ONE"
    assert exchanges(path)[0].body == b"one"


@pytest.mark.parametrize(
    ("method", "target", "content_type", "recorded"),
    [
        ("POST", "/v1/chat/completions", "application/json", True),
        ("POST", "/v1/chat/completions?api-version=2", "application/json", True),
        ("POST", "/openai/deployments/d/chat/completions", "text/event-stream", True),
        ("POST", "/v1/messages", "application/json", True),
        ("POST", "/v1/responses", "application/json", True),
        ("POST", "/v1beta/models/m:streamGenerateContent?alt=sse", "application/json", True),
        ("POST", "/api/chat", "application/x-ndjson", True),
        ("GET", "/anything", "text/event-stream; charset=utf-8", True),
        ("GET", "/v1/models", "application/json", False),
        ("GET", "/v1/chat/completions", "application/json", False),
        ("POST", "/v1/messages/batches", "application/json", False),
        ("POST", "/login", "text/html", False),
    ],
)
def test_the_default_filter_takes_model_calls_and_event_streams(
    addon: TapeAddon, path: Path, method: str, target: str, content_type: str, recorded: bool
):
    made = chat(target, method)
    answer(addon, made, content_type)
    assert len(exchanges(path)) == recorded
    assert addon.passed_over == (not recorded)


def test_a_request_taken_up_at_its_response_keeps_the_times_of_the_request(addon: TapeAddon, path: Path):
    made = chat("/other", "GET")
    addon.requestheaders(made)
    addon.request(made)
    assert addon.recording
    between = addon.recording.current.now()
    made.response = http.Response.make(200, headers={"content-type": "text/event-stream"})
    addon.responseheaders(made)
    (exchange,) = exchanges(path)
    assert exchange.request
    assert exchange.response
    assert exchange.request.t <= exchange.request.t_end < between < exchange.response.t


def test_a_request_body_that_is_streamed_past_mitmproxy_is_kept(addon: TapeAddon, path: Path):
    made = chat()
    made.request.stream = True
    made.request.data.content = None
    addon.requestheaders(made)
    assert callable(made.request.stream)
    for piece in (b'{"model"', b': "m"}', b""):
        assert made.request.stream(piece) == piece
    addon.request(made)
    (exchange,) = exchanges(path)
    assert exchange.request
    assert exchange.request.body == b'{"model": "m"}'


def test_an_answer_that_comes_before_the_whole_request_says_that_the_rest_is_not_here(
    addon: TapeAddon, path: Path
):
    made = chat()
    made.request.stream = True
    made.request.data.content = None
    addon.requestheaders(made)
    assert callable(made.request.stream)
    made.request.stream(b'{"model"')
    made.response = http.Response.make(200, headers={"content-type": "text/event-stream"})
    addon.responseheaders(made)
    (exchange,) = exchanges(path)
    assert exchange.request
    assert exchange.response
    assert exchange.request.body == b'{"model"'
    assert exchange.request.t < exchange.request.t_end <= exchange.response.t
    assert ["before the request was complete" in note.text for note in exchange.notes] == [True]


def test_an_answer_that_another_addon_made_is_one_piece(addon: TapeAddon, path: Path):
    made = chat()
    addon.requestheaders(made)
    addon.request(made)
    made.response = http.Response.make(200, b"made up")
    addon.responseheaders(made)
    addon.response(made)
    assert [chunk.data for chunk in exchanges(path)[0].chunks] == [b"made up"]


def test_trailers_are_kept(addon: TapeAddon, path: Path):
    made = chat()
    answer(addon, made)
    assert made.response
    made.response.trailers = http.Headers([(b"x-end", b"1")])
    addon.response(made)
    end = exchanges(path)[0].end
    assert end
    assert end.trailers == ((b"x-end", b"1"),)


@pytest.mark.parametrize(
    ("message", "client_connected", "reason"),
    [
        ("Client disconnected.", False, "client-closed"),
        ("server closed connection", True, "upstream-error"),
        ("HTTP/1 protocol error: peer closed connection", True, "upstream-error"),
        (flow.Error.KILLED_MESSAGE, True, "recorder-stopped"),
    ],
)
def test_the_reason_of_an_ending_is_the_side_that_caused_it(
    addon: TapeAddon, path: Path, message: str, client_connected: bool, reason: str
):
    made = chat()
    answer(addon, made)
    if client_connected:
        made.client_conn.state = connection.ConnectionState.OPEN
    else:
        made.client_conn.state = connection.ConnectionState.CLOSED
    made.error = flow.Error(message)
    addon.error(made)
    end = exchanges(path)[0].end
    assert end
    assert (end.reason, end.detail) == (reason, message)


@pytest.mark.parametrize(
    ("http_version", "reason", "detail"),
    [
        ("HTTP/2.0", "client-closed", "stream reset by client (CANCEL)"),
        ("HTTP/1.1", "upstream-error", "stream reset by upstream (CANCEL)"),
    ],
)
def test_only_a_client_that_has_streams_can_have_reset_one(
    addon: TapeAddon, path: Path, http_version: str, reason: str, detail: str
):
    made = chat()
    made.request.http_version = http_version
    answer(addon, made)
    made.client_conn.state = connection.ConnectionState.OPEN
    made.error = flow.Error("stream reset by client (CANCEL)")
    addon.error(made)
    end = exchanges(path)[0].end
    assert end
    assert (end.reason, end.detail) == (reason, detail)


def test_an_expectation_that_mitmproxy_answers_is_recorded(addon: TapeAddon, path: Path):
    made = chat()
    made.request.headers["Expect"] = "100-continue"
    came = made.request.headers.fields
    addon.requestheaders(made)
    made.request.headers.pop("expect")  # mitmproxy does so between the two hooks
    addon.request(made)
    request = exchanges(path)[0].request
    assert request
    assert request.headers == came


def test_headers_that_another_addon_changes_are_recorded_as_they_go_on(addon: TapeAddon, path: Path):
    made = chat()
    addon.requestheaders(made)
    made.request.headers["x-added"] = "1"
    addon.request(made)
    request = exchanges(path)[0].request
    assert request
    assert request.headers[-1] == (b"x-added", b"1")


def test_requests_that_break_off_are_counted_and_are_no_exchanges(addon: TapeAddon, path: Path):
    made = chat()
    addon.requestheaders(made)
    made.error = flow.Error("Client disconnected.")
    addon.error(made)
    assert exchanges(path) == []
    assert addon.unfinished == 1


def test_connect_times_are_told_once_for_each_connection(addon: TapeAddon, path: Path):
    first, second = chat(), chat()
    second.server_conn = first.server_conn
    for made in (first, second):
        answer(addon, made)
    told = [exchange.response and exchange.response.connect for exchange in exchanges(path)]
    assert told[0] is not None
    assert told[1] is None


def test_changing_the_output_while_running_begins_another_cassette(addon: TapeAddon, path: Path):
    answer(addon, chat())
    other = path.with_name("b.tape")
    ctx.options.update(tape_out=str(other))
    answer(addon, chat())
    (stopped,) = exchanges(path)
    assert stopped.end
    assert stopped.end.reason == "recorder-stopped"
    assert len(exchanges(other)) == 1


def test_an_existing_file_is_refused_unless_it_may_be_replaced(path: Path):
    path.write_text("precious")
    addon = TapeAddon()
    with mitmproxy_with(addon) as options:
        with pytest.raises(exceptions.OptionsError, match="exists"):
            options.update(tape_out=str(path))
        options.update(tape_overwrite=True, tape_out=str(path))


def test_a_filter_that_cannot_be_parsed_is_refused():
    addon = TapeAddon()
    with mitmproxy_with(addon) as options, pytest.raises(exceptions.OptionsError, match="tape_filter"):
        options.update(tape_filter="~u (")


def test_rules_that_are_wrong_or_not_there_are_refused(tmp_path: Path):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[[shape]]\nname = 'a'\n")
    with mitmproxy_with(TapeAddon()) as options:
        for rules, why in (
            (wrong, "missing required field `regex`"),
            (tmp_path / "none.toml", "No such file"),
        ):
            with pytest.raises(exceptions.OptionsError, match=why):
                options.update(tape_redact_rules=str(rules))


@pytest.mark.parametrize("redact", [True, False])
def test_secrets_are_replaced_unless_that_is_switched_off_with_a_warning(path: Path, redact: bool, caplog):
    addon = TapeAddon()
    with mitmproxy_with(addon) as options:
        options.update(tape_out=str(path), tape_redact=redact)
        addon.running()
        made = chat("/v1/chat/completions?key=" + "s" * 20)
        made.request.headers["authorization"] = "s" * 20
        addon.requestheaders(made)
        addon.request(made)
    assert path.read_bytes().count(b"s" * 20) == (0 if redact else 2)
    assert ("NOTHING IS REDACTED" in caplog.text) is not redact


def test_more_rules_are_added_to_the_default_ones(path: Path, tmp_path: Path):
    (tmp_path / "ours.toml").write_text('[[header]]\nname = "ours"\nheaders = ["x-ours"]\n')
    addon = TapeAddon()
    with mitmproxy_with(addon) as options:
        options.update(tape_out=str(path), tape_redact_rules=str(tmp_path / "ours.toml"))
        addon.running()
        made = chat()
        made.request.headers["x-ours"] = made.request.headers["cookie"] = "s" * 20
        addon.requestheaders(made)
        addon.request(made)
    (exchange,) = exchanges(path)
    assert exchange.request
    assert {(b"x-ours", b"[redacted ours]"), (b"cookie", b"[redacted cookie]")} < set(
        exchange.request.headers
    )
