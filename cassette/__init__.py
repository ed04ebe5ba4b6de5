"""The cassette: the file that recording, replay and analysis share, and the decoding of event streams.

`docs/cassette-format.md` is the normative description of the format. Reading::

    from tokentape import cassette

    with cassette.open("session.tape") as tape:
        for exchange in cassette.exchanges(tape):
            print(exchange.request.path, len(exchange.chunks), "pieces")
"""

from tokentape.cassette._authority import authority, same_authority, same_host, split_authority
from tokentape.cassette._body import decoded, events, header, request_body
from tokentape.cassette._canonical import canonical, parse_json
from tokentape.cassette._coding import ContentDecoder, UndecodableContent, decode_content
from tokentape.cassette._errors import (
    CassetteError,
    Corrupt,
    NotACassette,
    NotAppendable,
    RecordTooLarge,
    TornTail,
    Unreadable,
    UnsupportedVersion,
)
from tokentape.cassette._exchange_at import exchange_at
from tokentape.cassette._exchanges import Exchange, exchanges
from tokentape.cassette._follower import Follower
from tokentape.cassette._framing import MAX_RECORD_BYTES, Damage
from tokentape.cassette._merging import Merge
from tokentape.cassette._new_file import NewFile
from tokentape.cassette._paths import StrPath, cassettes_at, usable_at
from tokentape.cassette._places import Key, Places, Stretch, exchanges_between, places
from tokentape.cassette._plural import counted
from tokentape.cassette._reader import Entry, Reader, open  # noqa: A004  (as in gzip and bz2)
from tokentape.cassette._records import (
    FORMAT_VERSION,
    Chunk,
    Close,
    Connect,
    End,
    EndReason,
    Headers,
    Known,
    Note,
    Record,
    Request,
    Response,
    Section,
    Times,
    Unknown,
    encode_like,
)
from tokentape.cassette._recovery import STAND_IN, whole_entries
from tokentape.cassette._redacted import REDACTED, filler, placeholder
from tokentape.cassette._rewriter import Rewriter
from tokentape.cassette._splitting import Counts, Part, Split
from tokentape.cassette._sse import ServerSentEvent, SSEDecoder
from tokentape.cassette._survey import SectionSurvey, Survey
from tokentape.cassette._verification import Finding, Verdict, Verification
from tokentape.cassette._wall_clock import utc
from tokentape.cassette._writer import Writer

__all__ = [
    "FORMAT_VERSION",
    "MAX_RECORD_BYTES",
    "REDACTED",
    "STAND_IN",
    "CassetteError",
    "Chunk",
    "Close",
    "Connect",
    "ContentDecoder",
    "Corrupt",
    "Counts",
    "Damage",
    "End",
    "EndReason",
    "Entry",
    "Exchange",
    "Finding",
    "Follower",
    "Headers",
    "Key",
    "Known",
    "Merge",
    "NewFile",
    "NotACassette",
    "NotAppendable",
    "Note",
    "Part",
    "Places",
    "Reader",
    "Record",
    "RecordTooLarge",
    "Request",
    "Response",
    "Rewriter",
    "SSEDecoder",
    "Section",
    "SectionSurvey",
    "ServerSentEvent",
    "Split",
    "StrPath",
    "Stretch",
    "Survey",
    "Times",
    "TornTail",
    "UndecodableContent",
    "Unknown",
    "Unreadable",
    "UnsupportedVersion",
    "Verdict",
    "Verification",
    "Writer",
    "authority",
    "canonical",
    "cassettes_at",
    "counted",
    "decode_content",
    "decoded",
    "encode_like",
    "events",
    "exchange_at",
    "exchanges",
    "exchanges_between",
    "filler",
    "header",
    "open",
    "parse_json",
    "placeholder",
    "places",
    "request_body",
    "same_authority",
    "same_host",
    "split_authority",
    "usable_at",
    "utc",
    "whole_entries",
]
