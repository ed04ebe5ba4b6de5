"""`azure-openai`: OpenAI's chunk with the results of Azure's content filters.

Source: "Content streaming" and "Content filtering" of Azure's OpenAI documentation (learn.microsoft.com,
`azure/foundry/openai/concepts/content-streaming`), their example streams.

The first event has what was found in the prompt (`prompt_filter_results`), and no choices. Where filters
run beside the answer, later events annotate it: a choice with `content_filter_offsets`, and no delta. Both
kinds have "" and 0 for what identifies a chunk, and are looked at as events apart.
"""

from typing import Any

from tokentape.dialects._json import dict_of, list_of
from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._rule_set import Apart
from tokentape.dialects.rules._shape import ANY, ARRAY, COUNT, OBJECT, TEXT, Fields, Items, Maybe

_FILTERED = {
    "content_filter_results": OBJECT,
    "content_filter_raw": ARRAY,
    "content_filter_offsets": OBJECT,
}
_CHOICE = Fields(may={"index": COUNT, "finish_reason": Maybe(TEXT), "logprobs": ANY, **_FILTERED})


def _is_apart(value: dict[str, Any]) -> bool:
    """Whether an event has results of filters, and no part of the answer."""
    choices = list_of(value.get("choices"))
    if not choices:
        return "prompt_filter_results" in value
    return all(_FILTERED.keys() & dict_of(each).keys() and "delta" not in dict_of(each) for each in choices)


AZURE_OPENAI = openai_like(
    "azure-openai",
    "Azure's OpenAI documentation, content streaming",
    hosts=("openai.azure.com", "services.ai.azure.com"),
    marks=(("prompt_filter_results",), ("choices", "content_filter_offsets")),
    chunk={"prompt_filter_results": ARRAY},
    choice=_FILTERED,
    apart=Apart(
        is_apart=_is_apart,
        chunk=Fields(
            has={"id": TEXT, "object": TEXT, "created": COUNT, "model": TEXT, "choices": Items(_CHOICE)},
            may={"prompt_filter_results": ARRAY, "usage": Maybe(OBJECT)},
        ),
    ),
)
