"""Streams that real providers sent: what goes beyond `test_corpus_expectations.py`."""

import json

import pytest

from tests.analysis.tapes import MS, recording

TEXTS = (
    "stepfun/SYNTHETIC-doc-shape.sse",
    "openai/chat-n2.sse",
    "llamacpp/n2-normalised.sse",
    "llamacpp/cjk-emoji.sse",
    "deepseek/tool.sse",
    "deepseek/logprobs.sse",
    "azure-openai/chat-deepseek-r1-think-tags.sse",
    "azure-openai/chat-mai-ds-r1-split-reads.sse",
    "perplexity/sonar-crlf.sse",
    "perplexity/sonar-chat-completion-done.sse",
    "zai/glm-4.7-flash-parallel-tools.sse",
    "avian/kimi-parallel-tools.sse",
    "togetherai/deepseek-reasoning.sse",
)


def body_of(file):
    body = file.read_bytes()
    if file.suffix == ".jsonl":  # the source kept the chunks and lost their framing
        return b"".join(b"data: " + line + b"\n\n" for line in body.splitlines() if line)
    return body


def loaded(corpus, tmp_path, name, pieces=None, **options):
    body = body_of(corpus / name)
    return recording(tmp_path, [(200 * MS, body)] if pieces is None else pieces, **options)


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_the_deltas_put_together(corpus, tmp_path, name):
    """Independently: split at line ends, the standard library's JSON, every known key of a delta."""
    texts: dict[int, str] = {}
    for line in (corpus / name).read_bytes().replace(b"\r", b"").split(b"\n"):
        if not line.startswith(b"data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            delta = choice["delta"]
            text = (delta.get("reasoning_content") or delta.get("reasoning") or "") + (
                delta.get("content") or ""
            )
            for call in delta.get("tool_calls") or []:
                text += call["function"].get("name") or ""
                text += call["function"].get("arguments") or ""
            texts[choice["index"]] = texts.get(choice["index"], "") + text
    made = loaded(corpus, tmp_path, name)
    tokens = made.events[made.events["is_token"]]
    assert tokens.groupby("choice")["text"].agg("".join).to_dict() == {k: v for k, v in texts.items() if v}
    assert made.streams["text_chars"].tolist() == [len(texts[choice]) for choice in sorted(texts)]


def test_billed_tokens_of_each_stepfun_event_are_the_differences(corpus, tmp_path):
    events = loaded(corpus, tmp_path, "stepfun/SYNTHETIC-doc-shape.sse").events
    assert events.loc[events["is_token"], "tokens"].tolist() == [1, 1, 1, 1, 1]
    assert events.loc[events["is_token"], "text"].str.len().max() == 1


def test_reads_that_split_and_join_events_give_the_same_tokens(corpus, tmp_path):
    name = "azure-openai/chat-mai-ds-r1-split-reads.sse"
    sizes = json.loads((corpus / name).with_suffix(".reads.json").read_text())
    body, start, pieces = body_of(corpus / name), 0, []
    for number, size in enumerate(sizes):
        pieces.append(((200 + number) * MS, body[start : start + size]))
        start += size
    assert start == len(body)
    made = loaded(corpus, tmp_path, name, pieces)
    (row,) = made.as_dict()["streams"]
    assert (row["token_events"], row["reads"]) == (505, len(sizes))
    assert made.reads["events"].sum() == row["events"]
    assert made.reads["bytes"].tolist() == sizes
    events = made.events
    assert (events["t_ms"] == 200 + events["read"]).all()
    assert events["coalesced"].any()


def test_gzipped_stream_in_single_bytes_is_read_as_it_came(corpus, tmp_path):
    name = "anthropic/messages-tool.raw.sse.gz"
    body = (corpus / name).read_bytes()
    pieces = [((200 + at) * MS, body[at : at + 1]) for at in range(len(body))]
    made = loaded(corpus, tmp_path, name, pieces, encoding="gzip", path=b"/v1/messages")
    (row,) = made.as_dict()["streams"]
    assert (row["dialect"], row["outcome"], row["events"]) == ("anthropic-messages", "complete", 7)
    assert (row["output_tokens"], row["token_events"], row["finish_reason"]) == (40, 1, "tool_use")
    assert made.reads["bytes"].sum() == len(body)
    assert made.reads["decoded_bytes"].sum() == len((corpus / "anthropic/messages-tool.sse").read_bytes())
    assert row["ttft_ms"] > row["first_event_ms"] > 200


def test_stream_of_an_unknown_dialect_has_events_and_no_tokens(corpus, tmp_path):
    made = loaded(corpus, tmp_path, "anthropic/legacy-complete-crlf.sse", path=b"/v1/complete")
    (row,) = made.as_dict()["streams"]
    assert (row["dialect"], row["outcome"], row["events"]) == ("sse", "complete", 8)
    assert (row["ttft_ms"], row["ttft_ms_why"]) == (None, "unknown-dialect")
