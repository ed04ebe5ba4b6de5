"""Records through another format and back, in memory."""

import io
from types import ModuleType
from typing import Any

from tokentape import cassette
from tokentape.cassette._records import encode


def entries(records: list[Any]) -> list[cassette.Entry]:
    return [cassette.Entry(number, encode(record), record) for number, record in enumerate(records)]


def exported(module: ModuleType, records: list[Any], lost: list[str] | None = None) -> bytes:
    out = io.BytesIO()
    module.write(out, entries(records), [] if lost is None else lost)
    return out.getvalue()


def imported(module: ModuleType, data: bytes, lost: list[str] | None = None, **more: Any) -> list[Any]:
    found = module.read(io.BytesIO(data), "a file", [] if lost is None else lost, **more)
    return [entry.record for entry in found]


def by_exchange(records: list[Any]) -> list[cassette.Exchange]:
    """Exchanges in the order of their numbers."""
    return sorted(cassette.exchanges(records), key=lambda each: (each.section_index, each.number))
