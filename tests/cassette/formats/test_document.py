"""`docs/formats.md` says of each format what is written, and no more."""

import io
import json
import re
from pathlib import Path

import pytest
from mitmproxy.io import FlowReader

from tests.cassette.formats.files import exported
from tests.cassette.tapes import RECORDS, SECTION
from tokentape import cassette
from tokentape.cassette.formats import ENDINGS, FORMATS, WRITTEN, _flows, _har
from tokentape.cassette.formats import _jsonl as jsonl

TEXT = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()


def section(title):
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(text):
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_the_table_of_formats_is_the_registry():
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \| ([^|]+) \| (\w+) \| (\w+) \| ([^|]*)\|$", TEXT, re.MULTILINE)
    assert [row[0] for row in rows] == list(FORMATS)
    endings = {ending: name for name, listed, *_ in rows for ending in re.findall(r"`([^`]+)`", listed)}
    assert endings == ENDINGS
    assert [name for name, _, read, written, _ in rows if (read, written) == ("yes", "yes")] == list(WRITTEN)
    assert {name for name, *_, needs in rows if "tokentape[convert]" in needs} == {"flow", "vcr"}


def test_the_example_of_json_lines_is_what_is_written():
    chunk = cassette.Chunk(exchange=0, t=123, data=b"text")
    out = io.BytesIO()
    jsonl.write(out, [cassette.Entry(0, cassette._records.encode(chunk), chunk)], [])
    for line in out.getvalue().decode().splitlines():
        assert f"    {line}\n" in section("JSON lines")


@pytest.mark.parametrize("name", first_cells(section("HTTP archives")))
def test_every_field_of_an_archive_that_is_described_is_written(name):
    refused = [SECTION, RECORDS[1], cassette.End(exchange=0, t=10**9, reason="upstream-error")]
    whole = json.loads(exported(_har, list(RECORDS)))["log"]["entries"][0]
    failed = json.loads(exported(_har, refused))["log"]["entries"][0]
    if name == "response.content.compression":  # where there was any
        return
    entries = [failed] if name.startswith("response._") else [whole]
    for entry in entries:
        found = {**entry, "headersSize": entry["request"]["headersSize"]}
        for part in name.split("."):
            assert part in found, name
            found = found[part]


def test_all_that_stands_beside_an_entry_is_named():
    (entry,) = json.loads(exported(_har, list(RECORDS)))["log"]["entries"]
    described = set(re.findall(r"`(\w+)`", section("HTTP archives")))
    assert set(entry["_tokentape"]) <= described


@pytest.mark.parametrize("name", first_cells(section("mitmproxy's flows")))
def test_every_field_of_a_flow_that_is_described_is_there(name):
    records = [*RECORDS[:-3], cassette.End(exchange=0, t=10**9, reason="upstream-error")]
    (flow,) = FlowReader(io.BytesIO(exported(_flows, records))).stream()
    if name == 'metadata["tokentape"]':
        assert json.loads(flow.metadata["tokentape"])["version"] == 1
        return
    found = flow
    for part in name.split("."):
        found = getattr(found, part)
    assert found
