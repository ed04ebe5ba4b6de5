import json

from tokentape.cli._served import served_json, served_table
from tokentape.replay import LatenessSummary, Served, Stats


def stats(pieces, ns, **served):
    item = {
        "method": "POST",
        "path": "/v1",
        "status": 200,
        "source": "a.tape, exchange 0",
        "times": 1,
        **served,
    }
    lateness = LatenessSummary(pieces=pieces, p50_ns=ns, p99_ns=ns, max_ns=ns)
    return Stats(served=(Served(**item),), missed=(), misses=0, lateness=lateness, cut_off=0)


def test_one_piece_is_singular():
    assert "lateness of 1 piece: p50 0.002 ms" in served_table(stats(1, 2_000))
    assert "lateness of 2 pieces: p50 0.002 ms" in served_table(stats(2, 2_000))


def test_without_pieces_no_number_is_made_up():
    assert served_table(stats(0, None)).endswith("no pieces were sent")
    found = json.loads(served_json(stats(0, None)))
    assert (found["pieces"], found["lateness_ms"]) == (0, {"p50": None, "p99": None, "max": None})


def test_nothing_recorded_commands_the_terminal():
    table = served_table(stats(1, 0, method="G\x1bT", path="/\x9b2J", source="\x07.tape, exchange 0"))
    assert "G\\x1bT /\\x9b2J" in table
    assert "\\x07.tape" in table
    assert all(letter.isprintable() or letter == "\n" for letter in table)


def test_what_clients_kept_waiting_is_said_beside_the_lateness_and_not_in_it():
    lateness = LatenessSummary(pieces=2, p50_ns=0, p99_ns=0, max_ns=0, held=3)
    found = Stats(lateness=lateness, unread=1, incomplete=2)
    *_, counts, late = served_table(found).splitlines()
    assert counts.endswith("; 1 cut off because the client did not read; 2 requests never completed")
    assert late.endswith("max 0.000 ms; 3 pieces waited for clients that did not read")
    as_json = json.loads(served_json(found))
    assert {name: as_json[name] for name in ("pieces", "held", "unread", "incomplete")} == {
        "pieces": 2,
        "held": 3,
        "unread": 1,
        "incomplete": 2,
    }
    only_held = Stats(lateness=LatenessSummary(held=1))
    assert served_table(only_held).endswith("\n1 piece waited for clients that did not read")
