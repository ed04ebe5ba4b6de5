"""The bodies of answers that were recorded: their secrets replaced, and every piece as long as it was.

Looked at is the body as clients have it: its content-encoding undone, its pieces joined, and of a stream
the texts that its events bring in parts. A placeholder takes as many bytes as the secret, so that pieces
keep their sizes; only those of an answer with a content-encoding cannot, since it has to be encoded again.
"""

import re
from typing import NamedTuple

from tokentape import cassette
from tokentape.cassette import filler
from tokentape.recorder.redaction._bodies import UNSEEN, replaced
from tokentape.recorder.redaction._deltas import joined_texts
from tokentape.recorder.redaction._encoding import cut, encode_pieces, unseen
from tokentape.recorder.redaction._finding import Finder

_LOGPROBS = re.compile(
    rb"(\"token\"\s*:\s*\")((?:[^\"\\]|\\.)+)(?=\")"
    rb"|(\"bytes\"\s*:\s*\[)([0-9,\s]+)(?=\])"
    rb"|(\"tokens\"\s*:\s*\[)((?:\s*\"(?:[^\"\\]|\\.)*\"\s*,?)+)"
)


class Answer(NamedTuple):
    """What an exchange's pieces are without secrets; None for both if there is nothing to change.

    `unreadable` says why, if what it holds could not be seen, or not to its end. `blanked` is whether the
    tokens beside a text that had a secret were taken out: they spell it once more.
    """

    pieces: list[bytes] | None
    reencoded: bool = False
    unreadable: str | None = None
    blanked: bool = False


def redacted_answer(finder: Finder, exchange: cassette.Exchange, counts: dict[str, int]) -> Answer:
    """Return the pieces of an answer without its secrets, and add to `counts` what was replaced."""
    pieces, unreadable = cassette.decoded(exchange)
    before = b"".join(pieces)
    body = redacted_stream(finder, before, counts)
    encoding = cassette.header(exchange.response.headers, b"content-encoding") if exchange.response else ""
    dropped = 0 if unreadable else sum(len(finder.find(data)) for data in unseen(exchange.body, encoding))
    blanked = body
    if body != before and b'logprobs"' in body:
        blanked = _LOGPROBS.sub(_blank, body)
    is_blanked, body = blanked != body, blanked
    if body == before and not dropped:
        return Answer(None, unreadable=unreadable)
    if dropped:
        counts[UNSEEN] = counts.get(UNSEEN, 0) + dropped
    if unreadable is not None:
        return Answer(None, unreadable=f"{unreadable}, and what could be read has secrets")
    after = cut(body, map(len, pieces))
    if not encoding.replace("identity", "").strip(" ,"):
        return Answer(after, blanked=is_blanked)
    return Answer(encode_pieces(after, encoding), reencoded=True, blanked=is_blanked)


def redacted_stream(finder: Finder, body: bytes, counts: dict[str, int]) -> bytes:
    """Return a body of the same size without secrets, also without those that events bring in parts."""
    changed = bytearray(body)
    # First what comes in parts: its first part alone may look like a secret, and would hide the others.
    for joined in joined_texts(body):
        for find in finder.find(bytes(joined.text)):
            spans = joined.spans(find.start, find.end)
            fill = filler(find.name, sum(end - start for start, end in spans))
            for start, end in spans:
                changed[start:end], fill = fill[: end - start], fill[end - start :]
            counts[find.name] = counts.get(find.name, 0) + 1
    body = bytes(changed)
    return replaced(body, finder.find(body), counts, keep_sizes=True)


def _blank(found: re.Match[bytes]) -> bytes:
    """Return a token, or the bytes of one, of the same size and as good JSON, without what it says."""
    token_key, token, bytes_key, numbers, tokens_key, tokens = found.groups(b"")
    blank = re.sub(rb"[0-9]+", lambda number: b"0".ljust(len(number[0])), numbers)
    blank_tokens = re.sub(rb"\"((?:[^\"\\]|\\.)*)\"", lambda each: b'"' + b"*" * len(each[1]) + b'"', tokens)
    return token_key + b"*" * len(token) + bytes_key + blank + tokens_key + blank_tokens
