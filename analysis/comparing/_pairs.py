"""Whether a recording is a replay of another, and which exchange of one is which of the other.

The invariant: in a replay every exchange has exactly one partner, with the same request and the same
answers: as many choices, bytes, events, characters and tokens. The n-th of equal ones is that of the n-th.
"""

from typing import Any

import pandas as pd

from tokentape.analysis._schema import EXCHANGE_KEY

_SAME = ["request_digest", "choice", "bytes", "events", "text_chars", "output_tokens", "finish_reason"]


def pairs_of(a: pd.DataFrame, b: pd.DataFrame) -> "tuple[pd.Series[Any], pd.Series[Any]] | None":
    """Return a number for each exchange of both, equal in pairs, if B is a replay of A.

    `a` and `b` are tables of streams; the index of what is returned is the exchange.
    """
    if not len(a) or len(a) != len(b) or set(a["request_digest"]) != set(b["request_digest"]):
        return None  # what is no replay is seldom this like one, and names of all take a while
    one, other = named_exchanges(a), named_exchanges(b)
    names = pd.Index(one)
    number = names.get_indexer(pd.Index(other)) if names.is_unique and len(one) == len(other) else None
    if number is None or (number < 0).any():
        return None
    return pd.Series(range(len(one)), index=one.index), pd.Series(number, index=other.index)


def named_exchanges(streams: pd.DataFrame) -> "pd.Series[Any]":
    """Return a name for each exchange that its replay has, too, if it is one."""
    texts = streams[_SAME].astype("str").fillna("")
    plain = texts[_SAME[0]]
    for name in _SAME[1:]:
        plain = plain + " " + texts[name]
    exchange = pd.MultiIndex.from_frame(streams[EXCHANGE_KEY].astype({"cassette": "str"}))
    if exchange.empty:  # of which pandas 2 makes no factors
        return pd.Series([], index=exchange, dtype="object")
    number, exchanges = exchange.factorize()
    choices: list[list[str]] = [[] for _ in range(len(exchanges))]
    for at, text in zip(number.tolist(), plain.tolist(), strict=True):
        choices[at].append(text)
    whole = pd.Series(["\n".join(each) for each in choices], index=exchanges, dtype="object")
    return whole + "\n" + whole.groupby(whole).cumcount().astype("str")
