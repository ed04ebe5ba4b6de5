"""`openai-relay`: the chunk that relays document which speak as OpenAI's API did before it streamed usage.

Source: the document of such a relay, which says this. Every chunk has `id`, `created` and
`system_fingerprint`, the same throughout, and an `object` that is always `chat.completion.chunk`. There may
be several choices. The first chunk of each has the role `assistant`, a `content` of "" and a finish reason of
null; the last has an empty `delta` and the finish reason `stop`. There is no usage. `[DONE]` ends the stream.
What else a delta may hold (`tool_calls`), log probabilities and other finish reasons are OpenAI's.
"""

from tokentape.dialects._openai_chat import OpenAIChat
from tokentape.dialects.rules._choices import Finishes, RoleFirst
from tokentape.dialects.rules._constancy import Unchanged
from tokentape.dialects.rules._openai_chat import CALLS, FINISH, LOGPROBS
from tokentape.dialects.rules._rule_set import DONE_MARK, Framing, RuleSet
from tokentape.dialects.rules._shape import COUNT, NAME, SECONDS, TEXT, Fields, Items, OneOf

_CHOICE = Fields(
    has={
        "index": COUNT,
        "delta": Fields(may={"role": OneOf(("assistant",)), "content": TEXT, "tool_calls": CALLS}),
        "finish_reason": FINISH,
    },
    may={"logprobs": LOGPROBS},
)

OPENAI_RELAY = RuleSet(
    name="openai-relay",
    source="an OpenAI-compatible relay's document of its chunk",
    dialect=OpenAIChat(),
    chunk=Fields(
        has={
            "id": NAME,
            "object": OneOf(("chat.completion.chunk",), "object-name"),
            "created": SECONDS,
            "model": NAME,
            "system_fingerprint": TEXT,
            "choices": Items(_CHOICE),
        }
    ),
    rules=(
        Unchanged("id-changes", ("id",)),
        Unchanged("created-changes", ("created",)),
        Unchanged("model-changes", ("model",)),
        Unchanged("fingerprint-changes", ("system_fingerprint",)),
        RoleFirst(alone=True),
        Finishes(last="no-fields"),
    ),
    end_mark=DONE_MARK,
    framing=Framing(space_after_data=True, no_comments=True, named="never"),
)
