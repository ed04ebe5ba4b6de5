import json
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, write
from tests.cassette.tapes import closed, exchange, raw
from tests.cli.verbs import run
from tests.streams import STREAMS
from tokentape import cassette
from tokentape.cli import _cat_formats, main

PIECES = [
    (200 * MS, data(chunk({"content": "Hello\x1b[31m"}))),
    (230_123_456, data(chunk({"content": " you"}, "stop"))),
    (231 * MS, DONE),
]


def cat(*arguments, **options):
    return CliRunner().invoke(main, ["cat", *map(str, arguments)], **options)


@pytest.fixture
def tape(tmp_path):
    return write(
        tmp_path / "a.tape",
        records(PIECES),
        records([(5 * MS, b'{"a": 1}')], exchange=1, path=b"/x", content_type="application/json"),
        records(PIECES[:1], exchange=2, end=None),
    )


def objects(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def only(pieces, **more):
    (found,) = cassette.exchanges([SECTION, *records(pieces, **more)])
    return found


def test_text_is_shown_with_times_and_nothing_that_a_terminal_obeys(tape):
    result = cat(tape)
    assert result.exit_code == 0
    assert "     200.0 ms  content    | Hello\\x1b[31m you\n" in result.stdout
    assert "secret" not in result.stdout
    assert [line[:2] for line in result.stdout.splitlines() if line.startswith("#")] == ["#0", "#1", "#2"]
    assert result.stderr == ""


def test_an_exchange_is_chosen_by_its_section_also_where_the_record_of_one_was_lost(tmp_path):
    sections = [closed(SECTION, *exchange(0), *exchange(1, host=f"h{index}.example")) for index in range(3)]
    del sections[1][0]
    tape = tmp_path / "a.tape"
    tape.write_bytes(raw(*(record for section in sections for record in section)))
    for section in range(3):
        result = cat(tape, "--section", section, "--exchange", 1)
        assert result.stdout.count("#1") == 1
        assert f"h{section}.example" in result.stdout


def test_an_exchange_is_chosen_by_its_number(tape):
    assert cat(tape, "--exchange", 1).stdout.startswith("#1 POST https://api.example/x\n")
    missing = cat(tape, "--exchange", 7, "--section", 0)
    assert missing.exit_code == 1
    assert "expected exchange 7 of section 0" in missing.stderr
    assert cat(tape, "--section", 1).exit_code == 1


def test_an_exchange_is_chosen_by_its_section(tmp_path):
    tape = write(tmp_path / "a.tape", records(PIECES), [SECTION], records(PIECES, path=b"/second"))
    assert cat(tape, "--exchange", 0, "--section", 1).stdout.startswith(
        "#0 of section 1 POST https://api.example/second"
    )
    assert cat(tape, "--exchange", 0, "--section", 0).stdout.count("\n#") == 0


def test_what_a_comment_says_stays_in_its_line():
    found = only(PIECES, end="upstream-error")
    found.end = cassette.End(exchange=0, t=1, reason="upstream-error", detail="a\r\ndata: b\n\nc")
    assert len(events(_cat_formats.sse(found, "f"))) == len(PIECES)


def test_of_several_files_each_is_named(tape, tmp_path):
    other = write(tmp_path / "b.tape", records(PIECES))
    lines = cat(tape, other).stdout.splitlines()
    assert [line for line in lines if line.startswith("==>")] == [f"==> {tape} <==", f"==> {other} <=="]
    found = objects(cat(tape, other, "--format", "jsonl"))
    assert {each["file"] for each in found} == {str(tape), str(other)}
    assert f": {other}: exchange 0 of section 0" in cat(tape, other, "--format", "sse").stdout


def test_jsonl_has_an_object_an_event_and_one_for_the_end(tape):
    found = objects(cat(tape, "--format", "jsonl"))
    assert [(each["exchange"], each["kind"], each["t_ms"]) for each in found] == [
        (0, "content", 200.0),
        (0, "content+finish", 230.123456),
        (0, "done", 231.0),
        (0, "end", 231.0),
        (1, "body", 5.0),
        (1, "end", 5.0),
        (2, "content", 200.0),
        (2, "end", None),
    ]
    assert found[0]["choice"] == 0
    assert found[0]["data"]["choices"][0]["delta"] == {"content": found[0]["text"]}
    assert found[2]["data"] == "[DONE]"
    assert [each["reason"] for each in found if each["kind"] == "end"] == [
        "complete",
        "complete",
        "interrupted",
    ]


def test_sse_says_the_time_of_each_event_in_a_comment(tape):
    lines = cat(tape, "--exchange", 0, "--format", "sse").stdout.splitlines()
    assert [line for line in lines if line.startswith(":")][1:-1] == [
        ": +200.000 ms",
        ": +230.123 ms",
        ": +231.000 ms",
    ]
    other = cat(tape, "--exchange", 1, "--format", "sse").stdout
    assert "no event stream: application/json, 8 bytes" in other


def events(pieces):
    return [event._replace(piece=0) for event in cassette.events(pieces) if event.terminated]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_sse_has_the_same_events_as_every_stream(stream):
    encoding = dict(stream.headers).get("content-encoding", "")
    exchange = only([(n * MS, piece) for n, piece in enumerate(stream.pieces)], encoding=encoding)
    assert events(_cat_formats.sse(exchange, "f")) == events(cassette.decoded(exchange)[0])


LINES = st.lists(
    st.sampled_from(
        [b"data: a", b"data", b": c", b"event: e", b"id: 1", b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf"]
    )
)


@example([b"data: a\n\r", b"\n"])
@example([b"\xef", b"\xbb\xbfdata: a\n\n", b"data: b\n\n"])
@given(st.lists(LINES.map(b"".join).filter(bool), max_size=6))
def test_sse_has_the_same_events_and_times_however_lines_end_and_pieces_are_cut(pieces):
    exchange = only([(n * MS, piece) for n, piece in enumerate(pieces)])
    written = b"".join(_cat_formats.sse(exchange, "f"))
    original = list(cassette.events(pieces))
    assert events([written]) == events(pieces)
    # Taken from the text again: the last comment before each event is the time of its piece.
    times, now = [], None
    decoder = cassette.SSEDecoder()
    for line in written.splitlines(keepends=True):
        if line.startswith(b": +") and line.endswith(b" ms\n"):
            now = float(line[3:-4])
        times += [now] * len(decoder.feed(line))
    assert times == [float(event.piece) for event in original if event.terminated]


def test_a_damaged_cassette_is_shown_as_far_as_it_is_whole(tape):
    tape.write_bytes(tape.read_bytes()[:-3])
    result = cat(tape)
    assert result.exit_code == 3
    assert "#0" in result.stdout
    assert "lost:" in result.stderr
    assert "cut off" in result.stderr


def test_compressed_cassettes_and_standard_input_are_read(tape, tmp_path):
    packed = tmp_path / "a.tape.zst"
    with cassette.open(tape) as source, cassette.Rewriter(packed) as target:
        for entry in source.entries():
            target.copy(entry.payload)
    assert cat(packed).stdout == cat(tape).stdout
    assert cat("-", input=tape.read_bytes()).stdout == cat(tape).stdout


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path):
    tape = write(tmp_path / "a.tape", *(records(PIECES * 20, exchange=n) for n in range(200)))
    for form in ("text", "jsonl", "sse"):
        process = subprocess.Popen(
            [sys.executable, "-m", "tokentape.cli", "cat", tape, "--format", form],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        process.wait(30)


def test_exchanges_are_shown_as_they_end_and_not_held(tmp_path, monkeypatch):
    tape = write(tmp_path / "a.tape", *(records(PIECES, exchange=n) for n in range(3)))
    shown = []
    monkeypatch.setattr(_cat_formats, "text", lambda exchange: shown.append(exchange.number) or iter(["x"]))
    whole = tape.read_bytes()
    monkeypatch.setattr(
        cassette, "exchanges", lambda source: (shown.append("read") or each for each in _exchanges(source))
    )
    assert cat(tape).exit_code == 0
    assert shown == ["read", 0, "read", 1, "read", 2]
    assert tape.read_bytes() == whole


_exchanges = cassette.exchanges


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"chunks": 9}, "counts 9 pieces and 22 bytes; 2 and 22 are there"),
        ({"bytes": 99}, "counts 2 pieces and 99 bytes; 2 and 22 are there"),
        ({"chunks": 1}, "counts 1 piece and 22 bytes; 2 and 22 are there"),
    ],
)
def test_an_end_that_counts_other_pieces_is_said(counts, says, tmp_path):
    tape = tmp_path / "a.tape"
    changed = [
        replace(each, **counts) if isinstance(each, cassette.End) else each
        for each in closed(SECTION, *exchange(0))
    ]
    tape.write_bytes(raw(*changed))
    result = cat(tape)
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"lost: {tape}: exchange 0 of section 0, at byte ")
    assert line.endswith(f": its end record {says}")
    assert result.stdout.startswith("#0 ")


def test_an_end_without_counts_says_nothing_of_pieces(tmp_path):
    tape = tmp_path / "a.tape"
    short = cassette.Unknown(kind=4, payload=msgpack.packb([4, 0, 9_999_999, "complete"]))
    tape.write_bytes(
        raw(*(short if isinstance(each, cassette.End) else each for each in closed(SECTION, *exchange(0))))
    )
    assert (cat(tape).exit_code, cat(tape).stderr) == (0, "")


@pytest.mark.parametrize("kind", [cassette.Request, cassette.Response, cassette.Chunk, cassette.End])
@pytest.mark.parametrize("verb", ["cat", "lint"])
def test_a_record_that_was_taken_out_is_said_and_exits_3(verb, kind, tmp_path):
    """As `tokentape verify` finds it: no checksum shows it, the other records do."""
    tape = tmp_path / "a.tape"
    all_records = closed(SECTION, *exchange(0), *exchange(1))
    all_records.remove(next(each for each in all_records if isinstance(each, kind)))
    tape.write_bytes(raw(*all_records))
    result = run(verb, tape)
    assert (result.exit_code, run("verify", tape).exit_code) == (3, 1)
    assert f"lost: {tape}: exchange 0 of section 0, at byte " in result.stderr


@pytest.mark.parametrize("verb", ["cat", "lint"])
def test_an_exchange_that_was_taken_out_whole_is_said_and_exits_3(verb):
    tape = Path(__file__).parents[1] / "golden" / "v1-further.tape"
    result = run(verb, tape)
    assert result.exit_code == 3
    assert "the close record counts 1 request, 3 pieces and 131 bytes; 1, 1 and 59 are there" in result.stderr


def test_of_many_signs_the_first_are_said_and_the_others_counted(tmp_path):
    tape = tmp_path / "a.tape"
    all_records = closed(SECTION, *(each for number in range(20) for each in exchange(number)))
    tape.write_bytes(raw(*(each for each in all_records if not isinstance(each, cassette.Response))))
    result = run("cat", tape)
    assert result.exit_code == 3
    *lines, last = result.stderr.splitlines()
    assert len(lines) == 10
    assert last == f"lost: {tape}: 10 more signs of lost records; tokentape verify says which"
