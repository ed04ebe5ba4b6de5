"""What Prometheus makes of the metrics, by its own parser."""

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.replay.control.asking import ask, request, steering
from tests.replay.recordings import exchange, tape
from tokentape.replay import OnMiss, Timing
from tokentape.replay.faults import KINDS
from tokentape.replay.live._asking import Asking


def families(of):
    found = ask(of, "GET", "/-/metrics")
    assert found.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(found.body.decode())}


def values(family):
    return {(sample.name, *sample.labels.values()): sample.value for sample in family.samples}


def test_they_parse_with_a_type_and_words_for_each(tmp_path):
    found = families(steering(tape(tmp_path / "a.tape", exchange())))
    assert {name: family.type for name, family in found.items()} == {
        "tokentape_requests": "counter",
        "tokentape_live_failed": "counter",
        "tokentape_fault_hits": "counter",
        "tokentape_pieces_sent": "counter",
        "tokentape_pieces_held": "counter",
        "tokentape_lateness_seconds": "histogram",
        "tokentape_cut_off": "counter",
        "tokentape_unread": "counter",
        "tokentape_incomplete": "counter",
        "tokentape_open_connections": "gauge",
        "tokentape_running_streams": "gauge",
        "tokentape_exchanges": "gauge",
        "tokentape_paused": "gauge",
        "tokentape_speed": "gauge",
        "tokentape_workers": "gauge",
        "tokentape_lost_workers": "counter",
    }
    assert all(family.documentation for family in found.values())
    assert values(found["tokentape_exchanges"]) == {("tokentape_exchanges",): 1}


def test_requests_are_counted_by_what_became_of_them(tmp_path):
    of = steering(tape(tmp_path / "a.tape", exchange(body=b"known")))
    for method, path, body in [
        ("POST", "/v1/chat/completions", b"known"),
        ("POST", "/v1/chat/completions", b"known"),
        ("POST", "/v1/chat/completions", b"unknown"),
        ("GET", "/v1/models", b""),
    ]:
        of.server._answering.reply_to(request(method, path, body))
    assert values(families(of)["tokentape_requests"]) == {
        ("tokentape_requests_total", "served"): 2,
        ("tokentape_requests_total", "missed"): 1,
        ("tokentape_requests_total", "models"): 1,
        ("tokentape_requests_total", "live"): 0,
    }


def test_lateness_is_a_histogram_in_seconds():
    of = steering()
    for late_us in (0, 100, 101, 250_000, 7_000_000):
        of.server._lateness.add(late_us * 1_000)
    found = values(families(of)["tokentape_lateness_seconds"])
    buckets = {bound: count for (name, *rest), count in found.items() for bound in rest}
    assert buckets["0.0001"] == 2
    assert buckets["0.0002"] == 3
    assert buckets["0.2"] == 3
    assert buckets["0.5"] == 4
    assert buckets["5"] == 4
    assert buckets["+Inf"] == found[("tokentape_lateness_seconds_count",)] == 5
    assert list(buckets.values()) == sorted(buckets.values())
    assert found[("tokentape_lateness_seconds_sum",)] == pytest.approx(7.250201)


def test_a_replay_that_waits_for_nothing_is_infinitely_fast(tmp_path):
    of = steering(tape(tmp_path / "a.tape", exchange()), speed="instant")
    assert values(families(of)["tokentape_speed"]) == {("tokentape_speed",): math.inf}


def test_hits_of_faults_are_counted_by_kind_and_every_kind_has_its_row(tmp_path):
    of = steering(tape(tmp_path / "a.tape", exchange(body=b"known")))
    for faults in (["status=429,times=2", "status=500,nth=3", "split=1,nth=4"], ["drop-done"]):
        of.server.set_faults(faults)
        for _ in range(4):
            of.server._answering.reply_to(request("POST", "/v1/chat/completions", b"known"))
    found = values(families(of)["tokentape_fault_hits"])
    hits = {kind: count for (_, kind), count in found.items()}
    assert {kind for kind, count in hits.items() if count} == {"status", "split", "drop-done"}
    assert (hits["status"], hits["split"], hits["drop-done"]) == (3, 1, 4)
    assert set(hits) == set(KINDS)


def test_what_is_counted_of_clients_and_of_the_api_is_in_them_until_a_reset(tmp_path):
    of = steering(tape(tmp_path / "a.tape", exchange()))
    of.server._rounds.ended.update({"unread": 2, "incomplete": 3})
    of.server._lateness.held = 4
    of.server._answering._asking = asking = Asking(OnMiss("forward", "http://api.example"), timing=Timing())
    asking._forwarded, asking._failed = 5, 1
    counted = {
        "unread": 2,
        "incomplete": 3,
        "pieces_held": 4,
        "live_failed": 1,
        "requests": 5,
    }

    def total(name):
        return sum(values(families(of)[f"tokentape_{name}"]).values())

    assert {name: total(name) for name in counted} == counted
    assert ask(of, "POST", "/-/reset").status == 200
    assert {name: total(name) for name in counted} == dict.fromkeys(counted, 0)
