"""Where the first token of a recorded answer is: the zero of its gaps, and the end of its TTFT."""

from tokentape.cassette import Exchange
from tokentape.dialects import TOKEN, transcript


def first_token(exchange: Exchange) -> int | None:
    """Return the index of the chunk that completed the first event with generated text, as in the metrics.

    None for an answer without tokens, or in which nobody can tell: what is no event stream, or has
    a content-encoding or a dialect that is not known.
    """
    for line in transcript(exchange).lines:
        if any(carried.carries & TOKEN for carried in line.carried):
            return line.event.piece
    return None
