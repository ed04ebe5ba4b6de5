"""The budgets of tests are of the numbers that the analysis has: the same, on whatever it can read."""

import pytest

from tests.corpus import ABSENT, FOLDER, IS_HERE
from tests.replay.recordings import exchange, tape
from tests.replay.testing.cassettes import chat
from tests.streams import STREAMS, cut
from tokentape.analysis import load
from tokentape.replay.testing import Tape
from tokentape.replay.testing._choosing import Wanted
from tokentape.replay.testing._ttft import ttfts_ms


def analysed(path):
    streams = load(path).streams
    return sorted(streams["ttft_ms"].dropna())


def answer(number, body, *, pieces=None, headers=((b"content-type", b"text/event-stream"),), **more):
    found = [(20 + 7.25 * n, piece) for n, piece in enumerate(pieces or cut(body, number))]
    return exchange(
        number, start_ms=100_000 * number, head_ms=5, pieces=found, end_ms=90_000, headers=headers, **more
    )


def test_every_stream_of_ours_has_the_ttft_of_the_analysis(tmp_path):
    made = [
        answer(
            number,
            stream.body,
            pieces=stream.pieces,
            headers=tuple((name.encode(), value.encode()) for name, value in stream.headers),
        )
        for number, stream in enumerate(STREAMS)
    ]
    path = tape(tmp_path / "a.tape", *made)
    assert sorted(ttfts_ms(path)) == analysed(path)
    assert len(analysed(path)) >= 3


@pytest.mark.skipif(not IS_HERE, reason=ABSENT)
def test_every_stream_of_the_corpus_has_the_ttft_of_the_analysis(tmp_path):
    files = sorted(FOLDER.rglob("*.sse"))
    path = tape(
        tmp_path / "a.tape", *(answer(number, file.read_bytes()) for number, file in enumerate(files))
    )
    assert sorted(ttfts_ms(path)) == analysed(path)
    assert len(analysed(path)) > len(files) // 2


@pytest.mark.parametrize(
    "more",
    [
        {"status": None},
        {"status": 500},
        {"end_reason": "upstream-error"},
        {"path": b"/v1/models"},
        {"chunks": 9},
    ],
    ids=str,
)
def test_what_ended_badly_is_counted_as_the_analysis_counts_it(tmp_path, more):
    body = STREAMS[0].body
    path = tape(tmp_path / "a.tape", answer(0, body, **more))
    assert sorted(ttfts_ms(path)) == analysed(path)


def test_they_are_exact(tmp_path):
    assert list(ttfts_ms(chat(tmp_path / "a.tape", "hi", "ho", ttft_ms=123))) == [123, 133]


def test_of_a_recording_that_has_become_a_cassette_they_are_the_cassettes(tmp_path):
    path = chat(tmp_path / "a.tape", "hi", ttft_ms=40)
    wanted = Wanted(paths=(path,))
    found = Tape(wanted, url="", base_url="", replay=None, file=tmp_path / ".recording-1" / "a.tape")
    assert found.ttfts_ms == (40.0,)
