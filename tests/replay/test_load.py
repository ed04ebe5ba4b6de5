import re

import pytest

from tests.cassette.tapes import SECTION, write
from tests.replay.recordings import exchange, tape
from tokentape import analysis
from tokentape.cassette import NotACassette, Unreadable
from tokentape.replay import NothingToServe, load


def sources(recording):
    return [recorded.source.rpartition("/")[2] for recorded in recording.recorded]


def test_the_order_is_that_of_files_then_sections_then_complete_requests(tmp_path):
    two_sections = write(
        tmp_path / "b.tape",
        SECTION,
        *exchange(0, start_ms=9),
        *exchange(1, start_ms=5),
        SECTION,
        *exchange(0, start_ms=1),
    )
    first = tape(tmp_path / "a.tape", exchange(4, start_ms=100))
    assert sources(load([first, two_sections])) == [
        "a.tape, exchange 4",
        "b.tape, exchange 1",
        "b.tape, exchange 0",
        "b.tape, exchange 0 of section 1",
    ]


def test_a_whole_recording_leaves_nothing_to_say(tmp_path):
    found = load(tape(tmp_path / "a.tape", exchange()))
    assert (found.lost, found.remarks) == ((), ())
    assert found.recorded[0].status == 200


def test_an_interrupted_recording_is_a_remark_and_what_it_holds_is_served(tmp_path):
    found = load(write(tmp_path / "a.tape", SECTION, *exchange(end_ms=None)))
    assert len(found.recorded) == 1
    assert found.lost == ()
    assert "interrupted" in found.remarks[0]


def test_of_a_cut_cassette_what_is_whole_is_served_and_the_loss_is_said(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0), exchange(1, body=b"b"))
    path.write_bytes(path.read_bytes()[:-40])
    found = load(path)
    assert sources(found) == ["a.tape, exchange 0", "a.tape, exchange 1"]
    (line,) = found.lost
    assert "cut off at byte" in line


def test_an_exchange_that_lost_pieces_is_not_served_and_the_loss_is_said(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0), exchange(1, pieces=[(1, b"DAMAGE ME")]))
    data = bytearray(path.read_bytes())
    data[data.index(b"DAMAGE ME")] ^= 1
    path.write_bytes(data)
    found = load(path)
    assert sources(found) == ["a.tape, exchange 0"]
    assert [line.rpartition("/")[2].split(":")[0] for line in found.lost] == [
        "a.tape, exchange 1 is not served",
        "a.tape",
    ]


def test_damage_is_said_in_the_words_of_the_analysis(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0), exchange(1, pieces=[(1, b"DAMAGE ME")]), exchange(2))
    data = bytearray(path.read_bytes())
    data[data.index(b"DAMAGE ME")] ^= 1
    path.write_bytes(data[:-3])
    said = [
        [line for line in lost if " at byte " in line] for lost in (load(path).lost, analysis.load(path).lost)
    ]
    assert said[0] == said[1]
    assert re.fullmatch(rf"{path}: \d+ bytes damaged at byte \d+: .+", said[0][0])
    assert re.fullmatch(rf"{path}: cut off at byte \d+: .+", said[0][1])


def test_one_lost_piece_is_singular(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0), exchange(1, chunks=3), exchange(2, chunks=4))
    assert [line.partition(": ")[2] for line in load(path).lost] == [
        "1 of its pieces was lost",
        "2 of its pieces were lost",
    ]


def test_standard_input_is_read_once():
    with pytest.raises(ValueError, match='expected "-" once'):
        load(["-", "-"])


@pytest.mark.parametrize("records", [(), (*exchange(status=None, end_ms=None),)], ids=["empty", "unanswered"])
def test_without_anything_to_serve_it_says_so(tmp_path, records):
    with pytest.raises(NothingToServe, match=r"a\.tape: expected at least one exchange .* found none"):
        load(write(tmp_path / "a.tape", SECTION, *records))


def test_what_is_no_cassette_is_refused(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"something else")
    with pytest.raises(NotACassette):
        load(other)
    with pytest.raises(Unreadable):
        load(tmp_path / "missing")


def test_a_speed_that_is_none_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="expected a positive number"):
        load(tmp_path / "missing", speed=0)


def test_no_cassette_at_all_is_said():
    with pytest.raises(NothingToServe, match=r"^expected the path of a cassette or several, found none$"):
        load([])


def test_a_file_that_is_named_twice_is_served_once_and_a_remark_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tape(tmp_path / "a.tape", exchange(0), exchange(1))
    recording = load(["*.tape", "a.tape", "./a.tape"])
    assert sources(recording) == ["a.tape, exchange 0", "a.tape, exchange 1"]
    assert recording.remarks == tuple(
        f"{name}: this file is named more than once; it is served once" for name in ("a.tape", "./a.tape")
    )
