"""What OpenTelemetry's own code reads of what is printed for it, against the tables."""

import base64
import io
import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from google.protobuf.json_format import Parse
from msgspec.structs import replace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, usage_chunk, write
from tests.cassette.tapes import raw
from tests.cli.verbs import run
from tokentape.analysis import _schema as schema
from tokentape.analysis import load
from tokentape.analysis.opentelemetry import _otel as otel
from tokentape.analysis.opentelemetry import (
    otel_dict,
    otel_summary,
    otel_table,
    otlp_metrics,
    otlp_traces,
)
from tokentape.analysis.opentelemetry._otlp import BOUNDS

TEXT = (Path(__file__).parents[3] / "docs" / "opentelemetry.md").read_text(encoding="utf-8")


def token(ms, index=0):
    return (ms * MS, data(chunk({"content": "a"}, index=index)))


def answer(first, step, *, number=0, tokens=4, choices=1, **options):
    pieces = [(first * MS // 2, data(chunk({"role": "assistant"})))]
    pieces += [token(first + n * step, index) for n in range(tokens) for index in range(choices)]
    end = first + tokens * step
    pieces += [(end * MS, data(chunk(finish="stop", index=index))) for index in range(choices)]
    pieces.append((end * MS, data(usage_chunk(9, tokens * choices)) + DONE))
    return records(pieces, exchange=number, end_ns=(end + 5) * MS, **options)


@pytest.fixture
def path(tmp_path):
    return write(
        tmp_path / "a.tape",
        answer(100, 20),
        answer(250, 30, number=1, tokens=7),
        answer(10, 10, number=2, choices=2),
        records([(40 * MS, b'{"error":{"message":"no"}}')], exchange=3, status=429, content_type="text/json"),
        records([token(300), token(310)], exchange=4, end="upstream-error", end_ns=400 * MS),
        records([token(300)], exchange=5, end=None),
        records([(1 * MS, b"data: x\n\n")], exchange=6, path=b"/events", body=b""),
    )


@pytest.fixture
def recording(path):
    return load(path)


def points(request):
    """The points of each metric, with their attributes as a dict."""
    found = {}
    for resource in request.resource_metrics:
        assert resource.resource.attributes[0].key == "service.name"
        for scope in resource.scope_metrics:
            assert scope.schema_url == otel.SCHEMA_URL
            for metric in scope.metrics:
                assert metric.histogram.aggregation_temporality == 1
                assert metric.unit == ("{token}" if metric.name == otel.TOKEN_USAGE else "s")
                found[metric.name] = [
                    ({each.key: _value(each.value) for each in point.attributes}, point)
                    for point in metric.histogram.data_points
                ]
    return found


def _value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def parsed(recording):
    return points(Parse(json.dumps(otlp_metrics(recording), allow_nan=False), ExportMetricsServiceRequest()))


def total(found, name, key=None, value=None):
    chosen = [point for attributes, point in found[name] if key is None or attributes.get(key) == value]
    return sum(point.count for point in chosen), sum(point.sum for point in chosen)


def test_histograms_are_what_the_tables_have(recording):
    found = parsed(recording)
    assert set(found) == set(BOUNDS)
    streams = recording.streams
    complete = streams[(streams["outcome"] == "complete") & streams["ttft_ms"].notna()]
    first = complete.groupby("exchange")["ttft_ms"].min()
    assert total(found, otel.TTFT) == (3, pytest.approx(first.sum() / 1000))
    assert total(found, otel.TPOT) == (len(complete), pytest.approx(complete["tpot_ms"].sum() / 1000))
    last = complete.groupby("exchange")["e2e_ms"].max().sum() + 40 + 400
    assert total(found, otel.REQUEST_DURATION) == (5, pytest.approx(last / 1000))
    ended = recording.exchanges[recording.exchanges["exchange"] < 5]["end_ms"]
    assert total(found, otel.OPERATION_DURATION) == (5, pytest.approx(ended.sum() / 1000))
    bills = recording.exchanges
    for kind, column in (("input", "prompt_tokens"), ("output", "output_tokens")):
        expected = (bills[column].count(), bills[column].sum())
        assert total(found, otel.TOKEN_USAGE, "gen_ai.token.type", kind) == expected
    assert total(found, otel.TIME_TO_FIRST_CHUNK)[0] == 4
    chunks = recording.exchanges[recording.exchanges["exchange"].isin([0, 1, 2, 4])]["events"]
    assert total(found, otel.TIME_PER_OUTPUT_CHUNK)[0] == (chunks - 1).sum()


def test_buckets_hold_their_upper_bound_and_add_up(recording):
    for each in parsed(recording).values():
        for _, point in each:
            assert sum(point.bucket_counts) == point.count
            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
            assert point.min <= point.sum / point.count <= point.max
            assert point.start_time_unix_nano < point.time_unix_nano
            assert point.start_time_unix_nano == recording.exchanges["started_at"].min().value
    ((_, point),) = (each for each in parsed(recording)[otel.TTFT] if each[1].count)
    # 10, 100 and 250 ms, each the upper bound of its bucket
    assert [n for n, count in zip(point.explicit_bounds, point.bucket_counts, strict=False) if count] == [
        0.01, 0.1, 0.25
    ]  # fmt: skip


def test_attributes_say_who_answered_and_what_failed(recording):
    found = parsed(recording)
    errors = {attributes.get("error.type"): point.count for attributes, point in found[otel.REQUEST_DURATION]}
    assert errors == {None: 3, "429": 1, "upstream-error": 1}
    assert found[otel.TTFT][0][0] == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "asked-for",
        "gen_ai.response.model": "m-1",
        "server.address": "api.example",
        "server.port": 443,
    }


def test_spans_are_the_requests(recording):
    made = json.dumps(otlp_traces(recording), allow_nan=False)
    made = re.sub(  # OTLP has ids in hex, where protobuf's JSON has them in base64
        r'"((?:trace|span)Id)": "([0-9a-f]+)"',
        lambda found: f'"{found[1]}": "{base64.b64encode(bytes.fromhex(found[2])).decode()}"',
        made,
    )
    request = Parse(made, ExportTraceServiceRequest())
    spans = request.resource_spans[0].scope_spans[0].spans
    assert [span.name for span in spans] == ["chat asked-for"] * 5
    assert len({span.trace_id for span in spans}) == 5
    assert {(len(span.trace_id), len(span.span_id)) for span in spans} == {(16, 8)}
    exchanges = recording.exchanges.set_index("exchange")
    for number, span in enumerate(spans):
        took = span.end_time_unix_nano - span.start_time_unix_nano
        assert took == round(exchanges.loc[number, "end_ms"] * MS)
        assert span.start_time_unix_nano == exchanges.loc[number, "started_at"].value
    assert [span.status.code for span in spans] == [0, 0, 0, 2, 2]
    attributes = {each.key: each.value for each in spans[2].attributes}
    reasons = attributes["gen_ai.response.finish_reasons"].array_value
    assert [each.string_value for each in reasons.values] == ["stop", "stop"]  # noqa: PD011  (no pandas)
    assert attributes["gen_ai.usage.output_tokens"].int_value == 8
    assert attributes["gen_ai.response.time_to_first_chunk"].double_value == pytest.approx(0.005)
    assert attributes["http.response.status_code"].int_value == 200


def test_nothing_known_is_nothing_said(tmp_path):
    empty = load(write(tmp_path / "a.tape"))
    assert otlp_metrics(empty) == {"resourceMetrics": []}
    assert otlp_traces(empty) == {"resourceSpans": []}
    whole = raw(replace(SECTION, wall_ns=0), *answer(100, 20))
    (tmp_path / "b.tape").write_bytes(whole)
    timeless = load(tmp_path / "b.tape")
    ((_, point),) = parsed(timeless)[otel.TTFT]
    assert (point.count, point.time_unix_nano) == (1, 0)
    assert otlp_traces(timeless) == {"resourceSpans": []}


def test_tables_are_renamed_where_there_is_a_name_and_in_seconds(recording):
    for table, types in ((recording.streams, schema.STREAMS), (recording.exchanges, schema.EXCHANGES)):
        renamed = otel_table(table)
        assert len(renamed.columns) == len(set(renamed.columns)) == len(types)
        for old, new in zip(types, renamed.columns, strict=True):
            stem = old.removesuffix("_why")
            assert new == (otel.NAMES[stem] + old[len(stem) :] if stem in otel.NAMES else old)
            if old in otel.TIMES:
                pd.testing.assert_series_equal(renamed[new], table[old] / 1000, check_names=False)
            else:
                pd.testing.assert_series_equal(renamed[new], table[old], check_names=False)
    assert "ttft_ms" in recording.streams.columns


@pytest.mark.parametrize("by", [None, "model_requested"])
def test_summaries_and_json_have_the_same_names_and_numbers(recording, by):
    ours, renamed = recording.summary(by), otel_summary(recording.summary(by))
    assert ours.shape == renamed.shape
    key = ("asked-for",) if by else ()
    assert renamed.loc[(*key, otel.TTFT), "p50"] == ours.loc[(*key, "ttft_ms"), "p50"] / 1000
    assert renamed.loc[(*key, otel.TPOT), "n"] == ours.loc[(*key, "itl_ms"), "n"]
    assert renamed.loc[(*key, "gap_ms"), "p50"] == ours.loc[(*key, "gap_ms"), "p50"]
    found = otel_dict(recording.as_dict(by))
    summary = found["summary"]["asked-for"] if by else found["summary"]
    assert summary[otel.TTFT]["p50"] == renamed.loc[(*key, otel.TTFT), "p50"]
    assert summary["streams"] == len(recording.streams) - (1 if by else 0)
    for row, old in zip(found["streams"], recording.as_dict()["streams"], strict=True):
        assert row[otel.TTFT] == (None if old["ttft_ms"] is None else old["ttft_ms"] / 1000)
        assert row[f"{otel.TTFT}_why"] == old["ttft_ms_why"]


def test_a_tool_to_which_itl_and_tpot_are_two_keeps_them_apart(path):
    recording = load(path, definitions="vllm")
    ours = recording.summary()
    renamed = otel_summary(ours)
    assert renamed.index.is_unique
    assert renamed.loc[otel.TPOT, "p50"] == ours.loc["tpot_ms", "p50"] / 1000
    assert renamed.loc["itl_ms", "p50"] == ours.loc["itl_ms", "p50"]
    found = otel_dict(recording.as_dict())["summary"]
    assert found[otel.TPOT]["p50"] == renamed.loc[otel.TPOT, "p50"]
    assert found["itl_ms"]["p50"] == renamed.loc["itl_ms", "p50"]


def test_every_format_of_the_command_has_them(path, recording):
    options = ["analyze", path, "--names", "otel"]
    assert otel.TTFT in run(*options).stdout
    assert otel.TTFT in run(*options, "--format", "markdown").stdout
    rows = run(*options, "--format", "csv").stdout.splitlines()
    assert rows[0].startswith("metric,unit,n,p50")
    assert rows[1].startswith(f"{otel.TTFT},s,")
    units = dict(row.split(",")[:2] for row in rows[1:])
    assert units == {
        otel.TTFT: "s",
        otel.TPOT: "s",
        otel.REQUEST_DURATION: "s",
        "gap_ms": "ms",
        "read_gap_ms": "ms",
        "gen_ai.usage.output_tokens": "{token}",
        "tokens_per_s": "{token}/s",
    }
    rows = run(*options, "--format", "csv", "--by", "model").stdout.splitlines()
    assert rows[0].startswith("gen_ai.response.model,metric,unit,n")
    assert otel.TTFT in json.loads(run(*options, "--json").stdout)["streams"][0]
    assert json.loads(run(*options, "--json").stdout) == json.loads(run(*options, "--format", "json").stdout)
    parquet = pd.read_parquet(io.BytesIO(run(*options, "--format", "parquet").stdout_bytes))
    assert list(parquet.columns) == list(otel_table(recording.streams).columns)
    assert json.loads(run("analyze", path, "--format", "otlp").stdout) == otlp_metrics(recording)
    assert json.loads(run("analyze", path, "--format", "otlp-traces").stdout) == otlp_traces(recording)


def test_damage_is_said_with_otlp_too(path):
    path.write_bytes(path.read_bytes()[:-3])
    result = run("analyze", path, "--format", "otlp")
    assert result.exit_code == 3
    json.loads(result.stdout)


def test_every_command_of_the_document_works(path):
    lines = [line for line in TEXT.splitlines() if line.startswith("tokentape ")]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line.partition(">")[0], comments=True)[1:]
        assert run(*(path if word == "session.tape" else word for word in words)).exit_code == 0


def test_document_has_every_name_and_every_metric():
    table = TEXT.partition("## Names")[2].partition("## Histograms")[0]
    assert [name for pair in otel.NAMES.items() for name in pair if f"`{name}`" not in table] == []
    rows = TEXT.partition("## Histograms")[2]
    assert [name for name in BOUNDS if f"| `{name}` |" not in rows] == []
