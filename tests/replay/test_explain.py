import json

import pytest

from tests.cassette.tapes import SECTION, write
from tests.cli.verbs import run
from tests.replay.recordings import MS, exchange, tape
from tests.streams import choice, chunk, event
from tokentape.replay import NothingToServe, Timing, explain, load, serve

ROLE = event(chunk(choice(role="assistant", content="")))
HELLO = event(chunk(choice(content="Hello")))


def recorded(number=0, **options):
    pieces = [(40, ROLE), (100, HELLO), (130, b"data: [DONE]\n\n")]
    return exchange(
        number, **({"head_ms": 20, "pieces": pieces, "end_ms": 131, "start_ms": number} | options)
    )


@pytest.mark.parametrize(
    "words",
    [{}, {"speed": 3}, {"ttft": "1s"}, {"pace": "7/s"}, {"jitter": "lognormal:1"}, {"speed": "instant"}],
)
def test_it_says_what_is_served(tmp_path, words):
    path = tape(tmp_path / "a.tape", recorded(), recorded(1, body=b"other"))
    timing = Timing.of(**words)
    served = load(path, timing=timing).recorded
    for each, answer in zip(explain([path], timing=timing).exchanges, served, strict=True):
        assert each.source == answer.source
        due = [(part.due_ns, part.bytes) for part in each.parts]
        if words.get("speed") == "instant":
            due = [(0, sum(size for _, size in due))]
        assert due == [(offset, len(data)) for offset, data in answer.answer.parts]


def test_each_part_has_its_recorded_time_and_a_name(tmp_path):
    path = tape(tmp_path / "a.tape", recorded())
    (found,) = explain(str(path), timing=Timing(speed=2)).exchanges
    assert [(part.recorded_ns // 10**6, part.due_ns // 10**6, part.what) for part in found.parts] == [
        (20, 10, "head"),
        (40, 20, "piece 1"),
        (100, 50, "piece 2, first token"),
        (130, 65, "piece 3"),
        (131, 65, "end"),
    ]


def test_what_ended_badly_and_what_is_not_served_says_so(tmp_path):
    path = tape(
        tmp_path / "a.tape",
        recorded(0, end_reason="upstream-error"),
        recorded(1, status=101),
        recorded(2, status=None, end_reason="client-closed"),
    )
    cut, switched, vanished = explain([path], timing=Timing()).exchanges
    assert cut.parts[-1].what == "the connection is closed"
    assert (switched.parts, switched.why_not) == ((), "it switched protocols (status 101)")
    assert [part.what for part in vanished.parts] == ["the connection is closed"]


def test_a_request_is_named_as_where_it_is_served(tmp_path):
    path = tape(tmp_path / "a.tape", recorded(path="/é?api_key=hidden&x=1".encode()))
    (found,) = explain([path], timing=Timing()).exchanges
    with serve(path) as replay:
        assert (found.method, found.path) == (replay.stats.served[0].method, replay.stats.served[0].path)
    assert found.path == "/é?api_key=[hidden]&x=1"


def test_one_exchange_is_explained_in_every_section_that_has_it(tmp_path):
    path = write(tmp_path / "a.tape", SECTION, *recorded(0), *recorded(1), SECTION, *recorded(1))
    found = explain([path], timing=Timing(), exchange=1)
    assert [each.source.partition(", ")[2] for each in found.exchanges] == [
        "exchange 1",
        "exchange 1 of section 1",
    ]


def test_a_pattern_is_explained_file_by_file(tmp_path):
    for name in ("b", "a"):
        tape(tmp_path / f"{name}.tape", recorded())
    found = explain(tmp_path / "*.tape", timing=Timing())
    assert [each.source for each in found.exchanges] == [
        f"{tmp_path}/{name}.tape, exchange 0" for name in "ab"
    ]
    with pytest.raises(NothingToServe, match="found no file whose name matches"):
        explain(tmp_path / "*.none", timing=Timing())


def test_an_exchange_that_is_not_there_is_said(tmp_path):
    path = tape(tmp_path / "a.tape", recorded())
    with pytest.raises(NothingToServe, match=r"a\.tape: expected exchange 7, found none"):
        explain([path], timing=Timing(), exchange=7)


def test_the_command_prints_a_table_and_serves_nothing(tmp_path):
    path = tape(tmp_path / "a.tape", recorded(), recorded(1))
    done = run("replay", path, "--ttft", "300ms", "--pace", "50/s", "--explain", "--exchange", "0")
    assert done.exit_code == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == f"{path}, exchange 0: POST /v1/chat/completions"
    assert lines[1].split() == ["recorded", "ms", "due", "ms", "bytes"]
    rows = [line.split(maxsplit=3) for line in lines[2:]]
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("20.000", "60.000", "head"),
        ("40.000", "120.000", "piece 1"),
        ("100.000", "300.000", "piece 2, first token"),
        ("130.000", "320.000", "piece 3"),
        ("131.000", "320.000", "end"),
    ]


def test_the_command_prints_json(tmp_path):
    path = tape(tmp_path / "a.tape", recorded(), recorded(1, status=101))
    done = run("replay", path, "--speed", "0.5", "--explain", "--json")
    one, other = json.loads(done.stdout)
    assert [part["due_ms"] for part in one["parts"]] == [40.0, 80.0, 200.0, 260.0, 262.0]
    assert one["parts"][0]["recorded_ms"] == 20.0
    assert sum(part["bytes"] for part in one["parts"]) > len(ROLE + HELLO)
    assert (other["parts"], other["why_not"]) == ([], "it switched protocols (status 101)")


def test_damage_is_said_and_the_exit_is_3(tmp_path):
    path = tape(tmp_path / "a.tape", recorded())
    path.write_bytes(path.read_bytes()[:-3])
    done = run("replay", path, "--explain")
    assert done.exit_code == 3
    assert "head" in done.stdout
    assert done.stderr.startswith(f"lost: {path}: ")


def test_nothing_recorded_commands_the_terminal(tmp_path):
    path = tape(tmp_path / "a.tape", recorded(path=b"/v1/\x1b[2J"))
    assert "\x1b" not in run("replay", path, "--explain").stdout


def test_an_exchange_without_explain_is_a_usage_error(tmp_path):
    done = run("replay", tape(tmp_path / "a.tape", recorded()), "--exchange", "0")
    assert done.exit_code == 2
    assert "expected --explain beside --exchange" in done.stderr


@pytest.mark.parametrize(
    ("options", "hint", "reason"),
    [
        (["--ttft", "300"], "--ttft", "expected a time with its unit such as 300ms"),
        (["--pace", "50/m"], "--pace", "expected a positive rate such as 50/s, found '50/m'"),
        (["--jitter", "0.2"], "--jitter", "expected lognormal:SIGMA"),
        (["--max-gap", "-1s"], "--max-gap", "expected a time with its unit"),
        (["--ttft-speed", "instant"], "--ttft-speed", "expected a positive number"),
        (["--ttft", "1s", "--ttft-speed", "2"], "--ttft-speed", "expected either ttft or ttft-speed"),
        (["--speed", "instant", "--delay", "1s"], "--delay", "instant waits for nothing"),
        (["--seed", "1"], "--seed", "expected jitter beside it"),
        (["--strict-timing", "5"], "--strict-timing", "expected a time with its unit"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_that_names_the_option(tmp_path, options, hint, reason):
    done = run("replay", tape(tmp_path / "a.tape", recorded()), *options, "--explain")
    assert done.exit_code == 2
    assert f"Invalid value for '{hint}'" in done.stderr
    assert reason in " ".join(done.stderr.split())


def test_faults_are_shown_as_if_all_hit_whose_requests_these_are(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    faults = ["stall=1s@event=1,nth=9", "reset@event=2,p=0.001", "drop-done,model=other"]
    (found,) = explain(path, timing=Timing(speed=2), faults=faults).exchanges
    assert [(part.recorded_ns, part.due_ns / MS, part.what) for part in found.parts] == [
        (None, 0.5, "head"),
        (None, 1.0, "piece 1"),
        (None, 1001.5, "piece 2"),
        (None, 1001.5, "the connection is reset"),
    ]


def test_a_fault_that_changes_nothing_leaves_the_schedule_as_it_was(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    faults = ["truncate@event=9", "split=1,path=/other"]
    assert explain(path, timing=Timing(), faults=faults) == explain(path, timing=Timing())


def test_a_fault_shows_that_nothing_comes(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    (found,) = explain(path, timing=Timing(), faults=["truncate@time=0ms"]).exchanges
    assert [(part.due_ns, part.bytes, part.what) for part in found.parts] == [
        (0, 0, "the connection is closed")
    ]


def test_a_file_that_is_named_twice_is_explained_once(tmp_path):
    path = tape(tmp_path / "a.tape", recorded())
    assert len(explain([path, path], timing=Timing()).exchanges) == 1
