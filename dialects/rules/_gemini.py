"""`gemini`: what Gemini's `streamGenerateContent` sends.

Source: `GenerateContentResponse` of the Gemini API reference (ai.google.dev, `api/generate-content`) and of
Vertex AI's REST reference (docs.cloud.google.com), and the types of Google's SDK.

Each event is a whole `GenerateContentResponse`; almost every field of it is optional, and there is no end
mark. `responseId` identifies the response. What is in a part, and in the data beside it, is not looked at
further than its type.
"""

from tokentape.dialects._gemini import Gemini
from tokentape.dialects.rules._choices import Finishes
from tokentape.dialects.rules._constancy import Unchanged
from tokentape.dialects.rules._rule_set import RuleSet
from tokentape.dialects.rules._shape import (
    ARRAY,
    COUNT,
    FLAG,
    NUMBER,
    OBJECT,
    TEXT,
    Fields,
    FinishReason,
    Items,
    OneOf,
)

_REASONS = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "OTHER",
    "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_OTHER", "NO_IMAGE", "IMAGE_RECITATION", "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "MODEL_ARMOR",
)  # fmt: skip
_PART = Fields(
    may={
        "text": TEXT,
        "thought": FLAG,
        "thoughtSignature": TEXT,
        "functionCall": OBJECT,
        "functionResponse": OBJECT,
        "inlineData": OBJECT,
        "fileData": OBJECT,
        "executableCode": OBJECT,
        "codeExecutionResult": OBJECT,
        "videoMetadata": OBJECT,
        "mediaResolution": OBJECT,
        "partMetadata": OBJECT,
        "toolCall": OBJECT,
        "toolResponse": OBJECT,
    }
)
_CANDIDATE = Fields(
    may={
        "content": Fields(may={"parts": Items(_PART), "role": OneOf(("model",))}),
        "finishReason": FinishReason(None, _REASONS),
        "finishMessage": TEXT,
        "safetyRatings": ARRAY,
        "citationMetadata": OBJECT,
        "tokenCount": COUNT,
        "groundingAttributions": ARRAY,
        "groundingMetadata": OBJECT,
        "avgLogprobs": NUMBER,
        "logprobsResult": OBJECT,
        "urlContextMetadata": OBJECT,
        "index": COUNT,
    }
)
_COUNTS = ("promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "toolUsePromptTokenCount",
           "thoughtsTokenCount", "totalTokenCount")  # fmt: skip
_DETAILS = (
    "promptTokensDetails",
    "cacheTokensDetails",
    "candidatesTokensDetails",
    "toolUsePromptTokensDetails",
)

GEMINI = RuleSet(
    name="gemini",
    source="the Gemini API reference, GenerateContentResponse",
    dialect=Gemini(),
    chunk=Fields(
        may={
            "candidates": Items(_CANDIDATE),
            "promptFeedback": OBJECT,
            "usageMetadata": Fields(
                may={
                    **dict.fromkeys(_COUNTS, COUNT),
                    **dict.fromkeys(_DETAILS, ARRAY),
                    "trafficType": TEXT,
                    "serviceTier": TEXT,
                }
            ),
            "modelVersion": TEXT,
            "modelStatus": OBJECT,
            "responseId": TEXT,
            "createTime": TEXT,
        }
    ),
    rules=(
        Unchanged("id-changes", ("responseId",)),
        Unchanged("model-changes", ("modelVersion",)),
        Finishes(),
    ),
    end_mark=None,
)
