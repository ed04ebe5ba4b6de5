"""What Prometheus makes of the metrics, by its own parser."""

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.replay.control.asking import ask, request, steering
from tests.replay.recordings import exchange, tape


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
        "tokentape_pieces_sent": "counter",
        "tokentape_lateness_seconds": "histogram",
        "tokentape_cut_off": "counter",
        "tokentape_open_connections": "gauge",
        "tokentape_running_streams": "gauge",
        "tokentape_exchanges": "gauge",
        "tokentape_paused": "gauge",
        "tokentape_speed": "gauge",
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
