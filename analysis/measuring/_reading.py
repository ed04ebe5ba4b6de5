"""How exchanges are read, understood: which are wanted, and how their answers are measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tokentape.analysis.measuring._definitions import Definitions
from tokentape.analysis.measuring._tokenizers import Count
from tokentape.dialects import Dialect

Row: TypeAlias = Mapping[str, Any]
"""An exchange under the columns of `exchanges`."""
Condition: TypeAlias = Callable[[Row], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What options mean: which exchanges are wanted, and how their answers are measured."""

    where: Sequence[Condition] = ()
    definitions: Definitions | None = None
    dialect: Dialect | None = None
    count: Count | None = None


AS_IT_IS = Reading()
"""Every exchange, with our definitions, in the dialect that it looks like."""
