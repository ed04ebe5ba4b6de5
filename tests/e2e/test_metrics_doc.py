"""The Python of docs/metrics.md and docs/opentelemetry.md runs as printed, and commands in the text do."""

import re
from pathlib import Path

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.e2e.newcomer import blocks
from tests.e2e.processes import ROOT, run
from tokentape.analysis import compare, load
from tokentape.analysis.opentelemetry import otel_dict, otel_summary, otel_table, otlp_metrics, otlp_traces

METRICS, OPENTELEMETRY = ((ROOT / "docs" / name).read_text() for name in ("metrics.md", "opentelemetry.md"))
PIECES = [
    *[((200 + 20 * n) * MS, data(chunk({"content": "a"}))) for n in range(20)],
    (1_100 * MS, data(chunk({"content": "b"}))),
    (1_120 * MS, data(chunk(finish="stop"))),
    (1_121 * MS, DONE),
]


class Tokenizer:
    """Counts characters."""

    def encode(self, text: str) -> list[str]:
        return list(text)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    (tmp_path / "tapes").mkdir()
    body = b'{"model":"gpt-4o"}'
    made = [records(PIECES, exchange=number, body=body) for number in range(30)]
    write(tmp_path / "tapes" / "one.tape", *made)
    write(tmp_path / "week-1.tape", *made)
    return write(tmp_path / "session.tape", *made)


def test_every_python_block_about_metrics_runs(tape: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tape.parent)
    monkeypatch.setattr("plotly.graph_objects.Figure.show", lambda _: None)
    recording = load(tape)
    recording.streams["model"] = recording.streams["model"].cat.rename_categories(["gpt-4o"])
    known = {
        "load": load,
        "compare": compare,
        "recording": recording,
        "before": recording,
        "after": recording,
        "my_tokenizer": Tokenizer(),
    }
    ran = 0
    for kind, text in blocks(METRICS):
        assert kind == "python"
        # tokenizers are files that are nobody's here
        exec(re.sub(r"^load\(.*(tiktoken|tokenizers):.*$", "", text, flags=re.MULTILINE), known)
        ran += 1
    assert ran == METRICS.count("```python") > 5
    assert (tape.parent / "worst.html").exists()


@pytest.mark.parametrize("option", ["--slo ttft_ms=500,gap_ms=200", "--stalls 400"])
def test_commands_that_the_document_has_in_its_text_print_their_table(tape: Path, option: str):
    assert f"`tokentape analyze {option}`" in METRICS
    assert run("analyze", tape, *option.split()).stdout


def test_the_columns_of_stalls_are_defined_in_their_order(tape: Path):
    (text,) = re.findall(r"^`stalls` has .*?\n\n", METRICS, re.MULTILINE | re.DOTALL)
    stalls = load(tape).stalls(over_ms=400)
    names = [name for name in re.findall(r"`(\w+)`", text) if name in stalls.columns]
    assert list(dict.fromkeys(names)) == list(stalls.columns)
    assert (stalls["token_event"] == 20).all()
    assert (load(tape).stalls(over_ms=0)["token_event"] > 0).all()


def test_every_function_of_opentelemetry_is_called_as_printed(tape: Path):
    recording = load(tape)
    known = {
        "otel_dict": otel_dict,
        "otel_summary": otel_summary,
        "otel_table": otel_table,
        "otlp_metrics": otlp_metrics,
        "otlp_traces": otlp_traces,
        "recording": recording,
    }
    calls = re.findall(r"`(ot\w+\(.*?\))`", OPENTELEMETRY)
    assert len(calls) == 5
    assert all(len(eval(call, known)) for call in calls)
