"""Streams of providers, mutated: nothing raises, and no number is made of what is not there.

A mutant is a recorded stream whose lines were dropped, doubled, swapped or cut, whose JSON values were
replaced by others, whose bytes were damaged, and which came in any pieces at any times. A cassette of them
may be damaged, and have times in any order and numbers that are used twice. TOKENTAPE_FUZZ is how many to
try; `make fuzz` tries many.
"""

import gzip
import json
import os
from itertools import chain, pairwise, zip_longest
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.analysis.sound import check
from tests.analysis.tapes import SECTION, ZERO, records
from tests.analysis.test_corpus_expectations import PATHS
from tests.cassette.tapes import raw
from tests.corpus import FOLDER, IS_HERE
from tests.streams import STREAMS, anthropic_messages
from tokentape.analysis import load
from tokentape.cassette import CassetteError, Connect, Request, Response

MUTANTS = int(os.environ.get("TOKENTAPE_FUZZ", "40"))
thorough = settings(
    max_examples=MUTANTS,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink a stream takes minutes
)
few = settings(thorough, max_examples=max(8, MUTANTS // 8))

LINES = 60
"""Of a long stream the first and the last half of this."""
VALUES = (
    None, True, False, 0, 1, -1, 7, 2**31, 2**63, 2**64, 10**400, -(2**63), 0.5, 1e300,
    float("nan"), float("inf"),
    "", " ", "3", "null", "stop", "\ud83d", "\udc00a", "\x00\x1b[31m\u2028", "x" * 3000,
    [], [[]], [None], {}, {"": None}, [{}], ["a", 1], {"error": {}}, {"index": "0"}, {"text": 1},
    {"content": []},
)  # fmt: skip
DEEP = "[" * 3000 + "]" * 3000


def sources():
    """Each a body, its path and its content type."""
    found = [(stream.body, "openai-chat") for stream in STREAMS if stream.name != "gzip"]
    found.append((anthropic_messages().body, "anthropic-messages"))
    if IS_HERE:
        expected = Path(__file__).with_name("corpus_expectations.jsonl").read_text().splitlines()
        for line in map(json.loads, expected):
            name = line["file"]
            body = (FOLDER / name).read_bytes()
            if name.endswith(".gz"):
                continue
            if name.endswith(".jsonl") and not name.startswith("ollama/"):
                body = b"".join(b"data: " + each + b"\n\n" for each in body.splitlines() if each)
            found.append((body, line["dialect"]))
    return [(_shortened(body), dialect) for body, dialect in found]


def _shortened(body):
    lines = body.splitlines(keepends=True)
    return lines if len(lines) <= LINES else [*lines[: LINES // 2], *lines[-LINES // 2 :]]


SOURCES = sources()
share = st.floats(0, 1, exclude_max=True)
operation = st.tuples(
    st.sampled_from(
        ("drop", "double", "swap", "cut", "replace", "replace", "replace", "remove", "deep", "raw")
    ),
    share,
    share,
    st.integers(0, len(VALUES) - 1),
)
damage = st.tuples(st.sampled_from(("flip", "insert", "delete")), share, st.binary(min_size=1, max_size=4))


def parent_of(value, place):
    """A container in a JSON value and a key of it, chosen by a number from 0 to 1; None if it has none."""
    found = []
    stack = [value]
    while stack and len(found) < 500:
        each = stack.pop()
        if isinstance(each, dict | list):
            keys = list(each) if isinstance(each, dict) else list(range(len(each)))
            found += [(each, key) for key in keys]
            stack += [each[key] for key in keys]
    return found[int(place * len(found))] if found else None


def mutated(lines, kind, place, inner, value):
    """The lines after one operation."""
    lines = list(lines)
    if not lines:
        return lines
    at = int(place * len(lines))
    if kind in ("replace", "remove", "deep"):  # the next line with JSON in it
        at = next((n for n in [*range(at, len(lines)), *range(at)] if b"{" in lines[n]), at)
    line = lines[at]
    match kind:
        case "drop":
            del lines[at]
        case "double":
            lines.insert(at, line)
        case "swap":
            other = int(inner * len(lines))
            lines[at], lines[other] = lines[other], line
        case "cut":
            lines[at] = line[: int(inner * len(line))]
        case "raw":
            lines[at] = b"data: " + json.dumps(VALUES[value]).encode() + b"\n\n"
        case _:
            start = line.find(b"{")
            try:
                parsed = json.loads(line[start:])
                container, key = parent_of(parsed, inner)
            except (ValueError, TypeError, RecursionError):
                return lines
            if kind == "remove":
                del container[key]
            else:
                container[key] = "DEEP" if kind == "deep" else VALUES[value]
            text = json.dumps(parsed, ensure_ascii=bool(value % 2)).encode("utf-8", "surrogatepass")
            end = line[len(line.rstrip(b"\r\n")) :]
            lines[at] = line[:start] + text.replace(b'"DEEP"', DEEP.encode()) + end
    return lines


def damaged(body, kind, place, what):
    at = int(place * len(body))
    match kind:
        case "flip":
            return body[:at] + what + body[at + len(what) :]
        case "insert":
            return body[:at] + what + body[at:]
        case _:
            return body[:at] + body[at + len(what) * 5 :]


def in_pieces(body, cuts, steps):
    """The body cut at these places, each piece so many ns after the one before; clocks may stand still."""
    at = sorted({0, len(body), *(int(cut * len(body)) for cut in cuts)})
    now, pieces = 50_000_000, []
    for number, (start, end) in enumerate(pairwise(at)):
        now += steps[number % len(steps)]
        pieces.append((now, body[start:end]))
    return pieces


@st.composite
def mutants(draw):
    lines, dialect = draw(st.sampled_from(SOURCES))
    for each in draw(st.lists(operation, max_size=5)):
        lines = mutated(lines, *each)
    body = b"".join(lines)
    for each in draw(st.lists(damage, max_size=2)):
        body = damaged(body, *each)
    encoding = draw(st.sampled_from(("", "", "", "gzip", "lies")))
    if encoding == "gzip":
        body = gzip.compress(body, mtime=0)
        for each in draw(st.lists(damage, max_size=1)):
            body = damaged(body, *each)
    options = {
        "encoding": "gzip" if encoding else "",
        "path": draw(st.sampled_from((PATHS[dialect], PATHS[dialect], *PATHS.values()))),
        "content_type": draw(
            st.sampled_from(
                ("application/x-ndjson",) * 3 + ("text/event-stream",)
                if dialect == "ollama"
                else ("text/event-stream",) * 4 + ("", "application/json", "application/x-ndjson")
            )
        ),
        "status": draw(st.sampled_from((200, 200, 200, 200, 500, 204, 304, None))),
        "end": draw(
            st.sampled_from(("complete", "complete", "client-closed", "upstream-error", None, "new-reason"))
        ),
        "method": draw(st.sampled_from(("POST", "POST", "HEAD"))),
        "headers_ns": 30_000_000,
    }
    return body, options


steps = st.lists(st.sampled_from((0, 0, 1, 999, 1_000_000, 20_000_000, 400_000_000)), min_size=1, max_size=6)
CONTENT = ["choice", "outcome", "finish_reason", "output_tokens", "tokens_from", "hidden_tokens",
           "token_events", "text_chars", "events", "model", "dialect", "bytes", "prompt_tokens",
           "ttft_ms_why"]  # fmt: skip


def contents(recording):
    """What does not depend on how the bytes came: everything but times and reads."""
    texts = recording.events[["event", "choice", "carries", "text", "tokens"]]
    rows = recording.streams[CONTENT].astype("object").where(recording.streams[CONTENT].notna(), None)
    return rows.to_dict("records"), texts.astype("object").where(texts.notna(), None).to_dict("records")


def raw_of(*exchanges):
    """The bytes of a cassette of exchanges, each its pieces and the options of `records`."""
    each = (records(pieces, exchange=number, **options) for number, (pieces, options) in enumerate(exchanges))
    return raw(SECTION, *chain.from_iterable(each))


def loaded(folder, *exchanges):
    path = folder / "a.tape"
    path.write_bytes(raw_of(*exchanges))
    return load(path, progress=False)


@thorough
@given(mutants(), st.lists(share, max_size=12), steps)
def test_no_stream_makes_a_number_that_is_not_so(tmp_path, mutant, cuts, steps):
    body, options = mutant
    recording = loaded(tmp_path, (in_pieces(body, cuts, steps), options))
    check(recording)
    whole = loaded(tmp_path, (in_pieces(body, [], [0]), options))
    assert contents(whole) == contents(recording)


moment = st.sampled_from((-1, 0, 1, 30_000_000, 50_000_000, 52_000_000, 53_000_000, 10_000_000_000))
clocks = st.fixed_dictionaries(
    {},
    optional={
        "t": moment, "t_end": moment, "headers_ns": moment, "end_ns": moment,
        "connect": st.tuples(*[st.none() | moment] * 3), "exchange": st.just(0),
    },
)  # fmt: skip


def at_any_time(found, *, t=-55, t_end=0, connect=(None, None, None)):
    """The records of an exchange with these times of its request and connection."""
    opened = Connect(tcp_start=connect[0], tcp_end=connect[1], tls_end=connect[2])
    changes = {Request: {"t": ZERO + t, "t_end": ZERO + t_end}, Response: {"connect": opened}}
    return [replace(each, **changes.get(type(each), {})) for each in found]


@few
@given(mutants(), mutants(), clocks, clocks, st.booleans())
def test_no_times_and_no_numbers_of_exchanges_do_either(tmp_path, one, other, first, second, mixed):
    made = []
    for position, ((body, options), times) in enumerate(((one, first), (other, second))):
        own = {name: times[name] for name in ("headers_ns", "end_ns") if name in times}
        number = times.get("exchange", position)
        found = records(in_pieces(body, [0.3, 0.6], [1_000_000]), exchange=number, **options | own)
        made.append(at_any_time(found, **{k: times[k] for k in ("t", "t_end", "connect") if k in times}))
    if mixed:
        made = [[each for pair in zip_longest(*made) for each in pair if each is not None]]
    path = tmp_path / "a.tape"
    path.write_bytes(raw(SECTION, *chain.from_iterable(made)))
    check(load(path, progress=False))


@few
@given(mutants(), mutants(), st.lists(damage, min_size=1, max_size=3), st.booleans())
def test_no_damaged_cassette_of_such_streams_does_either(tmp_path, one, other, damages, tail):
    whole = raw_of(*((in_pieces(body, [0.3, 0.6], [1_000_000]), options) for body, options in (one, other)))
    for each in damages:
        whole = damaged(whole, *each)
    path = tmp_path / "a.tape"
    path.write_bytes(whole[: len(whole) // 2] if tail else whole)
    try:
        check(load(path, progress=False))
    except CassetteError as error:
        said = str(error)
    else:
        said = str(path)
    assert str(path) in said
    assert "\n" not in said


@few
@given(mutants())
def test_single_bytes_are_read_as_the_whole(tmp_path, mutant):
    body, options = mutant
    body = body[:3000]
    single = [(50_000_000 + at * 1000, body[at : at + 1]) for at in range(len(body))]
    whole = loaded(tmp_path, (in_pieces(body, [], [0]), options))
    assert contents(whole) == contents(loaded(tmp_path, (single, options)))
