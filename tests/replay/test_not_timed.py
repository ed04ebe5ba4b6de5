"""What was imported without times is sent without waiting for what is not known."""

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from tests.replay.recordings import MS, as_exchange, connected, exchange, post, read_until, tape
from tokentape.cli import main
from tokentape.cli._served import served_table
from tokentape.replay import Timing, load, serve
from tokentape.replay._wire import prepare


def imported(times, **options):
    request, *others = exchange(start_ms=50, **options)
    if times == "none":
        request = replace(request, t=0, t_end=0)
        others = [replace(each, t=0) for each in others]
    elif times == "headers":
        others = [replace(each, t=0) if hasattr(each, "data") else each for each in others]
    return [replace(request, times=times), *others]


@pytest.mark.parametrize(("times", "due"), [("headers", 1 * MS), ("none", 0)])
@pytest.mark.parametrize("speed", [1.0, 2.0, "instant"])
def test_pieces_and_the_end_follow_the_head_at_once(times, due, speed):
    answer = prepare(as_exchange(imported(times)), timing=Timing(speed=speed))
    recorded = prepare(as_exchange(exchange()), timing=Timing(speed=speed))
    assert {offset for offset, _ in answer.parts} == {0 if speed == "instant" else int(due / speed)}
    assert b"".join(data for _, data in answer.parts) == b"".join(data for _, data in recorded.parts)


@pytest.mark.parametrize(("times", "due"), [("headers", 4 * MS), ("none", 0)])
def test_a_failure_waits_as_long_as_is_known(times, due):
    answer = prepare(as_exchange(imported(times, status=None, end_reason="upstream-error")), timing=Timing())
    assert [offset for offset, _ in answer.parts] == [due]


@pytest.mark.parametrize("times", ["headers", "none"])
def test_it_is_said_before_and_after(tmp_path, times):
    path = tape(tmp_path / "a.tape", imported(times), exchange(1, body=b"{}"))
    repertoire = load(path)
    assert [each.times for each in repertoire.recorded] in ([times, "all"], ["all", times])
    (remark,) = repertoire.remarks
    assert remark.startswith(f"{path}: 1 of 2 exchanges came from a format without the times of pieces; ")
    with serve(path) as replay:
        pass
    assert sorted(each.timed for each in replay.stats.served) == [False, True]
    assert served_table(replay.stats).count("(not timed)") == 1


@pytest.mark.parametrize("times", ["headers", "none"])
def test_it_says_nothing_about_the_speed_achieved(tmp_path, times):
    with serve(tape(tmp_path / "a.tape", imported(times))) as replay, connected(replay.url) as client:
        client.sendall(post())
        read_until(client, b"0\r\n\r\n")
    assert (replay.stats.hits, replay.stats.speed) == (1, None)


def test_the_help_says_so():
    assert "not timed" in " ".join(CliRunner().invoke(main, ["replay", "--help"]).output.split())
