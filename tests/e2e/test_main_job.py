"""A real client through a real mitmproxy to a real server, then the cassette, the replay and the tables."""

import re
import stat

from tests.e2e.conftest import Session
from tests.streams import Stream

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


def end_to_end(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]


def test_the_client_sees_the_same_bytes_as_without_the_recorder(session: Session, stream: Stream):
    raw = session.seen[stream.name].raw
    status, headers, body = raw["recorded"]
    assert (status, body) == (200, stream.body)
    date = [value for name, value in headers if name == "Date"]
    assert [(n, v if n != "Date" else date[0]) for n, v in raw["directly"][1]] == headers


def test_openai_sees_the_same_completion_as_without_the_recorder(session: Session, stream: Stream):
    completions = session.seen[stream.name].completions
    assert completions["directly"]
    assert completions["recorded"] == completions["directly"]


def test_the_cassette_holds_exactly_the_bytes_and_the_pieces(session: Session, stream: Stream):
    by_raw_client, by_openai = session.exchanges[stream.name]
    assert by_raw_client.end
    assert by_raw_client.end.reason == "complete"
    assert by_raw_client.body == stream.body
    for exchange in (by_raw_client, by_openai):
        assert exchange.end
        assert (exchange.end.chunks, exchange.end.bytes) == (len(exchange.chunks), len(exchange.body))
        # `openai` hangs up at [DONE] or at an error: what comes after that is not there to be recorded
        assert stream.body.startswith(exchange.body)
        if len(stream.body) < 60_000:  # what fits into one read of mitmproxy's is never cut by it
            assert tuple(chunk.data for chunk in exchange.chunks) == stream.pieces[: len(exchange.chunks)]


def test_times_in_the_cassette_rise_from_the_request_to_the_end(session: Session, stream: Stream):
    for exchange in session.exchanges[stream.name]:
        assert exchange.request
        assert exchange.response
        assert exchange.end
        times = [
            exchange.request.t,
            exchange.request.t_end,
            exchange.response.t,
            *[chunk.t for chunk in exchange.chunks],
            exchange.end.t,
        ]
        assert times == sorted(times)
        # the upstream sleeps before each piece, so the last cannot have come before all these sleeps
        least = session.upstream.gap_s * len(stream.pieces) * 1e9
        assert exchange.chunks[-1].t - exchange.request.t_end >= least


def test_the_client_gets_the_same_bytes_and_headers_from_the_replay(session: Session, stream: Stream):
    raw = session.seen[stream.name].raw
    status, headers, body = raw["replayed"]
    assert (status, body) == (200, stream.body)
    assert end_to_end(headers) == end_to_end(raw["recorded"][1])


def test_openai_gets_the_same_completion_from_the_replay(session: Session, stream: Stream):
    completions = session.seen[stream.name].completions
    assert completions["replayed"] == completions["directly"]


def test_analysis_finds_the_first_token_at_the_right_event(session: Session, stream: Stream):
    from tokentape import analysis

    recording = analysis.load(session.path)
    assert not recording.lost
    (first, _) = session.exchanges[stream.name]
    events = recording.events[recording.events["exchange"] == first.number]
    tokens = events[events["is_token"]]
    found = {int(n): int(of.iloc[0]) for n, of in tokens.groupby("choice", observed=True)["event"]}
    assert found == stream.first_token
    streams = recording.streams[recording.streams["exchange"] == first.number].set_index("choice")
    for index, event in stream.first_token.items():
        at = events[(events["event"] == event) & (events["choice"] == index)]["t_ms"].iloc[0]
        assert streams.loc[index, "ttft_ms"] == at


def test_the_recorder_says_what_it_does(session: Session):
    lines = session.recorder.stderr.splitlines()
    assert session.recorder.returncode == 0
    assert re.fullmatch(r"listening on http://127\.0\.0\.1:\d+", lines[0])
    assert f"OPENAI_BASE_URL={session.recorder.url}/v1" in lines[1]
    count = 2 * len(session.streams)
    finished = [line for line in lines if re.match(r"#\d+ POST 127\.0\.0\.1/v1/chat/completions  200", line)]
    assert len(finished) == count
    assert f"recorded {count} exchanges" in lines[-1]


def test_credentials_reach_the_upstream_and_not_the_cassette(session: Session):
    key = "k" * 20
    assert len(session.upstream.seen) == 4 * len(session.streams)  # two clients, directly and recorded
    assert {headers["authorization"] for headers in session.upstream.seen} == {f"Bearer {key}"}
    assert key.encode() not in session.path.read_bytes()
    for exchanges in session.exchanges.values():
        for exchange in exchanges:
            assert exchange.request
            assert exchange.request.redactions == 1


def test_only_its_owner_can_read_the_cassette(session: Session):
    assert stat.S_IMODE(session.path.stat().st_mode) == 0o600
