"""Which bills of an answer are believed: judged here, once, for all tables.

The guarantee: whoever asks an answer that was judged for its tokens gets the same count, or none. A bill is
cumulative, and its last word counts; it is refused if it cannot have the text in it that came:

- It says 0, and there is text.
- It was the last, text came after it, and either the stream was cut or the text has more events than the
  bill has tokens that were shown. Events of a summary of reasoning are none of these tokens. A bill that
  comes at the end is not asked for that: a character in two events makes more events than tokens, and the
  bill is right.

What of a bill was never shown is told here too (`hidden_tokens`), to this judgement and to the metrics.

A bill is of all choices together, or of one of them. Where there is none of all, those of the choices are
added up, if each has one.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import numpy as np

from tokentape.analysis.measuring._answer import Answer, Choice, Rows
from tokentape.analysis.measuring._columns import occurring
from tokentape.dialects import CONTENT, NO_CHOICE, OWN_USAGE, REASONING, TOKEN, WITHHELD, Usage

_THINK = "<think"


def judged(answer: Answer) -> Answer:
    """Return the answer with the bills that are believed; what a refused one says of the prompt stays."""
    choices, usage = answer.choices, answer.usage
    if usage is not None and not _is_believable(usage, answer, answer.rows, answer.usage_row + 1, choices):
        usage = _prompt_alone(usage)
    if any(choice.usage is not None for choice in choices.values()):
        choices = {number: _judged_choice(answer, number, choice) for number, choice in choices.items()}
        usage = _added_up(usage, list(choices.values()))
    if usage is answer.usage and choices is answer.choices:
        return answer
    cached = answer.cached_tokens
    if cached is None and usage is not None:
        cached = usage.cached
    return replace(answer, choices=choices, usage=usage, cached_tokens=cached)


def shows_all(masks: list[int]) -> bool:
    """Whether reasoning was streamed as it was generated, given all masks of what a stream carries."""
    return any(mask & REASONING and not mask & WITHHELD for mask in masks)


def hidden_tokens(usage: Usage, rows: Rows) -> int:
    """Return how many of the billed tokens are reasoning that these rows, which the bill is of, do not show.

    It was shown where any came as it was generated, or where the content of a choice begins with a tag of it.
    """
    if not usage.reasoning or shows_all(occurring(rows.carries)) or _begins_with_think(rows):
        return 0
    return usage.reasoning


def _begins_with_think(rows: Rows) -> bool:
    """Whether content of any choice begins with reasoning in tags, which are often cut between events."""
    content = np.flatnonzero(rows.carries & CONTENT)
    numbers = rows.choice[content] - NO_CHOICE  # none of them is negative
    return any(
        _is_think(rows.text[row] for row in content[numbers == number].tolist())
        for number in occurring(numbers)
    )


def _is_think(texts: Iterable[str]) -> bool:
    begun = ""
    for text in chain.from_iterable(texts):
        begun = (begun + text).lstrip()
        if len(begun) == len(_THINK):
            break
    return begun == _THINK


def _prompt_alone(usage: Usage) -> Usage:
    """Return what a bill says of the prompt alone."""
    return Usage(prompt=usage.prompt, cached=usage.cached)


def _judged_choice(answer: Answer, number: int, choice: Choice) -> Choice:
    usage = choice.usage
    if usage is None:
        return choice
    rows = answer.rows_of(number)
    bills = np.flatnonzero(rows.carries & OWN_USAGE)
    after = int(bills[-1]) + 1 if len(bills) else 0
    if _is_believable(usage, answer, rows, after, {number: choice}):
        return choice
    return replace(choice, usage=_prompt_alone(usage))


def _is_believable(usage: Usage, answer: Answer, rows: Rows, after: int, choices: dict[int, Choice]) -> bool:
    """Whether what came of these choices, in their rows, can be in a bill; it was before row `after`."""
    output, masks = usage.output, rows.carries
    if output is None:
        return True
    if not output:
        return not (masks & TOKEN).any() and not any(choice.text for choice in choices.values())
    if not (masks[after:] & TOKEN).any():
        return True
    if not answer.ended and any(choice.finish_reason is None for choice in choices.values()):
        return False
    shown = np.where(masks & WITHHELD, masks & ~REASONING, masks) & TOKEN
    return output - hidden_tokens(usage, rows) >= int(np.count_nonzero(shown))


def _added_up(usage: Usage | None, choices: list[Choice]) -> Usage | None:
    """Return the bill of an exchange: of all choices together, or else the sum of theirs if all have one."""
    if usage is not None and usage.output is not None:
        return usage
    own = [choice.usage for choice in choices if choice.usage is not None]
    if not own:
        return usage
    given = own if usage is None else [usage, *own]
    prompts = [each.prompt for each in given if each.prompt is not None]
    hits = [each.cached for each in given if each.cached is not None]
    outputs = [each.output for each in own if each.output is not None]
    reasoning = [each.reasoning for each in own if each.reasoning is not None]
    is_whole = len(outputs) == len(choices)
    return Usage(
        prompt=prompts[0] if prompts else None,  # the same one, which each choice is billed with
        output=sum(outputs) if is_whole else None,
        reasoning=sum(reasoning) if is_whole and reasoning else None,
        cached=max(hits) if hits else None,
    )
