"""HTTP archives (HAR 1.2): what browsers, mitmproxy and Playwright write, and many programs show.

An entry says when a request was sent and when its answer began and ended; when each piece came stands
beside it in `_tokentape` (`_beside`), by which an exchange that tokentape exported is restored. Strangers'
entries have no such field: their bodies are one piece without a time, and `Request.times` says so.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from tokentape.cassette._exchanges import Exchange
from tokentape.cassette._reader import Entry
from tokentape.cassette.formats import _har_entry
from tokentape.cassette.formats._assembly import Assembly, Redact
from tokentape.cassette.formats._beside import beside, restored, section_of
from tokentape.cassette.formats._errors import NotTheFormat
from tokentape.cassette.formats._har_out import entry_for
from tokentape.cassette.formats._plain import without_coding
from tokentape.cassette.formats._sections import exchanges_of

BESIDE = "_tokentape"


def write(file: BinaryIO, entries: Iterable[Entry], lost: list[str]) -> None:
    """Write an archive of all exchanges that have a request; `lost` gets a line for what has no place."""
    written: list[dict[str, Any]] = []
    creator: dict[str, str] = {}
    for exchange, end in exchanges_of(entries, lost, into="an archive"):
        assert exchange.section is not None  # noqa: S101
        if not creator:
            name, _, version = exchange.section.writer.partition(" ")
            creator = {"name": name, "version": version}
        entry = entry_for(exchange)
        wall_ns = exchange.section.wall_ns
        plain = _plain(_har_entry.entry_of(entry), wall_ns)
        written.append({**entry, BESIDE: beside(exchange, plain, end)})
    written.sort(key=lambda entry: str(entry["startedDateTime"]))  # of equal times, as they are
    log = {"version": "1.2", "creator": creator or {"name": "tokentape", "version": ""}, "pages": []}
    # A line an entry, so that two archives can be compared.
    lines = ",\n".join(_json(entry) for entry in written)
    file.write(f'{{"log": {_json(log)[:-1]}, "entries": [\n{lines}\n]}}}}\n'.encode())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def read(file: BinaryIO, name: str, lost: list[str], redact: Redact | None = None) -> Iterator[Entry]:
    """Yield the records of an archive's exchanges; `lost` gets a line for each entry that is none.

    Raises `NotTheFormat` if it is no archive.
    """
    found, program = _entries(file.read(), name, lost)
    assembly = Assembly(imported_from="har", program=program, redact=redact)
    websockets = 0
    for number, value in enumerate(found):
        where = f"{name}: entry {number}"
        try:
            entry = _har_entry.entry_of(value)
            if entry.is_websocket:
                websockets += 1
                continue
            _add(assembly, entry, where, lost)
        except ValueError as error:
            lost.append(f"{where}: {error}")
    if websockets:
        lost.append(f"{name}: {websockets} of the entries are WebSockets, which a cassette has no place for")
    yield from assembly.entries()


def _add(assembly: Assembly, entry: _har_entry.Entry, where: str, lost: list[str]) -> None:
    if entry.tokentape is not None:
        try:
            _, section = section_of(entry.tokentape)
            assembly.add_ours(*restored(_plain(entry, section.wall_ns), entry.tokentape))
        except ValueError as error:
            lost.append(f"{where}: what stands in {BESIDE}, so the times of its pieces: {error}")
        else:
            return
    wall_ns = _har_entry.wall_ns(entry)
    exchange = _har_entry.exchange_of(entry, t=None if wall_ns is None else 0)
    if entry.body_was_left_out:
        lost.append(f"{where}: its body, which the archive was saved without")
    timed = exchange.request is not None and exchange.request.times != "none"
    assembly.add_other(without_coding(exchange), wall_ns if timed else None)


def _plain(entry: _har_entry.Entry, section_wall_ns: int) -> Exchange:
    """Return what an entry of ours says by itself. A host may be such that it makes no URL."""
    wall_ns = _har_entry.wall_ns(entry)
    t = None if wall_ns is None else wall_ns - section_wall_ns
    return _har_entry.exchange_of(entry, t=t, any_url=True)


def _entries(data: bytes, name: str, lost: list[str]) -> tuple[list[Any], str]:
    """Return the entries, as far as they are whole, and which program wrote them."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data[: error.start].decode("utf-8-sig", "ignore")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        whole = list(_whole_entries(text))
        if not whole:
            raise NotTheFormat(f"{name}: expected an HTTP archive (HAR), which is JSON: {error}") from None
        lost.append(
            f"{name}: what comes after entry {len(whole) - 1}: the archive is cut off or damaged there"
        )
        return whole, ""
    log = found.get("log") if isinstance(found, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(log, dict) or not isinstance(entries, list):
        raise NotTheFormat(f"{name}: expected an HTTP archive (HAR) with log.entries, found other JSON")
    creator = log.get("creator")
    words = [creator.get("name"), creator.get("version")] if isinstance(creator, dict) else []
    return entries, " ".join(str(word) for word in words if word)


def _whole_entries(text: str) -> Iterator[Any]:
    """Yield the entries of an archive that is damaged, up to the first that is not whole."""
    start = text.find('"entries"')
    position = text.find("[", start) + 1
    if start < 0 or not position:
        return
    decode = json.JSONDecoder().raw_decode
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        try:
            entry, position = decode(text, position)
        except (ValueError, RecursionError):
            return
        yield entry
