"""What OpenTelemetry wants to know of an exchange beside its numbers: operation, provider, models, error.

The invariant: an attribute is what the recording says, or it is not there; the provider is known by its
host, and by the API's format where the host is nobody's.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tokentape.dialects import choose

OPERATIONS = {
    "openai-chat": "chat",
    "openai-responses": "chat",
    "openai-completions": "text_completion",
    "anthropic-messages": "chat",
    "gemini": "generate_content",
    "cohere": "chat",
    "ollama": "chat",
}
_FORMATS = {"anthropic-messages": "anthropic", "gemini": "gcp.gemini", "cohere": "cohere", "ollama": "ollama"}
_HOSTS = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "inference.ai.azure.com": "azure.ai.inference",
    "anthropic.com": "anthropic",
    "amazonaws.com": "aws.bedrock",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "cohere.com": "cohere",
    "cohere.ai": "cohere",
    "deepseek.com": "deepseek",
    "groq.com": "groq",
    "ml.cloud.ibm.com": "ibm.watsonx.ai",
    "mistral.ai": "mistral_ai",
    "moonshot.ai": "moonshot_ai",
    "moonshot.cn": "moonshot_ai",
    "perplexity.ai": "perplexity",
    "x.ai": "x_ai",
}
UNKNOWN_END = ("recorder-stopped", "damaged")


def dialect_of(row: Mapping[str, Any]) -> str | None:
    """Return the dialect of an exchange; of one that failed, the one that its path is of."""
    name = row["dialect"]
    if not isinstance(name, str) and isinstance(row["path"], str):
        name = choose(row["path"]).name
    return name if name in OPERATIONS else None


def attributes_of(row: Mapping[str, Any], dialect: str) -> dict[str, str | int]:
    """Return the attributes of an exchange that all signals have, but not `error.type`."""
    found = {
        "gen_ai.operation.name": OPERATIONS[dialect],
        "gen_ai.provider.name": _provider(row["host"], dialect),
        "gen_ai.request.model": row["model_requested"],
        "gen_ai.response.model": row["model"],
        "server.address": row["host"],
    }
    named: dict[str, str | int] = {name: value for name, value in found.items() if isinstance(value, str)}
    if "server.address" in named and not pd.isna(row["port"]):
        named["server.port"] = int(row["port"])
    return named


def error_of(row: Mapping[str, Any]) -> str | None:
    """Return `error.type`: the status of an HTTP error, else the outcome; None for a complete answer."""
    if row["outcome"] == "complete":
        return None
    return str(int(row["status"])) if row["outcome"] == "http-error" else str(row["outcome"])


def _provider(host: Any, dialect: str) -> str:
    if isinstance(host, str):
        for known, provider in _HOSTS.items():
            if host == known or host.endswith(f".{known}"):
                return provider
    return _FORMATS.get(dialect, "openai")
