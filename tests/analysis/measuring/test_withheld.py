"""Reasoning that is billed and not shown as it was: what is known of such a stream, and what is not."""

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, recording, records, usage, write
from tokentape.analysis import DEFINITIONS, load

RATES = ("itl_ms", "tpot_ms", "tokens_per_s")


def event(kind, **more):
    return data({"type": kind, **more})


def timed(*pieces):
    return [(at * MS, piece) for at, piece in pieces]


def row_of(found):
    (row,) = found.as_dict()["streams"]
    return row


def rates(row):
    return {(row[name], row[f"{name}_why"]) for name in RATES}


def response(reasoning=None):
    """100 words 20 ms apart, billed with 2,000 tokens of reasoning; before them perhaps one event of it."""
    texts = [
        (30_000 + 20 * at, event("response.output_text.delta", delta="a ", output_index=1, content_index=0))
        for at in range(1, 101)
    ]
    first = [(30_000, event(reasoning, delta="Thinking", output_index=0, summary_index=0))]
    details = {"reasoning_tokens": 2000}
    bill = {"input_tokens": 4, "output_tokens": 2100, "output_tokens_details": details}
    last = event("response.completed", response={"model": "o3", "status": "completed", "usage": bill})
    return timed(*(first if reasoning else []), *texts, (32_100, last))


def test_hidden_reasoning_leaves_the_rates_of_what_was_shown(tmp_path):
    row = row_of(recording(tmp_path, response(), path=b"/v1/responses"))
    assert (row["hidden_tokens"], row["itl_ms"], row["tokens_per_s"]) == (2000, 20, 50)


def test_a_summary_is_not_the_reasoning_that_was_billed(tmp_path):
    summary = "response.reasoning_summary_text.delta"
    row = row_of(recording(tmp_path, response(summary), path=b"/v1/responses"))
    assert (row["output_tokens"], row["hidden_tokens"], row["tokens_from"]) == (2100, 2000, "usage")
    assert rates(row) == {(None, "withheld-reasoning")}
    assert (row["ttft_ms"], row["first_reasoning_ms"], row["first_content_ms"]) == (30_000, 30_000, 30_020)
    assert (row["token_events"], row["gap_p50_ms"], row["gap_max_ms"]) == (101, 20, 20)


def test_reasoning_that_is_shown_is_counted(tmp_path):
    row = row_of(recording(tmp_path, response("response.reasoning_text.delta"), path=b"/v1/responses"))
    assert (row["hidden_tokens"], row["itl_ms"]) == (0, 2000 / 2099)


ITEM = event("response.output_item.done", item={"type": "reasoning", "summary": []})


@pytest.mark.parametrize(
    ("at_ms", "itl_ms"), [(29_000, 20), (31_010, None)], ids=["before-the-first-token", "amid"]
)
def test_reasoning_that_was_not_shown_took_its_time_where_it_was(tmp_path, at_ms, itl_ms):
    pieces = sorted([*response(), (at_ms * MS, ITEM)])
    row = row_of(recording(tmp_path, pieces, path=b"/v1/responses"))
    assert (row["hidden_tokens"], row["itl_ms"]) == (2000, itl_ms)
    assert row["itl_ms_why"] == (None if itl_ms else "withheld-reasoning")


@pytest.mark.parametrize("before", ["added", "done"])
def test_reasoning_that_was_shown_is_not_withheld_when_the_next_item_begins_before_it_is_done(
    tmp_path, before
):
    def at(kind, index, **more):
        return event(f"response.{kind}", output_index=index, **more)

    between = {
        "added": at("output_item.added", 1, item={"type": "message", "id": "m"}),
        "done": at("output_item.done", 0, item={"type": "reasoning", "id": "rs"}),
    }
    bill = {"input_tokens": 3, "output_tokens": 6, "output_tokens_details": {"reasoning_tokens": 3}}
    pieces = timed(
        (110, at("output_item.added", 0, item={"type": "reasoning", "id": "rs"})),
        *((ms, at("reasoning_text.delta", 0, item_id="rs", delta="r")) for ms in (200, 220, 240)),
        (241, between.pop(before)),
        (242, *between.values()),
        *((ms, at("output_text.delta", 1, item_id="m", delta="a")) for ms in (260, 280, 300)),
        (310, event("response.completed", response={"status": "completed", "usage": bill})),
    )
    row = row_of(recording(tmp_path, pieces, path=b"/v1/responses"))
    assert (row["hidden_tokens"], row["itl_ms"]) == (0, 20)


def test_no_reasoning_is_withheld_where_none_is_billed(tmp_path):
    pieces = [(at, piece.replace(b"2000", b"0")) for at, piece in response()]
    row = row_of(recording(tmp_path, sorted([*pieces, (31_010 * MS, ITEM)]), path=b"/v1/responses"))
    assert (row["hidden_tokens"], row["itl_ms_why"]) == (0, None)


def test_a_tokenizer_counts_what_was_shown(tmp_path):
    pieces = response("response.reasoning_summary_text.delta")
    tape = write(tmp_path / "one.tape", records(pieces, path=b"/v1/responses"))
    row = row_of(load(tape, tokens=lambda text: len(text.split())))
    assert (row["output_tokens"], row["hidden_tokens"], row["itl_ms"]) == (101, 0, 20)


def test_thoughts_of_gemini_are_summaries_and_what_they_add_to_the_bill_is_not_theirs(tmp_path):
    def part(text, thoughts, count, **more):
        bill = {"promptTokenCount": 4, "thoughtsTokenCount": thoughts, "candidatesTokenCount": count}
        candidate = {"content": {"parts": [{"text": text, **more}]}, "index": 0}
        return data({"candidates": [candidate], "modelVersion": "gemini-3", "usageMetadata": bill})

    last = data({"candidates": [{"index": 0, "finishReason": "STOP"}], "modelVersion": "gemini-3"})
    thoughts = [part("r", 60, 0, thought=True), part("s", 150, 0, thought=True)]
    pieces = timed((100, thoughts[0]), (200, thoughts[1]), (300, part("a", 150, 5)), (320, last))
    found = recording(tmp_path, pieces, path=b"/v1beta/models/g:streamGenerateContent")
    row = row_of(found)
    assert (row["output_tokens"], row["hidden_tokens"], row["tokens_from"]) == (155, 150, "usage-per-chunk")
    assert rates(row) == {(None, "withheld-reasoning")}
    assert found.events["tokens"].isna().all()


def message(model, *blocks, thinking_tokens=None):
    """Three words, 10 ms apart, after or among these blocks of thinking; 100 tokens are billed."""
    details = (
        {} if thinking_tokens is None else {"output_tokens_details": {"thinking_tokens": thinking_tokens}}
    )
    start = {"model": model, "content": [], "usage": {"input_tokens": 9}}
    end = [
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 100, **details}),
        event("message_stop"),
    ]
    pieces = [event("message_start", message=start), *(each for block in blocks for each in block), *end]
    return [((100 + 10 * at) * MS, piece) for at, piece in enumerate(pieces)]


def thinking(text=None):
    deltas = [{"type": "signature_delta", "signature": "Eq"}]
    if text is not None:
        deltas.insert(0, {"type": "thinking_delta", "thinking": text})
    start = event("content_block_start", content_block={"type": "thinking", "thinking": ""})
    return [start, *(event("content_block_delta", delta=delta) for delta in deltas)]


WORDS = [event("content_block_delta", delta={"type": "text_delta", "text": "a"})] * 3
REDACTED = [event("content_block_start", content_block={"type": "redacted_thinking", "data": "Eq"})]
CLAUDE = "claude-sonnet-4-20250514"


@pytest.mark.parametrize(
    ("pieces", "hidden", "itl_ms"),
    [
        (message(CLAUDE, thinking("r"), WORDS), 0, None),
        (message(CLAUDE, thinking("r"), WORDS, thinking_tokens=97), 97, None),
        (message(CLAUDE, thinking(), WORDS), 0, None),
        (message(CLAUDE, thinking(""), WORDS, thinking_tokens=97), 97, 10),
        (message(CLAUDE, WORDS, thinking(), WORDS, thinking_tokens=94), 94, None),
        (message("claude-3-7-sonnet-20250219", thinking("r"), WORDS), 0, 40 / 99),
        (message("claude-3-7-sonnet-20250219", REDACTED, thinking("r"), WORDS), 0, None),
        (message("claude-3-7-sonnet-20250219", REDACTED, thinking("r"), WORDS, thinking_tokens=50), 0, None),
        (message("MiniMax-M2", thinking("r"), WORDS), 0, 40 / 99),
        (message(CLAUDE, WORDS), 0, 20 / 99),
    ],
)
def test_thinking_of_claude(tmp_path, pieces, hidden, itl_ms):
    row = row_of(recording(tmp_path, pieces, path=b"/v1/messages"))
    assert (row["output_tokens"], row["hidden_tokens"], row["itl_ms"]) == (
        100,
        hidden,
        None if itl_ms is None else pytest.approx(itl_ms),
    )
    assert row["itl_ms_why"] == (None if itl_ms else "withheld-reasoning")


@pytest.mark.parametrize(
    ("model", "blocks", "itl_ms"),
    [
        (CLAUDE, [thinking("r"), WORDS], None),
        (CLAUDE, [thinking(), WORDS], 10),
        (CLAUDE, [WORDS, thinking(), WORDS], None),
        (CLAUDE, [WORDS], 10),
        ("claude-3-7-sonnet-20250219", [thinking("r"), WORDS], 40 / 3),
    ],
    ids=["summary", "nothing", "nothing-amid", "no-reasoning", "all"],
)
def test_a_stream_that_was_cut_before_its_bill_has_no_rate_that_it_would_not_have_had(
    tmp_path, model, blocks, itl_ms
):
    cut = message(model, *blocks)[:-2]
    tape = write(tmp_path / "one.tape", records(cut, path=b"/v1/messages", end="upstream-error"))
    row, counted = row_of(load(tape)), row_of(load(tape, tokens=len))
    assert (row["tokens_from"], row["hidden_tokens"]) == ("chunks", 0)
    assert (row["itl_ms"], row["itl_ms_why"]) == (
        (None, "withheld-reasoning") if itl_ms is None else (pytest.approx(itl_ms), None)
    )
    assert counted["itl_ms"] is not None


def test_rates_of_a_recording_are_not_those_of_what_was_cut_alone(tmp_path):
    whole = message(CLAUDE, thinking("r"), WORDS)
    tape = write(
        tmp_path / "two.tape",
        records(whole, path=b"/v1/messages"),
        records(whole[:-2], path=b"/v1/messages", end="upstream-error", exchange=1),
    )
    found = load(tape)
    assert found.streams["itl_ms"].isna().all()
    assert not found.summary().loc["itl_ms", "n"]


def chunks(*texts, output=12, reasoning=8, **more):
    bill = {**usage(9, output), "completion_tokens_details": {"reasoning_tokens": reasoning}}
    deltas = [data(chunk({"content": text})) for text in texts]
    ends = [data(chunk(finish="stop", usage=bill, **more)), DONE]
    return [((200 + 20 * at) * MS, piece) for at, piece in enumerate([*deltas, *ends])]


ANSWER = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("texts", "hidden"),
    [
        (["<think>", *"12345678", "</think>", *ANSWER], 0),
        (["<thi", "nk>", *"1234567", "</think>", *ANSWER], 0),
        (["<", "think", ">", *"123456", "</think>", *ANSWER], 0),
        (["\n", " <", "th", "ink>", *ANSWER], 0),
        (["Use ", "the `<think>` tag", *ANSWER], 8),
        (["a", "<think>", *ANSWER], 8),
        (["<thin", "g>", *ANSWER], 8),
        (["<"], 8),
        ([" "], 8),
    ],
)
def test_reasoning_in_tags_is_at_the_start_of_all_content(tmp_path, texts, hidden):
    row = row_of(recording(tmp_path, chunks(*texts)))
    assert row["hidden_tokens"] == hidden


@pytest.mark.parametrize(("output", "why"), [(8, "all-hidden"), (9, "single-token")])
def test_a_rate_is_missing_for_what_the_bill_calls_all_tokens(tmp_path, output, why):
    row = row_of(recording(tmp_path, chunks("a", "b", output=output)))
    assert (row["output_tokens"], row["hidden_tokens"]) == (output, 8)
    assert rates(row) == {(None, why)}


CALL = data(chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}))
REASONING = data(chunk({"reasoning_content": "r"}))


def by(name, folder, *pieces):
    ended = [*pieces, data(chunk(finish="stop")), DONE]
    timed = [((200 + 20 * at) * MS, piece) for at, piece in enumerate(ended)]
    (row,) = load(write(folder / "one.tape", records(timed)), definitions=name).as_dict()["streams"]
    return row


def test_what_a_tool_does_not_take_for_a_token_is_not_seen_by_it(tmp_path):
    row = by("servebench", tmp_path, CALL, CALL)
    for name in ("ttft", "first_tool_call", "last_token", "gap_p50", "itl", "tpot", "e2e"):
        assert row[f"{name}_ms_why"] == "not-seen-by-tool", name
    assert (row["first_content_ms_why"], row["first_reasoning_ms_why"]) == ("no-content", "no-reasoning")


def test_a_kind_that_a_tool_does_not_take_for_a_token_is_not_seen_by_it(tmp_path):
    row = by("vllm", tmp_path, REASONING, data(chunk({"content": "a"})), CALL)
    assert (row["first_reasoning_ms_why"], row["ttft_ms"]) == ("not-seen-by-tool", 220)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_stream_without_text_is_that_to_every_tool(tmp_path, name):
    row = by(name, tmp_path, data(chunk({"role": "assistant"})))
    assert row["ttft_ms_why"] == "role-only"
    assert row["first_content_ms_why"] == "role-only"
