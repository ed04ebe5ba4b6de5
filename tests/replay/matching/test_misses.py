import logging

from tests.replay.matching.test_matcher import asked, item
from tokentape.replay import Missed
from tokentape.replay.matching._matcher import Matcher
from tokentape.replay.matching._misses import MAX_KINDS, Misses


def miss(misses, **kwargs):
    key = asked(**kwargs)
    misses.add(key, Matcher([item("a")]).why_not(key))


def test_each_different_miss_is_logged_once_and_all_are_counted(caplog):
    misses = Misses()
    with caplog.at_level(logging.WARNING, "tokentape.replay"):
        for _ in range(3):
            miss(misses, body=b"[]")
            miss(misses, body=b"[1]", path=b"/x")
    assert [record.getMessage().splitlines()[0] for record in caplog.records] == [
        "not recorded: POST /v1/chat/completions with this body is not in the recording",
        "not recorded: POST /x with this body is not in the recording",
    ]
    assert (misses.count, misses.kinds) == (
        6,
        (
            Missed(method="POST", path="/v1/chat/completions", times=3),
            Missed(method="POST", path="/x", times=3),
        ),
    )


def test_what_is_kept_of_misses_is_bounded(caplog):
    misses = Misses()
    with caplog.at_level(logging.WARNING, "tokentape.replay"):
        for number in range(MAX_KINDS + 50):
            miss(misses, path=b"/%d" % number)
    assert (misses.count, len(misses.kinds), len(caplog.records)) == (
        MAX_KINDS + 50,
        MAX_KINDS,
        MAX_KINDS + 1,
    )
    assert caplog.records[-1].getMessage().endswith("no further ones are shown")
