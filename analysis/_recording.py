"""A recording as tables. Everything that is computed over many streams starts from here."""

from dataclasses import dataclass

import pandas as pd

from tokentape.analysis._summary import groupings, summarise


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

    @property
    def groupings(self) -> list[str]:
        """The columns that `summary` can group by."""
        return groupings(self.streams)

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

    def stalls(self, above_ms: float) -> pd.DataFrame:
        """Return the token events that came more than `above_ms` after the one before, the longest first.

        `token_event` is the position: how many token events of the stream came before it.
        """
        columns = ["cassette", "section", "exchange", "choice", "token_event", "t_ms", "gap_ms"]
        late = self.events.loc[self.events["gap_ms"] > above_ms, columns]
        return late.sort_values("gap_ms", ascending=False, kind="stable").reset_index(drop=True)
