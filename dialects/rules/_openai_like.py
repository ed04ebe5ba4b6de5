"""OpenAI's chunk with what another provider documents on top of it, said as data.

The invariant: what a provider's set does not name is as in `openai-chat`, so that a set is as long as its
provider's additions. Fields that are added may be there or not, and a field that is named again has the
shape that is given here.
"""

from collections.abc import Mapping

from tokentape.dialects._openai_chat import OpenAIChat
from tokentape.dialects.rules._choices import Finishes, RoleFirst, UsageAlone
from tokentape.dialects.rules._constancy import Grows, Total, Unchanged
from tokentape.dialects.rules._openai_chat import CALL, CHOICE, CHUNK, DELTA, USAGE
from tokentape.dialects.rules._rule_set import DONE_MARK, Apart, RuleSet
from tokentape.dialects.rules._shape import Fields, Items, Maybe, Shape

_NONE: Mapping[str, Shape] = {}
REASONING_TOKENS = ("completion_tokens_details", "reasoning_tokens")


def openai_like(
    name: str,
    source: str,
    *,
    hosts: tuple[str, ...] = (),
    marks: tuple[tuple[str, ...], ...] = (),
    chunk: Mapping[str, Shape] = _NONE,
    choice: Mapping[str, Shape] = _NONE,
    delta: Mapping[str, Shape] = _NONE,
    call: Mapping[str, Shape] = _NONE,
    usage: Mapping[str, Shape] = _NONE,
    optional: tuple[str, ...] = (),
    usage_beside_choices: bool = False,
    reasoning_is_apart: bool = False,
    apart: Apart | None = None,
) -> RuleSet:
    """Return OpenAI's rules with additions.

    `chunk`, `choice`, `delta`, `call` (of a tool) and `usage` are fields that may be there, `optional` the
    names of OpenAI's fields that need not be, such as `object`, `choices.finish_reason` and
    `tool_calls.index`. `usage_beside_choices`: usage may come in a chunk with choices, and that chunk after
    the one that finishes them. `reasoning_is_apart`: the tokens of reasoning are part of the total, and not
    of `completion_tokens`. `apart` are events with a shape of their own. For the others see `RuleSet`.
    """
    calls = Items(_with(CALL, call, optional, "tool_calls."))
    deltas = _with(DELTA, {"tool_calls": calls, **delta})
    choices = _with(CHOICE, {**choice, "delta": deltas}, optional, "choices.")
    bill = Maybe(_with(USAGE, usage))
    return RuleSet(
        name=name,
        source=source,
        hosts=hosts,
        marks=marks,
        dialect=OpenAIChat(),
        chunk=_with(CHUNK, {"choices": Items(choices), "usage": bill, **chunk}, optional),
        rules=(
            Unchanged("id-changes", ("id",)),
            Unchanged("created-changes", ("created",)),
            Unchanged("model-changes", ("model",)),
            RoleFirst(),
            Finishes(usage_after=usage_beside_choices),
            UsageAlone(beside_choices=usage_beside_choices),
            Grows("usage-decreases", ("usage", "completion_tokens")),
            Total(
                ("usage",),
                "total_tokens",
                ("prompt_tokens", "completion_tokens"),
                beside=REASONING_TOKENS if reasoning_is_apart else (),
            ),
        ),
        end_mark=DONE_MARK,
        apart=apart,
    )


def _with(
    fields: Fields, more: Mapping[str, Shape], optional: tuple[str, ...] = (), prefix: str = ""
) -> Fields:
    """Return the fields with others, or with other shapes; those that are optional need not be there."""
    eased = {name for name in fields.has if f"{prefix}{name}" in optional}
    has = {name: more.get(name, shape) for name, shape in fields.has.items() if name not in eased}
    may = {**{name: fields.has[name] for name in eased}, **fields.may, **more}
    return Fields(has, {name: shape for name, shape in may.items() if name not in has})
