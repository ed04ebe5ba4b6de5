"""How close a replay came to its recording, event by event, both as they were recorded.

Exchanges are paired by what was asked and answered; the n-th of equal ones with the n-th. An event's error
is when it came in the replay less when it came in the recording, both since the request was complete.
"""

from math import isfinite

import numpy as np
import pandas as pd

from tokentape.analysis._recording import Recording
from tokentape.analysis.comparing._pairs import EXCHANGE, named_exchanges, pairs_of

FIDELITY = (
    "exchanges",
    "gaps",
    *(f"{prefix}gap_error_{place}_ms" for prefix in ("", "scaled_") for place in ("p50", "p99", "max")),
    "scale",
    "drift_ppm",
)
"""What `fidelity` returns."""


def fidelity(recording: Recording, replay: Recording, *, speed: float = 1) -> "pd.Series[float]":
    """Return how far a replay's gaps between events are from the recording's, in ms.

    `gap_error_p50_ms`, `gap_error_p99_ms`, `gap_error_max_ms`: of |replayed gap - recorded gap|, exact, by
    linear interpolation. `scale`: the slope of replayed over recorded times by least squares, about 1 at
    original speed and 0.5 at twice that. `scaled_gap_error_...`: the same errors with recorded gaps times
    `scale`. `drift_ppm`: (`scale` * `speed` - 1) * 10**6, by how much the replay was slower than the speed
    that it was meant to have. `gaps`, `exchanges`: over how many. Gaps are between all events of an answer,
    the first one's from the moment the request was complete. Where no event has a time, numbers are NaN.

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
    both = before.add_suffix("_a").join(after.add_suffix("_b"), how="inner")
    row = {"exchanges": float(both.index.get_level_values(0).nunique()), "gaps": float(len(both))}
    errors = (both["gap_b"] - both["gap_a"]).abs()
    squares = float((both["t_a"] ** 2).sum())
    scale = float((both["t_a"] * both["t_b"]).sum()) / squares if squares > 0 else np.nan
    scaled = (both["gap_b"] - scale * both["gap_a"]).abs()
    for prefix, found in (("gap_error", errors), ("scaled_gap_error", scaled)):
        row |= {f"{prefix}_p{percent}_ms": float(found.quantile(percent / 100)) for percent in (50, 99)}
        row[f"{prefix}_max_ms"] = float(found.max())
    row |= {"scale": scale, "drift_ppm": (scale * speed - 1) * 1e6}
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


def _times(events: pd.DataFrame, names: "pd.Series[str]") -> pd.DataFrame:
    once = events.drop_duplicates([*EXCHANGE, "event"])
    keys = pd.MultiIndex.from_frame(once[EXCHANGE].astype({"cassette": "str"}))
    named = pd.Index(names.reindex(keys), name="pair")
    t = pd.Series(once["t_ms"].to_numpy(), index=pd.MultiIndex.from_arrays([named, once["event"]]))
    gap = t.groupby(level="pair", sort=False).diff().fillna(t)
    return pd.DataFrame({"t": t, "gap": gap}).dropna()
