"""A recording as tables. Everything that is computed over many streams starts from here."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tokentape.analysis._schema import STREAM_KEY
from tokentape.analysis._sql import query as sql_query
from tokentape.analysis.summarising._grouping import By, names_of
from tokentape.analysis.summarising._in_flight import Moments, concurrency, in_flight, moments_of, spans_of
from tokentape.analysis.summarising._objectives import attainment, missed_deadlines
from tokentape.analysis.summarising._summary import count_outcomes, groups, metrics_of, outcomes_of, summarise
from tokentape.analysis.summarising._throughput import throughput_of, throughputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one or more cassettes hold, as four DataFrames; `docs/metrics.md` defines their columns.

    `exchanges`: a row for each request. `streams`: a row for each choice of each answer, with all
    metrics. `events`: a row for each server-sent event and choice in it. `reads`: a row for each piece of
    a body as it arrived. All share the columns `cassette`, `section` and `exchange`. Times are in
    milliseconds since the request was complete.

    `lost` has a line for everything that was written and could not be read. A recording that was
    interrupted has lost nothing. `definitions` is the tool whose definitions were asked for, if any.
    """

    exchanges: pd.DataFrame
    streams: pd.DataFrame
    events: pd.DataFrame
    reads: pd.DataFrame
    lost: tuple[str, ...] = ()
    definitions: str | None = None

    def summary(self, by: By | None = None) -> pd.DataFrame:
        """Return exact percentiles (linear interpolation): a row for each metric.

        ::

            recording.summary().loc["ttft_ms", "p50"]
            print(recording.summary(by="model").round(1))
            recording.summary(by="model").loc[("gpt-4o", "ttft_ms"), "p50"]
            recording.summary(by=["model", "host"]).loc[("gpt-4o", "api.openai.com", "ttft_ms"), "p50"]

        The rows are `ttft_ms`, `gap_ms`, `read_gap_ms`, `itl_ms`, `e2e_ms`, `output_tokens` and
        `tokens_per_s`; the columns `n` (how many values), `p50`, `p90`, `p99`, `max` and, where there is
        no value, the commonest reason in `why`. Where tokens of one row are known in several ways, `why`
        has these, such as `chunks+usage`. With `by`, one or several of `GROUPINGS` and `label.NAME`, each
        group has all rows, and its names are the outer levels of the index.

        Gaps are pooled over all token events of a group. `read_gap_ms` leaves out the gaps of 0 between
        events of one read, which `gap_ms` has. With the definitions of another tool there is a row
        `tpot_ms`, too, and many streams are put together as that tool does.

        Raises ValueError if streams cannot be grouped by that column; it names those that can.
        """
        return summarise(self.streams, self.events, by, self.definitions)

    def throughput(self, by: By | None = None) -> pd.DataFrame:
        """Return requests and tokens a second: a row for each group, or one called `all`.

        The columns are `requests` (of which all choices in the group are complete), `output_tokens` (of all
        streams of which they are known; of a request with several choices as billed for all of them),
        `tokens_from` (how these are known, such as `chunks+usage`), `window_s` (first request to last end, of
        the group), and `requests_per_s` and `output_tokens_per_s`, which are these divided. With the
        definitions of another tool, what counts and what ends the window are that tool's. `by` as in
        `summary`.
        """
        found = [(name, streams) for name, streams, _ in groups(self.streams, self.events, by)]
        return throughputs(found, self.exchanges, by, self.definitions)

    def outcomes(self, by: By | None = None) -> pd.DataFrame:
        """Return how streams ended: a row for each outcome, the column `streams` with how many had it.

        All outcomes are there, also those that no stream had. `by` as in `summary`.
        """
        return count_outcomes(self.streams, self.events, by)

    def as_dict(self, by: By | None = None) -> dict[str, Any]:
        """Return `{"exchanges": [...], "streams": [...], "summary": {...}}`, ready to be JSON.

        Rows are objects under the tables' column names; a missing value is None, with its reason beside
        it. `summary` has `streams` (how many), `outcomes` (how many of each), `throughput` (an object of
        its columns) and, for each metric, an object of `n`, `p50`, `p90`, `p99`, `max` and `why`. With `by`
        it is an object of these by the group's name, "" for streams without one; by several, an object of
        such objects, the first name outermost. Tokens that are whole numbers are integers. Times of day are
        ISO 8601 in UTC, to the nanosecond.
        """
        summary: dict[str, Any] = {}
        levels = len(names_of(by))
        for name, streams, gaps in groups(self.streams, self.events, by):
            around = summary
            path: Any = name if levels > 1 else (name,)
            *outer, last = ["" if each is None else str(each) for each in path]
            for each in outer:
                around = around.setdefault(each, {})
            around[last] = _summary_of(streams, gaps, self.exchanges, self.definitions)
        return {
            "exchanges": _rows(self.exchanges),
            "streams": _rows(self.streams),
            "summary": summary if levels else summary["all"],
        }

    def slo(self, by: By | None = None, **objectives: float) -> pd.DataFrame:
        """Return how many streams met all objectives: a row for each group, or one called `all`.

        ::

            recording.slo(ttft_ms=500, gap_ms=200, by="model")["attainment"]

        An objective is for a metric of `streams`; `gap_ms` is for all gaps of a stream, and
        `tokens_per_s` is a least value, all others are most values. Only complete streams meet any.
        The columns are `sent`, `met`, `missing` (complete, and a metric is missing, so not met),
        `attainment` = met / sent, `window_s` (first request to last end, of the group; a stream without a
        recorded end ends with its last token) and `goodput_per_s` = met / window: streams a second, which
        are requests a second (DistServe, Zhong et al., OSDI 2024) where each has one choice. Raises
        ValueError for no objective, for one for what is no metric, and for a bound below 0 or not finite.
        """
        return attainment(self.streams, objectives, by)

    def deadline_miss_rate(self, tbt_ms: float, ttft_ms: float | None = None) -> "pd.Series[float]":
        """Return the share of token deadlines missed for each stream with gaps; fluidity is 1 - that.

        Etalon's (arXiv 2407.07000): a token is due `tbt_ms` after the one before it, what it does not use of
        this is slack for those after it, and a late one misses (gap - slack) // `tbt_ms` deadlines and
        resets the slack. The rate is misses / (misses + tokens in time). The first token has a deadline
        only if `ttft_ms` is given; then a stream of one token has a rate, too, and what the first token
        does not use is slack. The index names the stream. Times are compared in whole nanoseconds. Raises
        ValueError for a time that is not finite, and a `tbt_ms` of less than a nanosecond.
        """
        return missed_deadlines(self.events, self.streams, tbt_ms, ttft_ms)

    def concurrency(self) -> "pd.Series[int]":
        """Return how many requests were in flight from the first one's start, and from each change, on.

        The index has the moments, UTC; nothing changes where one ends as another begins. Requests of which
        the time of day is not known are left out; one without a recorded end counts until its last read or,
        if it has none, its response.
        """
        return concurrency(self.exchanges, self.reads)

    def sql(self, query: str) -> pd.DataFrame:
        """Return what a query finds in the tables `exchanges`, `streams`, `events` and `reads`, by DuckDB.

        ::

            recording.sql("select model, median(ttft_ms) from streams group by model")

        What is missing is NULL, times of day are UTC. A query reaches no file, no network and no variable.
        Raises ValueError for one that DuckDB refuses, with its words, and ModuleNotFoundError where it is not
        installed (`pip install 'tokentape[sql]'`).
        """
        tables = {name: getattr(self, name) for name in ("exchanges", "streams", "events", "reads")}
        return sql_query(query, tables)

    def stalls(self, over_ms: float) -> pd.DataFrame:
        """Return the token events that came more than `over_ms` after the one before, the longest first.

        `token_event` is the position: how many token events of the stream came before it. Raises ValueError
        for a time that is not 0 or more.
        """
        if not over_ms >= 0:
            raise ValueError(f"expected over_ms, a time, of 0 ms or more, found {over_ms}")
        late = self.events.loc[
            self.events["gap_ms"] > over_ms, [*STREAM_KEY, "token_event", "t_ms", "gap_ms"]
        ]
        late = late.sort_values("gap_ms", ascending=False, kind="stable")
        models = self.streams[[*STREAM_KEY, "model"]].astype({"choice": "Int64"})
        found = late.merge(models, how="left", on=STREAM_KEY)
        return found[[*STREAM_KEY, "model", "token_event", "t_ms", "gap_ms"]]


def with_in_flight(recording: Recording, among: Moments | None = None) -> Recording:
    """Return the recording with the column `in_flight` of `exchanges` and `streams`.

    It has the requests under way when each was sent, itself too, of all whose times are in `among`, or
    else of all that the recording has.
    """
    spans = spans_of(recording.exchanges, recording.reads)
    of_exchanges, of_streams = in_flight(spans, moments_of([spans]) if among is None else among)
    return replace(
        recording,
        exchanges=recording.exchanges.assign(in_flight=of_exchanges),
        streams=recording.streams.assign(in_flight=of_streams),
    )


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype("object")
    for name in table.columns[[isinstance(dtype, pd.DatetimeTZDtype) for dtype in table.dtypes]]:
        times = [None if value is pd.NaT else value.isoformat() for value in table[name]]
        plain[name] = pd.Series(times, index=table.index, dtype="object")
    return plain.where(table.notna(), None).to_dict("records")  # type: ignore[return-value]


def _summary_of(
    streams: pd.DataFrame, gaps: pd.DataFrame, exchanges: pd.DataFrame, definitions: str | None
) -> dict[str, Any]:
    metrics = metrics_of(streams, gaps, definitions)
    metrics["output_tokens"] = {name: _whole(value) for name, value in metrics["output_tokens"].items()}
    rates = throughput_of(streams, exchanges, definitions)
    return {
        "streams": len(streams),
        "outcomes": outcomes_of(streams),
        "throughput": {name: None if pd.isna(value) else value for name, value in rates.items()},
        **metrics,
    }


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
