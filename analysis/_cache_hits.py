"""How many prompt tokens a provider took from its cache, as the bill in an event says.

The invariant: a count is the provider's own, and None where it says none. Names are those of OpenAI and
its like, DeepSeek, Anthropic and Gemini.
"""

from typing import Any

import msgspec

_BILLS = ("usage", "usageMetadata")
_PATHS = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("prompt_cache_hit_tokens",),
    ("cache_read_input_tokens",),
    ("cachedContentTokenCount",),
    ("cached_tokens",),
)
_AROUND = ("message", "response", "x_groq")


def cache_hits(data: bytes) -> int | None:
    """Return the cached prompt tokens that an event's data, or a whole answer, bills."""
    try:
        event = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    for holder in (event, *(_get(event, name) for name in _AROUND)):
        for bill in _BILLS:
            for path in _PATHS:
                value = _get(holder, bill)
                for name in path:
                    value = _get(value, name)
                if type(value) is int and 0 <= value < 2**63:
                    return value
    return None


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
