from tokentape.replay import LatenessSummary, Missed, Served, Stats
from tokentape.replay._tally import Tally, added_up
from tokentape.replay.timing._lateness import Lateness


def lateness(*late_us):
    found = Lateness()
    for each in late_us:
        found.add(each * 1_000)
    return found


def missed(path, times):
    return Missed(method="POST", path=path, times=times)


def test_percentiles_are_those_of_all_pieces_together():
    tallies = [
        Tally(answered=Stats(), lateness=lateness(*range(90))),
        Tally(answered=Stats(), lateness=lateness(*range(1_000, 1_010))),
    ]
    for tally in tallies:
        tally.lateness.held = 2
    assert added_up(tallies).stats.lateness == LatenessSummary(
        pieces=100, p50_ns=49_000, p99_ns=1_008_000, max_ns=1_009_000, held=4
    )


def test_what_each_has_counted_is_added_and_what_they_share_is_not():
    served = (Served(method="POST", path="/a", status=200, source="a", times=5),)
    first = Stats(served=served, missed=(missed("/b", 1), missed("/c", 2)), misses=3, models_listed=1)
    second = Stats(served=served, missed=(missed("/c", 4),), misses=4, models_listed=2)
    found = added_up(
        [
            Tally(answered=first, lateness=lateness(), cut_off=1, unread=1, recorded_ns=10, played_ns=20),
            Tally(
                answered=second,
                lateness=lateness(),
                cut_off=2,
                unread=1,
                incomplete=3,
                recorded_ns=30,
                played_ns=60,
            ),
        ]
    ).stats
    assert found == Stats(
        served=served,
        missed=(missed("/b", 1), missed("/c", 6)),
        misses=7,
        models_listed=3,
        cut_off=3,
        unread=2,
        incomplete=3,
        speed=0.5,
    )
