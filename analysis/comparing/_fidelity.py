"""How close a replay came to its recording, read by read, both as they were recorded.

Exchanges are paired by what was asked and answered; the n-th of equal ones with the n-th. Looked at are the
events that began a read in the recording, after some time: those that came with the event before are at no
distance from it in either, and say nothing. All times are since the request was complete.

How late a replay was is of two kinds. What all events of an exchange share is its offset, and what grows
with time is drift: replayed time = offset + `scale` * recorded time, with an offset for each exchange and one
scale for all, by least squares. That is the one-way fixed-effects model, with its slope from times less the
means of their exchanges and its intercepts from these means (SAS/ETS User's Guide, The PANEL Procedure). The
invariant: lateness that does not change within an exchange is no drift, however short the exchange is.
"""

from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from tokentape.analysis._recording import Recording
from tokentape.analysis._schema import EXCHANGE_KEY
from tokentape.analysis.comparing._pairs import named_exchanges, pairs_of

_ERRORS = ("gap_error", "scaled_gap_error", "offset")
FIDELITY = (
    "exchanges",
    "gaps",
    *(f"{name}_{place}_ms" for name in _ERRORS for place in ("p50", "p99", "max")),
    "scale",
    "drift_ppm",
)
"""What `fidelity` returns."""


def fidelity(recording: Recording, replay: Recording, *, speed: float = 1) -> "pd.Series[float]":
    """Return how far a replay's gaps are from the recording's, and its exchanges from their times.

    A number for each name in `FIDELITY`. Gaps are between events, without those that came together in both;
    the first one's is from the moment the request was complete. Errors have no sign, and their quantiles are
    exact, by linear interpolation.

    `gap_error_p50_ms`, `gap_error_p99_ms`, `gap_error_max_ms`: of |replayed gap - recorded gap / `speed`|.
    `scaled_gap_error_...`: of |replayed gap - recorded gap * `scale`|.
    `offset_...`: over exchanges, of how much later or earlier all of one came than its recorded times *
    `scale`.
    `scale`: the slope of replayed over recorded times, about 1 at original speed and 0.5 at twice that.
    `drift_ppm`: (`scale` * `speed` - 1) * 10**6, by how much the replay was slower than the speed that it was
    meant to have.
    `gaps`, `exchanges`: over how many.

    Where no event has a time all but these two are NaN. Where no exchange has events at two times, there is
    no scale, and what is made of it is NaN.

    Raises ValueError if `replay` does not have the requests and the answers of `recording`, and for a speed
    that is not finite and above 0.
    """
    if not (isfinite(speed) and speed > 0):
        raise ValueError(f"expected a speed above 0 and finite, found {speed}")
    pairs = pairs_of(recording.streams, replay.streams)
    if pairs is None:
        raise ValueError(_no_replay(recording, replay))
    before, after = (
        _times(each.events, names) for each, names in zip((recording, replay), pairs, strict=True)
    )
    times = _where_either_moved(pd.DataFrame({"a": before, "b": after}).dropna())
    exchange = times.groupby(level=_PAIR, sort=False)
    gaps = exchange.diff().fillna(times)
    means = exchange.mean()
    within = times - exchange.transform("mean")
    squares = float((within["a"] ** 2).sum())
    scale = float((within["a"] * within["b"]).sum()) / squares if squares > 0 else np.nan
    found = {
        "gap_error": gaps["b"] - gaps["a"] / speed,
        "scaled_gap_error": gaps["b"] - gaps["a"] * scale,
        "offset": means["b"] - means["a"] * scale,
    }
    row = {"exchanges": float(len(means)), "gaps": float(len(gaps))}
    row |= {"scale": scale, "drift_ppm": (scale * speed - 1) * 1e6}
    for name in _ERRORS:
        errors = found[name].abs()
        row |= {f"{name}_p{percent}_ms": float(errors.quantile(percent / 100)) for percent in (50, 99)}
        row[f"{name}_max_ms"] = float(errors.max())
    return pd.Series({name: row[name] for name in FIDELITY}, name="fidelity")


def _no_replay(recording: Recording, replay: Recording) -> str:
    """Return how the two differ, in one line."""
    expected = "expected a replay with the requests and answers of the recording"
    one, other = named_exchanges(recording.streams), named_exchanges(replay.streams)
    if not len(one) and not len(other):
        return f"{expected}; found no exchange in either"
    missing, more = one[~one.isin(set(other))], other[~other.isin(set(one))]
    said = []
    for alone, size, name in ((missing, len(one), "the recording"), (more, len(other), "the replay")):
        if len(alone):
            cassette, section, exchange = alone.index[0]
            said.append(
                f"{len(alone)} of the {size} in {name} have no equal in the other, "
                f"the first of them exchange {exchange} of section {section} in {cassette}"
            )
    return f"{expected}; {'; '.join(said) or 'found some exchanges twice'}"


_PAIR = "pair"


def _times(events: pd.DataFrame, names: "pd.Series[Any]") -> "pd.Series[float]":
    """Return when each event came, in ms; the index is the number of its pair of exchanges, and its own."""
    once = events.drop_duplicates([*EXCHANGE_KEY, "event"])
    keys = pd.MultiIndex.from_frame(once[EXCHANGE_KEY].astype({"cassette": "str"}))
    index = pd.MultiIndex.from_arrays([names.reindex(keys), once["event"]], names=[_PAIR, "event"])
    return pd.Series(once["t_ms"].to_numpy(), index=index)


def _where_either_moved(times: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of events that came later than the one before them in either, and first ones."""
    since = times.groupby(level=_PAIR, sort=False).diff()
    return times[since.ne(0).any(axis=1)]
