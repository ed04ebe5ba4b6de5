"""A cassette that was recorded already, again without its secrets.

It is read twice: once for the answers, which have to be seen as a whole before their first piece can be
written, and once to write. Whatever has nothing to replace is copied as it is, with what this version does
not know of it.

Invariant: each record of the cassette is in the new one, in its place and with its times; sizes and counts
say what is there. What is written in an answer's place is that answer's, also where records between two
answers were lost: both passes number sections alike, with a stand-in for one that must have been lost.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace

from tokentape import cassette
from tokentape.cassette import STAND_IN, Entry, whole_entries
from tokentape.recorder.redaction._answers import redacted_answer
from tokentape.recorder.redaction._bodies import redacted_body
from tokentape.recorder.redaction._redactor import Redactor

_Key = tuple[int, int, int]  # section, exchange, and how many of that number ended before it


@dataclass(slots=True)
class Redacted:
    """What was replaced, by (rule, place). `lost` are lines on what was not looked into, or is gone.

    `reencoded` is how many answers have a content-encoding and got other sizes.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    reencoded: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many secrets were replaced."""
        return self.counts.total()


def redact_cassette(
    read: Callable[[], cassette.Reader], out: cassette.Rewriter, redactor: Redactor
) -> Redacted:
    """Write a cassette without its secrets, as `redactor` finds them, also in the bodies of answers.

    `read` opens the cassette, leniently; it is called twice. Raises `CassetteError` for what is none.
    """
    return _Pass(redactor).run(read, out)


class _Pass:
    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._found = Redacted()
        self._pieces: dict[_Key, list[bytes]] = {}
        self._grown: Counter[_Key] = Counter()  # by how many bytes an answer is longer
        self._ended: Counter[tuple[int, int]] = Counter()  # a section of an interrupted recording may be lost
        self._section = -1

    def run(self, read: Callable[[], cassette.Reader], out: cassette.Rewriter) -> Redacted:
        with read() as tape:
            for exchange in cassette.exchanges(entry.record for entry in whole_entries(tape)):
                self._answer(exchange, tape.name)
        self._ended.clear()
        with read() as tape:
            for entry in whole_entries(tape):
                if entry.record is STAND_IN:
                    before = f"the section record before byte {entry.offset}"
                    self._found.lost.append(f"{tape.name}: {before}; a stand-in is in its place")
                record = self._redacted(entry)
                out.copy(entry.payload if record is None else cassette.encode_like(entry.payload, record))
            self._found.lost += [f"{tape.name}: {damage}; it is not copied" for damage in tape.damage]
        return self._found

    def _answer(self, exchange: cassette.Exchange, name: str) -> None:
        key = self._key(exchange.section_index, exchange.number)
        self._ended[key[:2]] += 1
        with self._at("response body"):
            answer = redacted_answer(self._redactor.finder, exchange, self._redactor.counts)
        if answer.pieces is not None:
            self._pieces[key] = answer.pieces[::-1]
            self._grown[key] = sum(map(len, answer.pieces)) - len(exchange.body)
            self._found.reencoded += answer.reencoded
        where = f"{name}, exchange {exchange.number}"
        if answer.blanked:
            self._found.lost.append(f"{where}: the tokens of its logprobs, which spell what was replaced")
        if answer.unreadable is not None:
            self._found.lost.append(f"{where}: the answer is copied as it is: {answer.unreadable}")

    def _key(self, section: int, number: int) -> _Key:
        """Return which answer of this number the records are of, as both passes have come to it."""
        return section, number, self._ended[section, number]

    def _redacted(self, entry: Entry) -> cassette.Known | None:
        """Return the record without secrets; None for one that stays as it was."""
        redactor = self._redactor
        record = entry.record
        new: cassette.Known | None = None
        match record:
            case cassette.Chunk():
                left = self._pieces.get(self._key(self._section, record.exchange))
                return replace(record, data=left.pop()) if left else None
            case cassette.Section():
                self._section += 1
                with self._at("label"):
                    new = redactor.section(record)
            case cassette.Request():
                new = self._request(record)
            case cassette.Response():
                with self._at("response header"):
                    new = redactor.response(record)
                grown = self._grown[self._key(self._section, record.exchange)]
                new = replace(new, headers=_longer(new.headers, grown)) if grown else new
            case cassette.End():
                with self._at("end"):
                    new = redactor.end(record)
                grown = self._grown[self._key(self._section, record.exchange)]
                self._ended[self._section, record.exchange] += 1
                new = replace(new, bytes=max(new.bytes + grown, 0))
            case cassette.Note():
                with self._at("note"):
                    new = redactor.note(record)
            case cassette.Close():
                grown = sum(size for (index, *_), size in self._grown.items() if index == self._section)
                new = replace(record, bytes=max(record.bytes + grown, 0))
            case cassette.Unknown():
                if found := len(redactor.finder.find(record.payload)):
                    self._found.lost.append(
                        f"at byte {entry.offset}: a record of unknown kind {record.kind} is copied as it is, "
                        f"with what looks like a secret in it ({found} found)"
                    )
        return None if new == record else new

    def _request(self, request: cassette.Request) -> cassette.Request:
        redactor = self._redactor
        before = redactor.total
        with self._at("request target"):
            path = redactor.target(request.path)
        with self._at("request header"):
            headers = redactor.headers(request.headers)
        with self._at("request body"):
            body = redacted_body(redactor.finder, request.headers, request.body, redactor.counts)
        count = request.redactions + redactor.total - before
        return replace(request, path=path, headers=headers, body=body, redactions=count)

    @contextmanager
    def _at(self, place: str) -> Iterator[None]:
        """Count what is replaced inside as of a place."""
        before = dict(self._redactor.counts)
        yield
        for name, count in self._redactor.counts.items():
            if count > before.get(name, 0):
                self._found.counts[name, place] += count - before.get(name, 0)


def _longer(headers: cassette.Headers, bytes_more: int) -> cassette.Headers:
    """Return headers whose content-length, if there is one, is so many bytes more."""
    return tuple(
        (name, b"%d" % (int(value) + bytes_more))
        if name.lower() == b"content-length" and value.isdigit()
        else (name, value)
        for name, value in headers
    )
