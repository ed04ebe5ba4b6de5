"""Why an exchange is not measured: what shows that its records are not those that a recorder wrote.

The invariant: an exchange whose outcome is `damaged` has words for it, and no number of it is measured.
"""

from tokentape.cassette import Exchange, counted
from tokentape.dialects import is_damaged

REPEATED = "its number is used more than once, so what belongs to which is not known"


def damage_of(exchange: Exchange, *, times_go_back: bool, file_is_damaged: bool) -> str | None:
    """Return what is wrong with an exchange, for people; None if it can be measured.

    `times_go_back` is the exchange's. `file_is_damaged`: something in the middle of the file was lost, and
    what that was nobody knows.
    """
    request, response, end, chunks = exchange.request, exchange.response, exchange.end, len(exchange.chunks)
    if exchange.is_mixed:
        return REPEATED
    if exchange.lost_chunks > 0:
        return f"{exchange.lost_chunks} of its pieces {'is' if exchange.lost_chunks == 1 else 'are'} missing"
    if exchange.lost_chunks < 0:
        return "it has more pieces than its end record says"
    if is_damaged(request, response, end, chunks=chunks, file_is_damaged=file_is_damaged):
        if request is None:
            return "its request is missing"
        if response is None and (chunks or end is not None):
            return "its response is missing"
        return f"its end is missing, and more may be: {counted(chunks, 'piece')} are there"
    # Where only those of headers are known, they are of others, who may see an answer begin early.
    if times_go_back and (request is None or request.times == "all"):
        return "its times go back, which no recorder writes"
    return None
