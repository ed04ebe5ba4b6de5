"""Which exchange of a replay is which of the recording: equal ones by their order."""

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tokentape.analysis import fidelity, load
from tokentape.analysis.comparing._pairs import pairs_of

ASKED = (b'{"n":1}', b'{"n":2}', b'{"n":1}', b'{"n":1}')


def exchanges(asked, lengths):
    """Streams of two tokens, each of its own length in ms."""
    return [
        records(
            [
                (100 * MS, data(chunk({"content": "a"}))),
                ((100 + length) * MS, data(chunk({"content": "b"}, "stop")) + DONE),
            ],
            exchange=number,
            body=body,
        )
        for number, (body, length) in enumerate(zip(asked, lengths, strict=True))
    ]


@pytest.fixture
def recording(tmp_path):
    return load(write(tmp_path / "a.tape", *exchanges(ASKED, (10, 20, 30, 40))))


def test_equal_exchanges_are_paired_in_their_order(recording, tmp_path):
    order = (1, 0, 2, 3)  # those of n = 1 come in the same order as before
    replay = load(
        write(
            tmp_path / "b.tape",
            *exchanges([ASKED[at] for at in order], [(10, 20, 30, 40)[at] for at in order]),
        )
    )
    of_a, of_b = pairs_of(recording.streams, replay.streams)
    assert of_a.tolist() == [0, 1, 2, 3]
    assert of_b.tolist() == list(order)
    assert fidelity(recording, replay)["gap_error_max_ms"] == 0


def test_an_exchange_that_is_there_twice_has_no_partner(recording, tmp_path):
    twice = load(write(tmp_path / "b.tape", *exchanges([*ASKED, ASKED[1]], (10, 20, 30, 40, 20))))
    assert pairs_of(recording.streams, twice.streams) is None
    other = load(write(tmp_path / "c.tape", *exchanges([ASKED[1], *ASKED[1:]], (10, 20, 30, 40))))
    assert pairs_of(recording.streams, other.streams) is None
