"""Many small cassettes with Dask: processor time over that of pandas, for a summary and for one column.

Both are of the same cassettes and in one process, by turns, so that other work on the machine does not decide
the ratio. With several processes, what it takes to send things comes on top.
"""

import tempfile
from pathlib import Path

import dask

from benchmarks.analysis import in_turns
from benchmarks.analysis_parquet import make
from tokentape import analysis
from tokentape.analysis.dask import load

CASSETTES = 400
EVENTS = 20
LIMIT = 5.0


def run() -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as name, dask.config.set(scheduler="synchronous"):
        folder = Path(name)
        for number in range(CASSETTES):
            make(folder / f"{number:03}.tape", 1, events=EVENTS)
        pandas_s, dask_s, column_s = in_turns(
            lambda: analysis.load(folder).summary(),
            lambda: load(folder).summary(),
            lambda: load(folder).streams["ttft_ms"].max().compute(),
        )
    row = {"benchmark": "analysis_dask", "limit": LIMIT, "better": "lower"}
    what = f"{CASSETTES} cassettes of {EVENTS} events"
    return [
        row
        | {
            "what": f"{what}: {asked} with Dask / a summary with pandas",
            "measured": round(seconds / pandas_s, 2),
            "beside": f"{seconds:.2f} / {pandas_s:.2f} s",
        }
        for asked, seconds in (("a summary", dask_s), ("a column", column_s))
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
