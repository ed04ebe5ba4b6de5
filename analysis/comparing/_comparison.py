"""Two recordings compared: by how much B differs from A, how sure that is, and what may be said of it.

The unit is the request: intervals draw whole requests (`_bootstrap`). Where B's requests and answers are
A's, byte counts and all, it is a replay of A, and pairs are drawn together (`_pairs`).
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from tokentape.analysis._recording import Recording
from tokentape.analysis.comparing import _change, _effect, _failures
from tokentape.analysis.comparing._group import ComparedGroup, Tables, compared_group, fewest_values
from tokentape.analysis.comparing._pairs import pairs_of
from tokentape.analysis.comparing._verdict import level_of, questions, verdict
from tokentape.analysis.summarising._grouping import By, group_words, names_of
from tokentape.analysis.summarising._summary import METRICS, TOOL_METRICS, groups
from tokentape.progress import followed

QUANTILES = _change.QUANTILES


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is known of the difference between A and B.

    `quantiles` has a row for each metric and quantile: `a`, `b`, `n_a`, `n_b` (requests), `change` (b - a),
    `change_pct`, 95% intervals of these two and of `b` (`change_low` to `change_high`, `low_pct` to
    `high_pct`, `b_low` to `b_high`), and in `why` what is missing and why. `effects` has a row for each
    metric: `prob_b_slower` (for tokens: has more) with its 95% interval, and `cliffs_delta`. `failures` has
    one row: how many requests failed in both, `change_points` (of a percentage) with its 95% interval, and
    Fisher's exact `p_value`. With `by`, the group's names are the outer levels of all indexes; a group that
    only one of the two has comes with the numbers of that side, `why` is `only-in-a` or `only-in-b`, and
    `left_out` says so in words.
    """

    quantiles: pd.DataFrame
    effects: pd.DataFrame
    failures: pd.DataFrame
    verdict: str
    paired: bool
    left_out: tuple[str, ...] = ()


def compare(
    a: Recording, b: Recording, *, by: By | None = None, seed: int = 0, progress: bool = True
) -> Comparison:
    """Return how B differs from A, with intervals from a seeded bootstrap over requests.

    `by` as in `Recording.summary`; what only one of the two has is not compared, and said. The verdict
    is about the median, p90 and p99 of TTFT, ITL and E2E, each where there are enough requests, and about
    failures, at 95% for all that it looks at together.
    `prob_b_slower` is P(B > A) + P(B = A) / 2 of requests, each with its median; Cliff's delta is 2 P - 1.
    For `tokens_per_s`, slower is less. Where A and B do not count tokens in the same way, what is made of
    counts is not compared, and the verdict says so. `progress`: show a bar on a terminal after the first
    second.

    Raises ValueError for a `by` that streams cannot be grouped by, and for recordings of which the numbers
    have the definitions of different tools.
    """
    if a.definitions != b.definitions:
        both = " and ".join(each.definitions or "our own" for each in (a, b))
        raise ValueError(f"expected two recordings with the same definitions, found {both}")
    columns = names_of(by)
    metrics = METRICS if a.definitions is None else TOOL_METRICS
    pairs = pairs_of(a.streams, b.streams)
    of_a, of_b = (
        {name: Tables(streams, gaps) for name, streams, gaps in groups(each.streams, each.events, by)}  # type: ignore[arg-type,unused-ignore]  # where only one column is known
        for each in (a, b)
    )
    shared = of_a.keys() & of_b.keys()
    level = level_of(questions(fewest_values(of_a[name], of_b[name])) for name in shared)
    rng = np.random.default_rng(seed)
    compared: list[ComparedGroup] = []
    steps = followed([*product({**of_a, **of_b}, metrics)], shown=progress, what="comparing")
    for name, of_name in groupby(steps, key=itemgetter(0)):
        in_a, in_b = of_a.get(name), of_b.get(name)
        compared.append(
            compared_group(
                _group(columns, name),
                in_a or of_b[name].nothing,
                in_b or of_a[name].nothing,
                (metric for _, metric in of_name),
                only="only-in-b" if in_a is None else "only-in-a" if in_b is None else None,
                pairs=pairs if name in shared else None,
                level=level,
                rng=rng,
            )
        )
    quantiles = [row for each in compared for row in each.quantiles]
    failures = [each.failures for each in compared]
    left_out = tuple(_left_out(columns, of_a, of_b))
    return Comparison(
        quantiles=_table(quantiles, [*columns, "metric", "quantile"], _change.COLUMNS),
        effects=_table(
            [row for each in compared for row in each.effects], [*columns, "metric"], _effect.COLUMNS
        ),
        failures=_table(failures, [*columns] or ["group"], _failures.COLUMNS),
        verdict=verdict(
            quantiles,
            failures,
            columns,
            left_out,
            level,
            [each.counting for each in compared if each.counting],
            [row for each in compared for row in each.lacking],
        ),
        paired=pairs is not None,
        left_out=left_out,
    )


def _table(rows: list[dict[str, Any]], index: list[str], columns: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*index, *columns]).set_index(index)


def _group(columns: Sequence[str], name: Hashable) -> dict[str, Any]:
    values = name if isinstance(name, tuple) and len(columns) > 1 else (name,)
    return dict(zip(columns, values, strict=False))


def _left_out(columns: Sequence[str], a: Iterable[Hashable], b: Iterable[Hashable]) -> Iterable[str]:
    for side, own, others in (("A", a, set(b)), ("B", b, set(a))):
        for name in own:
            if name not in others:
                yield f"{group_words(_group(columns, name))} is only in {side}"
