import gzip

import pytest
from msgspec.structs import replace

from tests.analysis.tapes import SECTION, records
from tests.dialects.rules.clean import CLEAN, LIKE_OPENAI, clean, written
from tests.streams import STREAMS, anthropic_messages
from tokentape import cassette
from tokentape.dialects import named
from tokentape.dialects.rules import RULE_SETS, Finding, Folds, anywhere, folded, lint
from tokentape.dialects.rules._choosing import choose_rules
from tokentape.dialects.rules._shown import shown

PATHS = {
    **dict.fromkeys(LIKE_OPENAI, b"/v1/chat/completions"),
    "stepfun": b"/v1/chat/completions",
    "openai-relay": b"/v1/chat/completions",
    "openai-chat": b"/v1/chat/completions",
    "openai-responses": b"/v1/responses",
    "anthropic-messages": b"/v1/messages",
    "gemini": b"/v1beta/models/g:streamGenerateContent?alt=sse&key=secret",
    "cohere": b"/v2/chat",
    "ollama": b"/api/chat",
}


def exchange(answer, host="api.example", **options):
    made = records([(1, answer)] if answer else [], **options)
    made[0] = replace(made[0], host=host)
    (found,) = cassette.exchanges([SECTION, *made])
    return found


def of(name, **options):
    kind = "application/x-ndjson" if name == "ollama" else "text/event-stream"
    body = written(name, clean(name))
    if name in LIKE_OPENAI and RULE_SETS[name].hosts:
        options = {"host": RULE_SETS[name].hosts[0]} | options
    return exchange(body, **{"path": PATHS[name], "content_type": kind, "body": b"{}"} | options)


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("path", ["its own", b"/gateway"])
def test_each_stream_is_held_against_its_own_rules_wherever_it_comes_from(name, path):
    linted = lint(of(name) if path == "its own" else of(name, path=path))
    by = {"stepfun": "model", "openai-relay": "shape"}.get(name, "dialect")
    if name in LIKE_OPENAI:
        by = "host" if RULE_SETS[name].hosts else "shape"
    assert (linted.rules.name, linted.chosen_by, linted.skipped) == (name, by, "")
    assert linted.findings == []
    assert linted.events == len(clean(name))


@pytest.mark.parametrize(
    ("host", "rules", "by"),
    [
        ("api.stepfun.com", "stepfun", "host"),
        ("API.STEPFUN.AI.", "stepfun", "host"),
        ("api.openai.com", "openai-chat", "host"),
        ("mine.openai.azure.com", "azure-openai", "host"),
        ("api.deepseek.com", "deepseek", "host"),
        ("api.openai.com.example", "openai-relay", "shape"),
        ("notstepfun.com", "openai-relay", "shape"),
        ("", "openai-relay", "shape"),
    ],
)
def test_the_host_counts_first(host, rules, by):
    linted = lint(of("openai-relay", host=host))
    assert (linted.rules.name, linted.chosen_by) == (rules, by)


def test_the_model_that_was_asked_for_counts_as_well_as_the_one_that_answered():
    events = [event for event in clean("stepfun") if type(event) is dict]
    for event in events:
        event["model"] = "x"
    body = written("stepfun", [*events, "[DONE]"])
    assert lint(exchange(body, body=b'{"model": "step-1-8k"}')).rules.name == "stepfun"
    assert lint(exchange(body, body=b"{}")).rules.name == "openai-chat"


@pytest.mark.parametrize("change", ["usage", "no fingerprint", "content", "more", "nothing"])
def test_a_relay_is_known_by_its_first_chunk_and_by_having_no_usage(change):
    events = clean("openai-relay")
    match change:
        case "usage":
            events[-2]["usage"] = None
        case "no fingerprint":
            events[0]["system_fingerprint"] = None
        case "content":
            events[0]["choices"][0]["delta"]["content"] = "a"
        case "more":
            events[0]["provider"] = "x"
        case "nothing":
            events = []
    linted = lint(exchange(written("openai-relay", events), body=b"{}"))
    assert (linted.rules.name, linted.chosen_by) == ("openai-chat", "dialect")


def test_rules_can_be_named():
    linted = lint(of("openai-chat"), RULE_SETS["stepfun"])
    assert (linted.rules.name, linted.chosen_by) == ("stepfun", "name")
    assert linted.findings


SKIPPED = {
    "HTTP status 429": lambda: of("openai-chat", status=429),
    "no answer": lambda: of("openai-chat", status=None, end="upstream-error", end_ns=9),
    "not streamed": lambda: exchange(b'{"choices": []}', content_type="application/json"),
    "no rules for the dialect sse": lambda: exchange(b"data: x\n\n", path=b"/x"),
    "no rules for the dialect openai-completions": lambda: exchange(
        b'data: {"choices": [{"text": "a"}], "object": "text_completion"}\n\n', path=b"/v1/completions"
    ),
}


@pytest.mark.parametrize("why", SKIPPED)
def test_what_is_no_stream_of_a_known_dialect_is_skipped_with_the_reason(why):
    made = SKIPPED[why]()
    if why == "no answer":
        made.chunks.clear()
        made.end = cassette.End(exchange=0, t=9, reason="upstream-error", chunks=0, bytes=0)
    linted = lint(made)
    assert (linted.skipped, linted.rules, linted.findings) == (why, None, [])


def test_an_exchange_with_lost_parts_is_skipped():
    made = of("stepfun")
    made.chunks.clear()
    assert lint(made).skipped == "parts of it are lost to damage"


def test_a_body_that_cannot_be_decoded_is_skipped_with_the_reason():
    linted = lint(of("stepfun", encoding="gzip"))
    assert "not what its encoding says" in linted.skipped == linted.undecodable


def test_a_compressed_stream_is_held_against_the_same_rules():
    body = gzip.compress(written("stepfun", clean("stepfun")))
    linted = lint(exchange(body, encoding="gzip"))
    assert (linted.rules.name, linted.findings) == ("stepfun", [])


@pytest.mark.parametrize("end", ["complete", "upstream-error", "client-closed", "recorder-stopped", None])
def test_what_is_missing_at_the_end_is_the_providers_only_if_it_ended_the_stream(end):
    body = written("stepfun", clean("stepfun")[:3])
    found = [each.code for each in lint(exchange(body, end=end)).findings]
    expected = ["no-finish", "no-end-mark"] if end in ("complete", "upstream-error") else []
    assert found == expected


def test_an_event_stream_without_an_event_is_said():
    (found,) = lint(exchange(b": nothing\n\n")).findings
    assert (found.code, found.event) == ("no-events", 0)


def test_what_events_have_in_common_is_folded_and_the_first_stands_for_all():
    findings = [
        Finding("unknown-field", 1, "no such field", "1", "$.choices[0].delta.a", 0),
        Finding("unknown-field", 2, "no such field", '"b"', "$.choices[1].delta.a", 0),
        Finding("unknown-field", 2, "no such field", '"b"', "$.choices[2].delta.a", 0),
        Finding("unknown-field", 2, "no such field", "2", "$.choices[1].delta.a", 1),
        Finding("unknown-field", 3, "no such field", "3", "$.choices[0].delta.b", 0),
    ]
    made = folded(findings)
    assert [(each.finding.event, each.events) for each in made] == [(1, 2), (2, 1), (3, 1)]
    assert made[0].finding is findings[0]
    assert anywhere(findings[1].path) == "$.choices[].delta.a"


@pytest.mark.parametrize("stream", [*STREAMS, anthropic_messages()], ids=lambda stream: stream.name)
def test_no_stream_of_the_suite_raises(stream):
    for rules in (None, *RULE_SETS.values()):
        lint(exchange(stream.body, encoding="gzip" if stream.name == "gzip" else ""), rules)


def test_there_is_a_rule_set_or_a_reason_for_every_dialect():
    for name in ("openai-completions", "sse"):
        assert choose_rules(named(name), [])[0] is None
    for name in ("openai-chat", "openai-responses", "anthropic-messages", "gemini", "cohere", "ollama"):
        assert choose_rules(named(name), [])[0].name == name


def test_findings_of_many_streams_are_folded_but_for_their_ids_and_numbers_and_the_rarest_comes_first():
    def changed(event, first, found, choice=0):
        return Finding("id-changes", event, f"{shown(first)}, as in event 1", shown(found), "$.id", choice)

    def unknown(level, choice=0):
        path = f"$.choices[{choice}].delta.a"
        return Finding("unknown-field", 1, "no such field", "1", path, choice, level)

    missing = Finding("missing-event", 3, "ping before", "stop")
    other = Finding("missing-event", 3, "start before", "stop")
    folds = Folds()
    folds.add([changed(2, "a", "b"), changed(3, "a", "c")], "first")
    folds.add([changed(4, 'a"1', "d", choice=1), unknown("note"), unknown("warning", choice=1)], "second")
    folds.add([unknown("warning"), missing, other], "third")
    made = [(each.finding.code, each.place, each.streams, each.events) for each in folds.rarest_first()]
    assert made == [
        ("missing-event", "third", 1, 1),
        ("missing-event", "third", 1, 1),
        ("unknown-field", "second", 2, 2),
        ("id-changes", "first", 2, 3),
        ("unknown-field", "second", 1, 1),
    ]
    assert sum(each.findings for each in folds.rarest_first()) == 8


def test_what_an_unknown_provider_adds_is_a_note_and_what_openai_or_the_asked_rules_do_not_have_is_not():
    events = clean("openai-chat")
    events[2]["surprise"] = 1
    body = written("openai-chat", events)
    levels = {
        lint(exchange(body, host=host), rules).findings[0].level: (host, rules and rules.name)
        for host, rules in (
            ("api.example", None),
            ("api.example", RULE_SETS["openai-chat"]),
            ("api.openai.com", None),
        )
    }
    assert levels == {"note": ("api.example", None), "warning": ("api.openai.com", None)}


@pytest.mark.parametrize("name", [name for name in LIKE_OPENAI if RULE_SETS[name].marks])
def test_behind_a_gateway_a_provider_is_known_by_a_field_that_no_other_has(name):
    linted = lint(of(name, host="gateway.example"))
    assert (linted.rules.name, linted.chosen_by, linted.findings) == (name, "shape", [])


def test_a_mark_in_a_text_is_none_and_the_host_counts_before_it():
    events = clean("openai-chat")
    events[2]["choices"][0]["delta"]["content"] = '{"x_groq": 1, "timings": 2}'
    assert lint(exchange(written("openai-chat", events))).rules.name == "openai-chat"
    assert lint(of("groq", host="api.deepseek.com")).rules.name == "deepseek"


def test_a_mark_in_the_last_chunk_alone_is_seen():
    events = clean("openai-chat")
    events[-2]["timings"] = {}
    assert lint(exchange(written("openai-chat", events[:1] + events[2:3] * 20 + events[3:]))).rules.name == (
        "llama-cpp"
    )
