"""Recorded streams of real providers, and what is found in each.

`corpus_codes.jsonl` has a line a file: the rule set and the codes, read and explained one by one. Most are
of providers that speak like OpenAI's API and add to it; what OpenAI, Anthropic, Google and Cohere sent
themselves departs from their documents in what `OWN` names, and nowhere else.
"""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.analysis.tapes import SECTION, records
from tests.analysis.test_corpus_expectations import EXPECTED as FILES
from tests.analysis.test_corpus_expectations import PATHS
from tests.corpus import ABSENT, IS_HERE
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
    "xai/": "api.x.ai",
    "zai/": "api.z.ai",
}
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
