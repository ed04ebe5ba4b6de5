"""What tokentape exports to an archive or to flows, it gets back, whatever the exchange was."""

import io
import json

import pytest
from hypothesis import given, settings
from mitmproxy.io import FlowReader, FlowWriter
from msgspec.structs import replace

from tests.cassette.formats.files import by_exchange, exported, imported
from tests.cassette.formats.strategies import cassettes
from tests.cassette.tapes import CHUNKS, CLOSE, END, RECORDS, REQUEST, RESPONSE, SECTION
from tokentape import cassette
from tokentape.cassette import Close, Note, Request, Response, Section
from tokentape.cassette._records import encode
from tokentape.cassette.formats import _flows, _har

FORMATS = pytest.mark.parametrize("module", [_har, _flows], ids=["har", "flow"])


@FORMATS
@settings(max_examples=60, deadline=None)
@given(records=cassettes())
def test_every_exchange_comes_back(module, records):
    lost: list[str] = []
    found = imported(module, exported(module, records, lost), lost)
    assert lost == []
    assert by_exchange(found) == by_exchange(records)
    for kind in (Section, Close):
        assert [each for each in found if isinstance(each, kind)] == [
            each for each in records if isinstance(each, kind)
        ]
    notes = [each for each in records if isinstance(each, Note) and each.exchange is None]
    assert [each for each in found if isinstance(each, Note) and each.exchange is None] == notes
    assert len(found) == len(records)


@FORMATS
@settings(max_examples=25, deadline=None)
@given(records=cassettes())
def test_the_second_time_gives_the_same_file(module, records):
    data = exported(module, records)
    again = exported(module, imported(module, data))
    if module is _har:
        assert again == data
    else:  # mitmproxy gives each flow an id of its own
        assert imported(module, again) == imported(module, data)


@FORMATS
def test_records_come_back_in_the_order_of_their_times(module):
    second = [
        replace(each, exchange=1, **({"t_end": 2_500} if each is REQUEST else {}))
        for each in (REQUEST, RESPONSE, *CHUNKS, END)
    ]
    records = [SECTION, REQUEST, second[0], RESPONSE, second[1]]
    records += [CHUNKS[0], second[2], CHUNKS[1], second[3], END, second[4], CLOSE]
    assert imported(module, exported(module, records)) == records


@FORMATS
def test_what_has_no_place_is_said(module):
    lost: list[str] = []
    more = cassette.Entry(0, b"", cassette.Unknown(kind=200, payload=b""))
    entries = [*map(_entry, RECORDS), more]
    entries.append(_entry(replace(CHUNKS[0], exchange=7)))
    module.write(_Nowhere(), entries, lost)
    assert [line.partition(" has no place")[0].partition(":")[0] for line in lost] == [
        lost[0].partition(" has no place")[0],
        "exchange 7 of section 1",
    ]
    assert lost[0].startswith("1 of the records are of kinds")


@FORMATS
def test_a_body_that_was_edited_counts_and_its_times_do_not(module):
    data = exported(module, list(RECORDS))
    edited = data.replace(rb"{\"a\": 1}" if module is _har else b'{"a": 1}', b"edited")
    assert edited != data
    if module is _flows:
        edited = _sized(data)
    found = imported(module, edited)
    (exchange,) = cassette.exchanges(found)
    assert exchange.body == b"data: edited\n\ndata: [DONE]\n\n"
    assert exchange.request.times == "headers"
    assert (exchange.end.chunks, exchange.end.bytes) == (1, 28)
    assert exchange.response.t == RESPONSE.t


def _sized(data: bytes) -> bytes:
    """Edit the body of a flow as a user of mitmproxy does."""
    (flow,) = FlowReader(io.BytesIO(data)).stream()
    flow.response.raw_content = flow.response.raw_content.replace(b'{"a": 1}', b"edited")
    out = io.BytesIO()
    FlowWriter(out).add(flow)
    return out.getvalue()


def _entry(record):
    return cassette.Entry(0, encode(record), record)


class _Nowhere:
    def write(self, data):
        return len(data)

    def flush(self):
        pass


@FORMATS
def test_two_files_put_together_keep_all_exchanges(module):
    data = exported(module, list(RECORDS))
    if module is _har:
        found = json.loads(data)
        found["log"]["entries"] *= 2
        twice = json.dumps(found).encode()
    else:
        twice = data + exported(module, list(RECORDS))
        assert [each.exchange for each in imported(module, data * 2) if isinstance(each, cassette.End)] == [0]
    records = imported(module, twice)
    assert [each.exchange for each in records if isinstance(each, cassette.Request)] == [0, 1]
    assert [each.body for each in by_exchange(records)] == [b"".join(chunk.data for chunk in CHUNKS)] * 2


@FORMATS
def test_what_stands_beside_and_cannot_be_used_is_said_and_the_rest_is_taken(module):
    data = exported(module, list(RECORDS))
    broken = data.replace(b'"pieces"', b'"piecez"')
    lost: list[str] = []
    (exchange,) = cassette.exchanges(imported(module, broken, lost))
    assert exchange.request.times == "headers"
    assert exchange.body == b"".join(chunk.data for chunk in CHUNKS)
    (line,) = lost
    assert "pieces: expected list, found None" in line


@FORMATS
def test_a_redactor_sees_every_record_before_it_is_written(module):
    seen = []

    def redact(record):
        seen.append(record)
        return replace(record, headers=()) if isinstance(record, Request | Response) else record

    found = imported(module, exported(module, list(RECORDS)), redact=redact)
    assert seen == list(RECORDS)
    assert found == [redact(record) for record in RECORDS]
