"""What is in a cassette, as a table for people and as an object for JSON. It counts nothing itself."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from rich.console import Group, RenderableType

from tokentape.cassette import FORMAT_VERSION, SectionSurvey, counted, utc
from tokentape.cli._examination import Examination
from tokentape.cli._prose import Facts, Prose
from tokentape.cli._safe_text import safe_text

_SHOWN = 10


def info_table(found: Examination) -> RenderableType:
    """Return the table of one cassette, under the name of its file."""
    facts = Facts((label, safe_text(value)) for label, value in _rows(found) if value)
    return Group(Prose(safe_text(found.path), style="bold"), facts)


def info_object(found: Examination) -> dict[str, Any]:
    """Return the same as an object. Times of day are ISO 8601 in UTC, to the nanosecond."""
    survey = found.survey
    return {
        "file": found.path,
        "file_bytes": found.size,
        "compressed": found.compressed,
        "cassette_bytes": _extent(found),
        "format_version": FORMAT_VERSION,
        "verdict": found.verdict,
        "sections": [_section_object(each) for each in survey.sections],
        "exchanges": survey.exchanges,
        "pieces": survey.chunks,
        "body_bytes": survey.bytes,
        "request_body_bytes": survey.request_bytes,
        "largest": survey.largest
        and {
            "section": survey.largest.section,
            "exchange": survey.largest.exchange,
            "body_bytes": survey.largest.bytes,
        },
        "redactions": survey.redactions,
        "notes": survey.notes,
        "unknown_records": survey.unknown,
        "hosts": survey.hosts.most_common(),
        "models": survey.models.most_common(),
        "outcomes": survey.outcomes.most_common(),
        "statuses": survey.statuses.most_common(),
        "damage": [each._asdict() for each in found.damage],
        "losses": found.verification.losses,
        "warnings": found.verification.warnings,
    }


def _rows(found: Examination) -> Iterable[tuple[str, str]]:
    survey, checked = found.survey, found.verification
    sections = [each.section for each in survey.sections if each.section]
    unclosed = sum(not each.closed for each in survey.sections)
    yield "size", _size(found)
    yield "format", f"version {FORMAT_VERSION}"
    yield "written by", _distinct(f"{each.writer} in {each.proxy}" for each in sections if each.writer)
    yield "machine", _distinct(each.host for each in sections)
    if len(survey.sections) == 1:
        yield "recorded", _span(survey.sections[0])
    else:
        yield "sections", f"{len(survey.sections)}, {unclosed or 'none'} of them without a close record"
        for index, section in enumerate(survey.sections[:_SHOWN]):
            yield f"  {index}", f"{_span(section)}, {counted(section.exchanges, 'exchange')}"
        if len(survey.sections) > _SHOWN:
            yield "", f"and {len(survey.sections) - _SHOWN} more"
    yield "labels", _distinct(f"{name}={value}" for each in sections for name, value in each.labels.items())
    rules = _distinct(rule for each in sections for rule in each.redaction)
    yield "redaction", f"{rules or 'none'}; {counted(survey.redactions, 'value')} replaced"
    yield "exchanges", f"{survey.exchanges:,}"
    yield "hosts", _counts(survey.hosts.most_common())
    yield "models", _counts(survey.models.most_common())
    yield "ended", _counts(survey.outcomes.most_common())
    yield "status", _counts(survey.statuses.most_common())
    yield "pieces", f"{survey.chunks:,}"
    yield "bodies", _bodies(found)
    yield "notes", f"{survey.notes:,}" if survey.notes else ""
    yield "unknown", f"{counted(survey.unknown, 'record')} of other kinds" if survey.unknown else ""
    if unclosed and len(survey.sections) == 1:
        yield "no close", "the recorder still runs, or did not stop cleanly"
    for each in found.damage[:_SHOWN]:
        yield "damage", str(each)
    if len(found.damage) > _SHOWN:
        yield "damage", f"and {len(found.damage) - _SHOWN} more"
    if checked.losses:
        yield "missing", f"{counted(checked.losses, 'sign')} of lost records; tokentape verify says which"
    if checked.warnings:
        yield "warnings", f"{checked.warnings}; tokentape verify says which"


def _size(found: Examination) -> str:
    extent = _extent(found)
    if not found.compressed:
        return f"{extent if found.size is None else found.size:,} bytes"
    packed = f"{found.size:,} bytes, " if found.size is not None else ""
    ratio = f", {extent / found.size:.1f} times as many" if found.size else ""
    return f"{packed}{extent:,} decompressed{ratio}"


def _extent(found: Examination) -> int:
    """Return the size of the cassette once it is decompressed."""
    return max([found.survey.size, *(each.offset + each.length for each in found.damage)])


def _bodies(found: Examination) -> str:
    survey = found.survey
    parts = [f"{survey.bytes:,} bytes of answers", f"{survey.request_bytes:,} of requests"]
    if survey.largest and survey.exchanges > 1:
        of = f" of section {survey.largest.section}" if len(survey.sections) > 1 else ""
        parts.append(f"the longest answer {survey.largest.bytes:,} (exchange {survey.largest.exchange}{of})")
    return ", ".join(parts)


def _counts(counts: dict[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:_SHOWN]]
    if len(counts) > _SHOWN:
        shown.append(f"and {len(counts) - _SHOWN} more")
    return ", ".join(shown)


def _distinct(values: Iterable[str]) -> str:
    found = list(dict.fromkeys(value for value in values if value))
    return ", ".join(found[:_SHOWN]) + (f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _span(section: SectionSurvey) -> str:
    took = _duration(section.duration_ns)
    if section.start_ns is None or section.end_ns is None:
        return f"at an unknown time, {took}"
    start, end = (utc(ns).astimezone() for ns in (section.start_ns, section.end_ns))
    until = f"{end:%H:%M:%S}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    zone = "UTC" if end.tzname() == "UTC" else f"{end:%Z} ({end:%z})"
    return f"{start:%Y-%m-%d %H:%M:%S} to {until} {zone}, {took}"


def _duration(ns: int) -> str:
    if ns < 60 * 10**9:
        return f"{ns / 1e9:.3f} s"
    return str(timedelta(seconds=round(ns / 1e9)))


def _section_object(each: SectionSurvey) -> dict[str, Any]:
    section = each.section
    return {
        "start": _iso(each.start_ns),
        "end": _iso(each.end_ns),
        "duration_s": each.duration_ns / 1e9,
        "closed": each.closed,
        "exchanges": each.exchanges,
        "pieces": each.chunks,
        "body_bytes": each.bytes,
        "writer": section and section.writer,
        "proxy": section and section.proxy,
        "host": section and section.host,
        "redaction": list(section.redaction) if section else [],
        "labels": section.labels if section else {},
    }


def _iso(ns: int | None) -> str | None:
    if ns is None:
        return None
    return f"{utc(ns):%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}+00:00"
