"""A recording as tables. Everything that is computed over many streams starts from here."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokentape.analysis._summary import summarise


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one or more cassettes hold, as four DataFrames; `docs/metrics.md` defines their columns.

    `exchanges`: a row for each request. `streams`: a row for each choice of each answer, with all
    metrics. `events`: a row for each server-sent event and choice in it. `reads`: a row for each piece of
    a body as it arrived. All share the columns `cassette`, `section` and `exchange`. Times are in
    milliseconds since the request was complete.

    `lost` has a line for everything that was written and could not be read. A recording that was
    interrupted has lost nothing.
    """

    exchanges: pd.DataFrame
    streams: pd.DataFrame
    events: pd.DataFrame
    reads: pd.DataFrame
    lost: tuple[str, ...] = ()

    def summary(self, by: str | None = None) -> pd.DataFrame:
        """Return exact percentiles (linear interpolation) and counts of outcomes, a row for each group.

        Without `by` there is one row, `all`. The columns are always the same: `streams`,
        `outcome_complete` and so on, then for each of `ttft`, `gap`, `gap_uncoalesced`, `read_gap`,
        `itl`, `e2e` (in ms), `output_tokens` and `tokens_per_s`: `ttft_n`, `ttft_p50_ms`, `ttft_p90_ms`,
        `ttft_p99_ms`, `ttft_max_ms` and, where there is no value, the commonest reason in `ttft_why`.

        Gaps are pooled over all token events of a group. `gap_uncoalesced` leaves out the gaps of 0
        between events of one read; what is left are the gaps between reads, `read_gap`.

        Raises ValueError if streams cannot be grouped by that column; it names those that can.
        """
        return summarise(self.streams, self.events, by)

    def as_dict(self, by: str | None = None) -> dict[str, Any]:
        """Return `{"exchanges": [...], "streams": [...], "summary": {...}}`, ready to be JSON.

        Rows are objects under the tables' column names; a missing value is None, with its reason beside
        it. `summary` is the row of `summary()` or, with `by`, an object of rows by the group's value.
        Times of day are ISO 8601 in UTC, to the nanosecond.
        """
        groups = {str(name): row for name, row in zip(*_named_rows(self.summary(by)), strict=True)}
        return {
            "exchanges": _rows(self.exchanges),
            "streams": _rows(self.streams),
            "summary": groups["all"] if by is None else groups,
        }

    def stalls(self, above_ms: float) -> pd.DataFrame:
        """Return the token events that came more than `above_ms` after the one before, the longest first.

        `token_event` is the position: how many token events of the stream came before it.
        """
        columns = ["cassette", "section", "exchange", "choice", "token_event", "t_ms", "gap_ms"]
        late = self.events.loc[self.events["gap_ms"] > above_ms, columns]
        return late.sort_values("gap_ms", ascending=False, kind="stable").reset_index(drop=True)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype("object")
    for name in table.columns[[isinstance(dtype, pd.DatetimeTZDtype) for dtype in table.dtypes]]:
        plain[name] = [None if value is pd.NaT else value.isoformat() for value in table[name]]
    return plain.where(table.notna(), None).to_dict("records")  # type: ignore[return-value]


def _named_rows(table: pd.DataFrame) -> tuple[list[Any], list[dict[str, Any]]]:
    return ["" if pd.isna(name) else name for name in table.index], _rows(table)
