"""Requests and tokens a second over many streams: what was completed, over the time that all of it took.

A request is completed if all of its choices are, of those that are in the group. The window begins with the
first request, answered or not, and ends with the last end. With the definitions of another tool, what counts
and what ends the window are that tool's.

A bill is for all choices of a request together. So where these have counts of events instead, and all of them
are there, the bill is taken for them: what a token is, `tokens_from` says.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd

from tokentape.analysis._schema import EXCHANGE_KEY
from tokentape.analysis.measuring._definitions import named_definitions
from tokentape.analysis.summarising._grouping import By, group_index, names_of
from tokentape.analysis.summarising._window import window_s

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_BILL = [*EXCHANGE_KEY, "streams", "output_tokens"]
COLUMNS = (
    "requests",
    "output_tokens",
    "tokens_from",
    "window_s",
    "requests_per_s",
    "output_tokens_per_s",
)


def throughput_of(
    streams: pd.DataFrame, exchanges: pd.DataFrame, definitions: str | None = None
) -> dict[str, Any]:
    """Return the `COLUMNS` of some streams; a rate is NaN where there is no time to divide by.

    `exchanges` has those of the streams, and may have more.
    """
    tool = named_definitions(definitions)
    is_counted = streams["outcome"] == "complete" if tool is None else streams["ttft_ms"].notna()
    # What came of a stream that was cut came all the same, but other tools do not count it.
    counted, sources = _tokens(streams if tool is None else streams[is_counted], exchanges)
    seconds = window_s(streams, "end_ms" if tool is None else tool.ends_with)
    request = streams.groupby(EXCHANGE_KEY, observed=True, sort=False).ngroup()
    of_request = is_counted.groupby(request)
    # Other tools merge the choices of a request: to them it is one stream.
    requests = int((of_request.all() if tool is None else of_request.any()).sum())
    output_tokens = int(counted.sum())
    return {
        "requests": requests,
        "output_tokens": output_tokens,
        "tokens_from": "+".join(sorted(sources)) or None,
        "window_s": seconds,
        "requests_per_s": requests / seconds if seconds > 0 else float("nan"),
        "output_tokens_per_s": output_tokens / seconds if seconds > 0 else float("nan"),
    }


def _tokens(streams: pd.DataFrame, exchanges: pd.DataFrame) -> "tuple[pd.Series[int], set[str]]":
    """Return tokens as they are to be added up, and how they are known."""
    known = streams.loc[streams["output_tokens"].notna(), [*EXCHANGE_KEY, "output_tokens", "tokens_from"]]
    has_no_bill = streams["tokens_from"].isna() | (streams["tokens_from"] == "chunks")
    estimated = streams[has_no_bill & (streams["outcome"] == "complete")]
    bills = exchanges.loc[(exchanges["streams"] > 1) & (exchanges["output_tokens"] > 0), _BILL]
    if len(bills) and len(estimated):
        sizes = estimated.groupby(EXCHANGE_KEY, observed=True).size().rename("here").reset_index()
        bills = bills.astype({"cassette": "str"}).merge(sizes.astype({"cassette": "str"}), on=EXCHANGE_KEY)
        bills = bills[bills["here"] == bills["streams"]]
        billed = pd.MultiIndex.from_frame(bills[EXCHANGE_KEY])
        rest = known[~pd.MultiIndex.from_frame(known[EXCHANGE_KEY].astype({"cassette": "str"})).isin(billed)]
        sources = set(map(str, rest["tokens_from"].dropna().unique())) | ({"usage"} if len(bills) else set())
        return pd.concat([rest["output_tokens"], bills["output_tokens"]]), sources
    return known["output_tokens"], set(map(str, known["tokens_from"].dropna().unique()))


def throughputs(
    found: "Sequence[tuple[Hashable, pd.DataFrame]]",
    exchanges: pd.DataFrame,
    by: By | None,
    definitions: str | None,
) -> pd.DataFrame:
    """Return a row for each group of streams; its name is the index."""
    rows = [throughput_of(streams, exchanges, definitions) for _, streams in found]
    names = [name for name, _ in found]
    index = group_index(names, by) if by is not None and names_of(by) else pd.Index(names, name="group")
    return pd.DataFrame({name: [row[name] for row in rows] for name in COLUMNS}, index=index)
