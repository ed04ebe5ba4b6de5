"""Recorded streams of real providers, and what is found in each.

`corpus_codes.jsonl` has a line a file: the rule set and the codes, read and explained one by one. Most are
of providers that speak like OpenAI's API. What OpenAI, Anthropic, Google and Cohere sent
themselves departs from their documents in what `OWN` names, and nowhere else; what providers sent that add
to OpenAI's chunk, in what `BESIDE_OPENAI` names.
"""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.analysis.tapes import SECTION, records
from tests.analysis.test_corpus_expectations import EXPECTED as FILES
from tests.analysis.test_corpus_expectations import PATHS
from tests.corpus import ABSENT, IS_HERE
from tests.dialects.rules.clean import LIKE_OPENAI
from tokentape import cassette
from tokentape.dialects.rules import folded, lint

EXPECTED_FILE = Path(__file__).with_name("corpus_codes.jsonl")
EXPECTED = {line["file"]: line for line in map(json.loads, EXPECTED_FILE.read_text().splitlines())}
OWN = {
    # an audio object in the delta, chunks without `choices`, and a last chunk after the usage
    "openai/chat-audio.sse": {"unknown-field", "missing-field", "usage-not-last", "no-finish"},
    "openai/chat-audio-error.sse": {"unknown-field", "missing-field", "error-in-stream"},
    # whoever published it set the time to 0
    "openai/chat-logprobs-obfuscation.sse": {"not-seconds"},
    # OpenRouter's gateway, not Anthropic: costs, its provider, and [DONE] behind message_stop
    "anthropic/gateway-with-DONE.sse": {"unknown-field", "after-end-mark"},
    # whoever published it lost the blank lines
    "google-gemini/stream-no-blank-lines.sse": {"cut-off"},
}
HOSTS = {
    "alibaba-dashscope/": "dashscope-us.aliyuncs.com",
    "azure-openai/": "mine.services.ai.azure.com",
    "deepseek/": "api.deepseek.com",
    "groq/": "api.groq.com",
    "mistral/": "api.mistral.ai",
    "moonshot/": "api.moonshot.ai",
    "openai/": "api.openai.com",
    "openrouter/": "openrouter.ai",
    "togetherai/": "api.together.xyz",
    "xai/": "api.x.ai",
    "zai/": "api.z.ai",
}
BESIDE_OPENAI = {
    # OpenRouter in front of other gateways: another id in the first chunk, and each says the finish
    "avian/kimi-parallel-tools.sse": {"created-changes", "id-changes", "two-finishes", "unknown-field"},
    # models that others host on Azure: nulls for a role and for tools, their server's own `matched_stop`
    "azure-openai/chat-deepseek-r1-think-tags.sse": {"created-changes", "unknown-field", "wrong-type"},
    "azure-openai/chat-mai-ds-r1-split-reads.sse": {"created-changes", "unknown-field", "wrong-type"},
    # a system of several models: each chunk has another id, and the first no role
    "groq/compound-mid-empty.sse": {"created-changes", "id-changes", "role-missing"},
    # `channel`, which Groq's SDK does not know, and a tool call that was no JSON
    "groq/mid-stream-error-event.sse": {"error-in-stream", "unknown-field"},
    # the time of each chunk, where OpenAI, and Groq in its SDK, say that all have the same
    "groq/qwen3-think-tags.sse": {"created-changes"},
    "xai/grok-code-reasoning.sse": {"created-changes"},
    "xai/grok4-fast-hidden-reasoning-75-empties.sse": {"created-changes"},
    # whoever published it set the time to 0; with n = 2 usage comes before the end
    "llamacpp/cjk-emoji.sse": {"not-seconds"},
    "llamacpp/n2-normalised.sse": {"not-seconds", "usage-not-last"},
    # padding that no document of Mistral's names
    "mistral/padding-p.sse": {"unknown-field"},
    # written by hand to be errors; the others lost their framing and [DONE] with it
    "moonshot/error-shapes-handwritten.jsonl": {"error-in-stream"},
    "moonshot/kimi-k3-tool-usage-inside-choice.jsonl": {"no-end-mark"},
    "moonshot/kimi-k3-usage-inside-choice.jsonl": {"no-end-mark"},
    # every call of a tool finishes the choice again; then the provider behind it fails
    "openrouter/gemini-midstream-error.sse": {"content-after-finish", "error-in-stream", "two-finishes"},
    # a line that begins with a space
    "openrouter/novita-kimi-variant-c-leading-space.sse": {"stray-line"},
    # log probabilities as completions have them
    "openrouter/r1-distill-logprobs.sse": {"unknown-field"},
    # the text a second time, as completions have it, `reasoning`, and its tokens beside the usage's details
    "togetherai/deepseek-reasoning.sse": {"unknown-field"},
    # the finish in the chunk of the calls, and again with the usage
    "zai/glm-4.5v-finish-twice.sse": {"two-finishes"},
}
"""What providers that add to OpenAI's chunk sent and do not document either."""
PROVIDERS = ("anthropic/", "cohere/", "google-gemini/", "ollama/", "openai/", "stepfun/")


def linted(corpus, name):
    body = (corpus / name).read_bytes()
    options = {"encoding": "gzip"} if name.endswith(".gz") else {}
    if name.startswith("ollama/"):
        options["content_type"] = "application/x-ndjson"
    elif name.endswith(".jsonl"):  # the source kept the chunks and lost their framing
        body = b"".join(b"data: " + line + b"\n\n" for line in body.splitlines() if line)
    path = PATHS[FILES[name]["dialect"]]
    made = records([(1, body)], path=path, body=b"{}", **options)
    host = next((host for folder, host in HOSTS.items() if name.startswith(folder)), "api.example")
    made[0] = replace(made[0], host=host)
    (exchange,) = cassette.exchanges([SECTION, *made])
    return lint(exchange)


def test_every_file_of_the_corpus_has_an_expectation():
    assert list(EXPECTED) == list(FILES)


@pytest.mark.skipif(not IS_HERE, reason=ABSENT)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_stream_departs_where_a_reader_of_it_saw(corpus, name):
    expected = EXPECTED[name]
    found = linted(corpus, name)
    if "skipped" in expected:
        assert found.skipped == expected["skipped"]
        return
    assert found.rules.name == expected["rules"]
    assert sorted({each.code for each in found.findings}) == expected["codes"]
    assert len(folded(found.findings)) <= 20
    assert all(1 <= each.event <= found.events for each in found.findings)


def test_what_providers_of_a_rule_set_sent_departs_in_little():
    own = {name: line for name, line in EXPECTED.items() if name.startswith(PROVIDERS) and "codes" in line}
    assert {name: set(line["codes"]) for name, line in own.items() if line["codes"]} == OWN
    assert len(own) == 20


def test_what_was_sent_by_providers_that_add_to_openais_chunk_departs_in_little():
    theirs = {name: line for name, line in EXPECTED.items() if line.get("rules") in LIKE_OPENAI}
    assert {name: set(line["codes"]) for name, line in theirs.items() if line["codes"]} == BESIDE_OPENAI
    assert {line["rules"] for line in theirs.values()} == LIKE_OPENAI.keys() - {"cerebras"}
    assert len(theirs) == 35


@pytest.mark.skipif(not IS_HERE, reason=ABSENT)
@pytest.mark.parametrize("name", [name for name, line in EXPECTED.items() if line.get("codes")])
def test_only_what_a_provider_without_rules_adds_is_a_note(corpus, name):
    found = linted(corpus, name)
    unknown = found.rules.name == "openai-chat" and found.chosen_by == "dialect"
    notes = {each.code for each in found.findings if each.level == "note"}
    assert notes == ({"unknown-field"} & set(EXPECTED[name]["codes"]) if unknown else set())
