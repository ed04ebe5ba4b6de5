import io

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow, tutils
from msgspec.structs import replace

from tests.cassette.formats.files import exported, imported
from tests.cassette.tapes import CHUNKS, CLOSE, END, RECORDS, REQUEST, RESPONSE, SECTION
from tokentape import cassette
from tokentape.cassette.formats import NotTheFormat, _flows

S = 1_000_000_000


def saved(*flows):
    out = io.BytesIO()
    for flow in flows:
        FlowWriter(out).add(flow)
    return out.getvalue()


def stranger(**response):
    """A flow as mitmproxy makes it: times 946681200 (request), 946681202 (response)."""
    flow = tflow.tflow(resp=tutils.tresp(**response))
    flow.server_conn.timestamp_start = 946681199.5
    flow.server_conn.timestamp_tcp_setup = 946681199.75
    flow.server_conn.timestamp_tls_setup = None
    return flow


def only(data, lost=None):
    (exchange,) = cassette.exchanges(imported(_flows, data, lost))
    return exchange


def test_a_flow_has_the_times_of_its_headers_and_its_body_as_one_piece():
    exchange = only(saved(stranger(content=b"data: 1\n\n")))
    request, response = exchange.request, exchange.response
    assert exchange.section.wall_ns == 946681200 * S
    assert (request.times, request.t, request.t_end) == ("headers", 0, 1 * S)
    assert (response.t, exchange.end.t) == (2 * S, 3 * S)
    assert response.connect == cassette.Connect(tcp_start=-S // 2, tcp_end=-S // 4, tls_end=None)
    assert (request.method, request.host, request.port, request.path) == ("GET", "address", 22, b"/path")
    assert request.body == b"content"
    assert request.connection
    assert exchange.chunks == [cassette.Chunk(exchange=0, t=0, data=b"data: 1\n\n")]
    assert exchange.end == cassette.End(exchange=0, t=3 * S, reason="complete", chunks=1, bytes=9)


def test_a_connection_was_opened_for_the_first_of_its_flows():
    first = stranger()
    second = first.copy()
    assert first.server_conn.id == second.server_conn.id
    found = [each for each in imported(_flows, saved(first, second)) if isinstance(each, cassette.Response)]
    assert [each.connect is None for each in found] == [False, True]


def test_what_is_no_http_is_counted_and_left_out():
    flows = [tflow.ttcpflow(), tflow.tdnsflow(), tflow.twebsocketflow(), tflow.ttcpflow(), tflow.tudpflow()]
    lost: list[str] = []
    assert only(saved(*flows, stranger()), lost).response.status == 200
    assert lost == [
        f"a file: {count} of the flows are {kind}, which a cassette has no place for"
        for kind, count in (("WebSocket", 1), ("dns", 1), ("tcp", 2), ("udp", 1))
    ]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Client disconnected.", "client-closed"),
        ("Connection killed.", "recorder-stopped"),
        ("server closed connection", "upstream-error"),
    ],
)
def test_an_error_is_how_the_exchange_ended(message, reason):
    flow = tflow.tflow(err=True)
    flow.error.msg = message
    exchange = only(saved(flow))
    assert exchange.response is None
    assert (exchange.end.reason, exchange.end.detail) == (reason, message)


def test_times_that_are_decades_apart_are_none_of_one_exchange():
    flow = stranger()
    flow.response.timestamp_end = 2.0**31
    lost: list[str] = []
    imported(_flows, saved(flow), lost)
    assert lost == ["a file: flow 0: expected times of one exchange, found some 1200802448 s apart"]


def test_a_flow_that_never_ended_has_no_end():
    assert only(saved(tflow.tflow())).end is None


def test_bodies_that_mitmproxy_did_not_keep_are_said():
    flow = stranger()
    flow.response.raw_content = None
    flow.request.raw_content = None
    lost: list[str] = []
    assert only(saved(flow), lost).chunks == []
    assert lost == [
        f"a file: flow 0: the body of its {what}, which mitmproxy streamed and did not keep"
        for what in ("response", "request")
    ]


@pytest.mark.parametrize("data", [b"hello", b"5:hello,", b"\xff\xfe\xfd"])
def test_another_file_is_another_format(data):
    with pytest.raises(NotTheFormat, match="a file: expected mitmproxy's flows"):
        imported(_flows, data)


def test_an_archive_is_told_from_flows_since_mitmproxy_would_take_it_without_its_times(tmp_path):
    path = tmp_path / "a.flow"
    path.write_bytes(b'{"log": {}}')
    with path.open("rb") as file, pytest.raises(NotTheFormat, match="--from har"):
        list(_flows.read(file, "a", []))


def test_no_flows_are_no_exchanges():
    records = imported(_flows, b"")
    assert [type(each) for each in records] == [cassette.Section, cassette.Close]


def test_every_cut_gives_the_whole_flows_and_says_what_is_lost():
    one = exported(_flows, list(RECORDS))
    for cut in range(len(one) + 1, 2 * len(one), 97):
        lost: list[str] = []
        assert only((one * 2)[:cut], lost).body == b"".join(chunk.data for chunk in CHUNKS)
        (line,) = lost
        assert line.startswith("a file: what comes after flow 0: the file is cut off or damaged there: ")


def test_flipped_bits_raise_nothing_else():
    data = exported(_flows, list(RECORDS)) * 2
    for place in range(0, len(data), 29):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        lost: list[str] = []
        try:
            imported(_flows, bytes(flipped), lost)
        except NotTheFormat:
            assert place < len(data) // 2


def test_mitmproxy_reads_what_is_written_and_finds_the_recording_in_it():
    (flow,) = FlowReader(io.BytesIO(exported(_flows, list(RECORDS)))).stream()
    assert isinstance(flow, http.HTTPFlow)
    assert flow.request.pretty_url == "https://api.example/v1/chat/completions"
    assert flow.request.headers.get_all("x-twice") == ["1", "2"]
    assert flow.request.content == REQUEST.body
    assert flow.response.content == b"".join(chunk.data for chunk in CHUNKS)
    assert flow.request.timestamp_start == pytest.approx(SECTION.wall_ns / S, abs=1e-5)
    assert flow.response.timestamp_start == pytest.approx((SECTION.wall_ns + RESPONSE.t) / S, abs=1e-5)
    assert flow.response.timestamp_end == pytest.approx((SECTION.wall_ns + END.t) / S, abs=1e-5)
    assert flow.error is None


def test_an_exchange_that_broke_off_is_an_error_in_the_flow():
    records = [SECTION, REQUEST, replace(END, reason="client-closed", detail=""), CLOSE]
    (flow,) = FlowReader(io.BytesIO(exported(_flows, records))).stream()
    assert flow.error.msg == "client-closed"
    assert flow.response is None
    assert imported(_flows, exported(_flows, records)) == records
