"""Each number in a figure is a number of the tables."""

import numpy as np
import pandas as pd
import pytest

from tests.analysis.plots.sessions import HTTP_ERRORS, session
from tests.analysis.tapes import MS, chunk, data, records, write
from tokentape.analysis import compare, load, plots
from tokentape.analysis._schema import CLOCKS
from tokentape.analysis.plots._text import number


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return session(tmp_path_factory.mktemp("session"))


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def drawn(values):
    """Numbers of a trace, without what lifts the pen."""
    return [value for value in values if value is not None and not pd.isna(value)]


def notes(figure):
    return figure.layout.title.subtitle.text.replace("<br>", " ")


@pytest.mark.parametrize(
    "metric", ["ttft_ms", "e2e_ms", "tokens_per_s", "output_tokens", "gap_ms", "read_gap_ms"]
)
def test_a_distribution_has_every_value_at_its_rank_and_the_summarys_percentiles(recording, metric):
    line, marks = plots.ttft_distribution(recording, metric=metric).data
    table = recording.events if metric in ("gap_ms", "read_gap_ms") else recording.streams
    values = table[metric].dropna().astype("float64").sort_values().to_numpy()
    assert len(line.x) == min(len(values), 1_000)
    if len(values) <= 1_000:
        assert list(line.x) == values.tolist()
        assert np.allclose(line.y, np.arange(1, len(values) + 1) / len(values) * 100)
    summary = recording.summary().loc[metric]
    assert list(marks.x) == summary[["p50", "p90", "p99"]].tolist()
    assert list(marks.y) == [50, 90, 99]


def test_a_distribution_says_how_many_it_is_of_and_what_it_left_out(recording):
    figure = plots.ttft_distribution(recording)
    assert notes(figure) == "n = 40 streams. Left out: 3 streams (http-error 3)."


def test_a_distribution_names_the_stream_of_every_step(recording):
    line = plots.ttft_distribution(recording).data[0]
    ordered = recording.streams.dropna(subset="ttft_ms").sort_values("ttft_ms", kind="stable")
    assert list(line.text) == [f"session.tape · exchange {number}" for number in ordered["exchange"]]


def test_a_long_line_is_thinned_to_values_of_the_table(tmp_path):
    recording = session(tmp_path, 1_300)
    line = plots.ttft_distribution(recording).data[0]
    values = recording.streams["ttft_ms"].dropna().sort_values().to_numpy()
    ranks = np.round(np.array(line.y) * len(values) / 100).astype(int) - 1
    assert len(line.x) == 1_000
    assert list(line.x) == values[ranks].tolist()
    assert (ranks[0], ranks[-1]) == (0, len(values) - 1)


def test_groups_beyond_eight_are_one(tmp_path):
    parts = [session(tmp_path, 2 + n, name=f"{n}.tape", model=f"m-{n}") for n in range(10)]
    recording = load(tmp_path)
    figure = plots.ttft_distribution(recording, by="model")
    names = [trace.name.partition("<br>")[0] for trace in figure.data if trace.showlegend]
    assert sorted(names) == [*(f"m-{n}" for n in range(2, 10)), "others (2)"]
    assert sum(len(trace.x) for trace in figure.data if trace.showlegend) == sum(
        int(part.streams["ttft_ms"].notna().sum()) for part in parts
    )


def test_bins_and_gaps_of_0_are_all_gaps(recording):
    figure = plots.gap_distribution(recording)
    bars, marks = figure.data
    gaps = recording.events["gap_ms"].dropna()
    zero = int((gaps == 0).sum())
    assert zero > 0
    assert sum(row[0] for row in bars.customdata) == len(gaps) - zero
    assert np.isclose(sum(bars.y), (1 - zero / len(gaps)) * 100)
    summary = recording.summary().loc["gap_ms"]
    assert list(marks.x) == summary[["p50", "p90", "p99", "max"]].tolist()
    assert f"n = {len(gaps):,} gaps of 40 streams" in notes(figure)
    assert f"{zero} gaps of 0" in notes(figure)


def test_gaps_of_less_than_a_millisecond_are_drawn(tmp_path):
    times_ns = [100 * MS]
    for gap_ns in [10_000, 500_000, 0, 20 * MS, 500_000]:
        times_ns.append(times_ns[-1] + gap_ns)
    pieces = [(ns, data(chunk({"content": "a"}))) for ns in times_ns]
    bars = plots.gap_distribution(load(write(tmp_path / "a.tape", records(pieces)))).data[0]
    assert sum(row[0] for row in bars.customdata) + 1 == 5
    assert np.isclose(sum(bars.y), 80)


def test_every_gap_is_in_the_bar_above_it(recording):
    bars = plots.gap_distribution(recording).data[0]
    left = np.array(bars.x) ** 2  # the centre is the geometric mean of the edges
    width = np.array(bars.width)
    low = (-width + np.sqrt(width**2 + 4 * left)) / 2
    gaps = recording.events["gap_ms"].dropna()
    for start, size, row in zip(low, width, bars.customdata, strict=True):
        inside = ((gaps > start * (1 + 1e-9)) & (gaps < (start + size) * (1 - 1e-9))).sum()
        assert abs(inside - row[0]) <= 1  # one may be on an edge


def test_a_timeline_has_every_clock_event_read_and_gap_of_its_stream(recording):
    number = 7
    row = recording.streams.loc[number]
    figure = plots.stream_timeline(recording, number)
    found = traces(figure)
    known = {clock: row[clock] for clock in CLOCKS if pd.notna(row[clock])}
    assert dict(zip(found["clocks"].y, found["clocks"].x, strict=True)) == known
    absent = {clock: f"  missing: {row[f'{clock}_why']}" for clock in CLOCKS if pd.isna(row[clock])}
    assert dict(zip(found["missing clocks"].y, found["missing clocks"].text, strict=True)) == absent
    events = recording.events[recording.events["exchange"] == number]
    for kind in ("reasoning", "content"):
        assert list(found[kind].x) == events.loc[events["carries"] == kind, "t_ms"].tolist()
    assert list(found["other events"].x) == events.loc[~events["is_token"], "t_ms"].tolist()
    reads = recording.reads[recording.reads["exchange"] == number]
    assert list(found["reads"].x) == reads["t_ms"].tolist()
    gaps = events["gap_ms"].dropna()
    assert drawn(found["gaps"].y)[1::2] == gaps.tolist()
    stalls = recording.stalls(200)
    mine = stalls[stalls["exchange"] == number]
    assert list(found["stalls"].y) == mine["gap_ms"].tolist()
    assert [token for token, _ in found["stalls"].customdata] == mine["token_event"].tolist() == [3]


def test_a_timeline_finds_its_stream_by_label_and_by_name(recording):
    row = recording.streams.loc[4]
    name = tuple(row[["cassette", "section", "exchange", "choice"]])
    assert plots.stream_timeline(recording, 4) == plots.stream_timeline(recording, name)


@pytest.mark.parametrize("stream", [99_999, ("no.tape", 0, 0, 0), "x", ("a", 1)])
def test_a_stream_that_is_not_there_is_refused_with_what_is_expected(recording, stream):
    with pytest.raises(ValueError, match="expected a row label of `streams`, or a tuple"):
        plots.stream_timeline(recording, stream)


def test_a_timeline_of_one_choice_leaves_the_others_out(tmp_path):
    pieces = [(100 * MS + n * MS, data(chunk({"content": f"{n}"}, index=n % 2))) for n in range(8)]
    recording = load(write(tmp_path / "n2.tape", records(pieces)))
    name = tuple(recording.streams.loc[1, ["cassette", "section", "exchange", "choice"]])
    assert list(traces(plots.stream_timeline(recording, name))["content"].x) == [101, 103, 105, 107]


def test_a_long_stream_is_drawn_with_fewer_marks_and_says_so(tmp_path):
    pieces = [(100 * MS + n * MS, data(chunk({"content": "x"}))) for n in range(5_000)]
    recording = load(write(tmp_path / "long.tape", records(pieces)))
    figure = plots.stream_timeline(recording, 0)
    marks = traces(figure)["content"].x
    assert 1_000 < len(marks) <= 1_501
    assert set(marks) <= set(recording.events["t_ms"])
    assert "are drawn as one" in notes(figure)


def test_a_waterfalls_bars_end_at_the_clocks(recording):
    figure = plots.waterfall(recording)
    bars = [trace for trace in figure.data if trace.type == "bar" and trace.base is not None]
    assert [bar.name for bar in bars] == ["to headers", "to first token", "to last token", "to end"]
    exchanges = recording.exchanges.sort_values("started_at")
    streams = recording.streams.set_index("exchange").loc[exchanges["exchange"]]
    for bar, clock in zip(bars, ("headers_ms", "ttft_ms", "last_token_ms", "end_ms"), strict=True):
        begins = pd.to_datetime(pd.Series(bar.base), utc=True, format="ISO8601").to_numpy("datetime64[ns]")
        since = (begins - exchanges["started_at"].to_numpy("datetime64[ns]")) / np.timedelta64(1, "ns") / MS
        ends = since + np.array(bar.x)
        known = streams[clock].notna().to_numpy()
        assert np.allclose(ends[known], streams[clock].to_numpy()[known], atol=2e-6)
        assert not np.array(bar.x)[~known].any()
    legend = {trace.name for trace in figure.data if trace.type == "bar" and trace.base is None}
    assert {"complete 40", f"http-error {HTTP_ERRORS}"} <= legend
    in_flight = traces(figure)["in flight"]
    expected = recording.concurrency()
    assert list(in_flight.y) == expected.tolist()
    assert notes(figure) == f"43 requests, at most {expected.max()} at a time."


def test_a_bar_reaches_from_the_first_token_of_any_choice_to_the_last(tmp_path):
    pieces = [
        (t * MS, data(chunk({"content": "x"}, index=n))) for t, n in ((100, 1), (200, 0), (300, 1), (500, 0))
    ]
    figure = plots.waterfall(load(write(tmp_path / "n2.tape", records(pieces, end_ns=600 * MS))))
    bars = [trace for trace in figure.data if trace.type == "bar" and trace.base is not None]
    assert [bar.x.tolist() for bar in bars] == [[30], [70], [400], [100]]


def test_of_many_requests_those_around_the_busiest_moment_are_drawn(tmp_path):
    recording = session(tmp_path, 400)
    figure = plots.waterfall(recording, limit=50)
    bars = next(trace for trace in figure.data if trace.base is not None)
    assert len(bars.x) == 50
    begins = pd.to_datetime(pd.Series(bars.base), utc=True, format="ISO8601")
    busiest = recording.concurrency().idxmax()
    assert begins.min() <= busiest <= begins.max()
    first = int(
        recording.exchanges["started_at"].rank()[recording.exchanges["started_at"] == begins.min()].iloc[0]
    )
    assert "403 requests" in notes(figure)
    assert f"Drawn: {first} to {first + 49}, around the busiest moment." in notes(figure)


@pytest.mark.parametrize(("every", "said"), [("15s", "15 seconds"), ("1s", "1 second")])
def test_percentiles_over_time_are_those_of_each_span(tmp_path, every, said):
    recording = session(tmp_path, 600, every_ns=100 * MS)
    figure = plots.percentiles_over_time(recording, every=every)
    found = traces(figure)
    known = recording.streams.dropna(subset="ttft_ms")
    spans = known.groupby(known["started_at"].dt.floor(every))["ttft_ms"]
    for percent, least in ((50, 1), (90, 10), (99, 100)):
        expected = spans.quantile(percent / 100).where(spans.size() >= least)
        if expected.notna().any():
            assert np.array_equal(
                np.array(found[f"p{percent}"].y, float), expected.to_numpy(), equal_nan=True
            )
        else:
            assert f"p{percent}" not in found
    assert ("p90" in found, "p99" in found) == (True, every == "15s")
    assert list(found["n"].y) == spans.size().tolist()
    assert sum(found["n"].y) == len(known)
    assert f"in spans of {said}." in notes(figure)


def test_gaps_over_time_belong_to_the_start_of_their_stream(recording):
    found = traces(plots.percentiles_over_time(recording, "gap_ms", every="1h"))
    assert sum(found["n"].y) == recording.events["gap_ms"].notna().sum()
    assert list(found["p99"].y) == [recording.summary().loc["gap_ms", "p99"]]


@pytest.mark.parametrize("every", ["x", "0s", "-1h", "NaT"])
def test_what_is_no_length_of_time_is_refused(recording, every):
    with pytest.raises(ValueError, match='expected a length of time such as "15min"'):
        plots.percentiles_over_time(recording, every=every)


def test_a_stall_map_has_every_stall_at_its_token_and_its_stream(recording):
    figure = plots.stall_map(recording, 200)
    marks = traces(figure)["stalls"]
    stalls = recording.stalls(200)
    assert len(stalls) == 6
    assert list(marks.x) == stalls["token_event"].tolist()
    assert list(marks.y) == [number + 1 for number in stalls["exchange"]]  # they start in this order
    assert list(marks.marker.size) == stalls["gap_ms"].tolist()
    assert "6 stalls in 6 of 40 streams" in notes(figure)
    assert drawn(traces(figure)["streams"].x)[1::2] == recording.streams["token_events"].iloc[:40].tolist()


def test_a_stall_map_without_stalls_says_so(recording):
    figure = plots.stall_map(recording, 5_000)
    assert len(traces(figure)["stalls"].x) == 0
    assert "0 stalls in 0 of 40 streams" in notes(figure)
    assert [each.text for each in figure.layout.annotations] == ["no gap over 5\N{NO-BREAK SPACE}s"]


@pytest.mark.parametrize("metric", ["ttft_ms", "gap_ms", "tokens_per_s"])
def test_a_against_b_has_the_numbers_of_compare(recording, tmp_path, metric):
    other = session(tmp_path, 50, slower=1.6, seed=2)
    comparison = compare(recording, other)
    figure = plots.a_against_b(recording, other, metric, comparison=comparison)
    found = {name.partition(":")[0]: trace for name, trace in traces(figure).items()}
    for side, each in (("A", recording), ("B", other)):
        table = each.events if metric == "gap_ms" else each.streams
        values = table[metric].dropna().sort_values().tolist()
        assert [found[side].x[0], found[side].x[-1]] == [values[0], values[-1]]
        assert found[side].name == f"{side}: p50 {number(np.quantile(values, 0.5), metric)}"
    expected = comparison.quantiles.xs(metric, level="metric")
    change = found["change"]
    assert list(change.y) == list(expected.index) == ["p50", "p90", "p99"]
    assert list(change.x) == expected["change_pct"].tolist()
    assert np.allclose(np.add(change.x, change.error_x.array), expected["high_pct"], equal_nan=True)
    assert np.allclose(np.subtract(change.x, change.error_x.arrayminus), expected["low_pct"], equal_nan=True)
    assert "no interval: too-few" in change.text[2] or not np.isnan(expected["low_pct"].iloc[2])
    assert figure == plots.a_against_b(recording, other, metric)


def test_the_plots_draw_no_metric_that_there_is_not(recording):
    for plot in (
        lambda: plots.ttft_distribution(recording, metric="speed"),
        lambda: plots.percentiles_over_time(recording, "speed"),
        lambda: plots.a_against_b(recording, recording, "headers_ms"),
    ):
        with pytest.raises(ValueError, match=r"expected a metric.*found '"):
            plot()


@pytest.mark.parametrize("plot", [plots.ttft_distribution, plots.gap_distribution])
def test_a_groups_traces_have_its_plain_name(tmp_path, plot):
    model = "a<b>model</b> " + "x" * 60
    for n in range(10):
        session(tmp_path, 2 + n, name=f"{n}.tape", model=f"m-{n}" if n < 9 else model)
    figure = plot(load(tmp_path), by="model")
    assert {trace.meta for trace in figure.data} == {model, None, *(f"m-{n}" for n in range(2, 9))}
    assert {trace.meta for trace in plot(load(tmp_path)).data} == {None}


def test_a_waterfalls_legend_has_the_plain_outcome(recording):
    names = {trace.meta: trace.name for trace in plots.waterfall(recording).data if trace.meta is not None}
    assert names == {"complete": "complete 40", "http-error": f"http-error {HTTP_ERRORS}"}


def test_bars_and_stalls_name_their_stream_for_a_page_to_open(recording):
    for bars in plots.waterfall(recording).data[:4]:
        assert [name.split("\n")[2:] for name in bars.ids] == [[str(n), "0"] for n in range(43)]
        assert {name.split("\n")[0] for name in bars.ids} == set(recording.streams["cassette"])
    stalls = recording.stalls(200)
    ids = traces(plots.stall_map(recording, 200))["stalls"].ids
    key = ["cassette", "section", "exchange", "choice", "token_event"]
    assert [name.split("\n") for name in ids] == [
        [str(each) for each in row] for row in stalls[key].itertuples(index=False)
    ]
