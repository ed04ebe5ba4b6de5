"""Which bills of an answer are believed: judged here, once, for all tables.

The guarantee: whoever asks an answer that was judged for its tokens gets the same count, or none. A bill is
cumulative, and its last word counts; it is refused if it cannot have the text in it that came:

- It says 0, and there is text.
- It was the last, text came after it, and either the stream was cut or the text has more events than the
  bill has tokens that were shown. A bill that comes at the end is not asked for that: a character in two
  events makes more events than tokens, and the bill is right.

A bill is of all choices together, or of one of them. Where there is none of all, those of the choices are
added up, if each has one.
"""

from dataclasses import replace

import numpy as np

from tokentape.analysis.measuring._answer import Answer, Choice
from tokentape.analysis.measuring._columns import Ints, occurring
from tokentape.dialects import OWN_USAGE, REASONING, TOKEN, WITHHELD, Usage


def judged(answer: Answer) -> Answer:
    """Return the answer with the bills that are believed; what a refused one says of the prompt stays."""
    choices, usage, rows = answer.choices, answer.usage, answer.rows
    if usage is not None and usage.output is not None:
        after = answer.usage_row + 1
        if not _is_believable(usage, rows.carries, after, list(choices.values()), ended=answer.ended):
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


def _prompt_alone(usage: Usage) -> Usage:
    """Return what a bill says of the prompt alone."""
    return Usage(prompt=usage.prompt, cached=usage.cached)


def _judged_choice(answer: Answer, number: int, choice: Choice) -> Choice:
    usage = choice.usage
    if usage is None or usage.output is None:
        return choice
    masks = answer.rows.carries[answer.rows.choice == number]
    bills = np.flatnonzero(masks & OWN_USAGE)
    after = int(bills[-1]) + 1 if len(bills) else 0
    if _is_believable(usage, masks, after, [choice], ended=answer.ended):
        return choice
    return replace(choice, usage=_prompt_alone(usage))


def _is_believable(usage: Usage, masks: Ints, after: int, choices: list[Choice], *, ended: bool) -> bool:
    """Whether what came of these choices can be in a bill; rows from `after` on came after it."""
    output = usage.output or 0
    if not output:
        return not (masks & TOKEN).any() and not any(choice.text for choice in choices)
    if not (masks[after:] & TOKEN).any():
        return True
    if not ended and any(choice.finish_reason is None for choice in choices):
        return False
    hidden = 0 if shows_all(occurring(masks)) else usage.reasoning or 0
    return output - hidden >= int(np.count_nonzero(masks & TOKEN))


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
