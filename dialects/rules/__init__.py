"""What providers document of their streams, as data, and where a recorded stream departs from it.

A rule set (`RuleSet`) says of one provider's stream: the shape of an event (`_shape.py`: fields, types,
values), rules over its events (what stays the same, what grows, who speaks first, how a choice finishes, in
which order types come), its end mark, and what the document says of its lines. `check` holds events against
one and returns `Finding`s, which are values; `lint` does so for an exchange of a cassette. Nothing raises,
whatever comes.

A new rule set is a module beside these that names its source, and a line in `_choosing.py`; `docs/lint.md`
has every code and every rule set.
"""

from tokentape.dialects.rules._checking import check
from tokentape.dialects.rules._choosing import RULE_SETS, choose_rules
from tokentape.dialects.rules._finding import CODES, Finding, Folded
from tokentape.dialects.rules._folding import FoldedOver, Folds, anywhere, folded
from tokentape.dialects.rules._linting import DAMAGED, Linted, lint
from tokentape.dialects.rules._rule_set import EndMark, Framing, RuleSet

__all__ = [
    "CODES",
    "DAMAGED",
    "RULE_SETS",
    "EndMark",
    "Finding",
    "Folded",
    "FoldedOver",
    "Folds",
    "Framing",
    "Linted",
    "RuleSet",
    "anywhere",
    "check",
    "choose_rules",
    "folded",
    "lint",
]
