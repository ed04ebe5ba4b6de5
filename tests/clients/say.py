"""Says what an SDK makes of one streamed answer: `say.py SDK URL` writes its text, reasoning and tool calls.

SDK is `google-genai`, `cohere` or `ollama`, each of which is asked in the way that its documentation shows.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator

MESSAGES = [{"role": "user", "content": "go"}]


def google_genai(url: str) -> Iterator[tuple[str, str]]:
    from google import genai

    client = genai.Client(api_key="none", http_options={"base_url": url})
    for chunk in client.models.generate_content_stream(model="m", contents="go"):
        for part in chunk.candidates[0].content.parts or []:
            if part.function_call:
                yield "tool_call", part.function_call.name + _compact(part.function_call.args)
            elif part.text:
                yield "reasoning" if part.thought else "content", part.text


def cohere(url: str) -> Iterator[tuple[str, str]]:
    from cohere import ClientV2

    for event in ClientV2(api_key="none", base_url=url).chat_stream(model="m", messages=MESSAGES):
        match event.type:
            case "content-delta":
                content = event.delta.message.content
                yield "reasoning", content.thinking or ""
                yield "content", content.text or ""
            case "tool-call-start" | "tool-call-delta":
                function = event.delta.message.tool_calls.function
                yield "tool_call", (getattr(function, "name", None) or "") + (function.arguments or "")


def ollama(url: str) -> Iterator[tuple[str, str]]:
    from ollama import Client

    for line in Client(host=url).chat(model="m", messages=MESSAGES, stream=True):
        yield "reasoning", line.message.thinking or ""
        yield "content", line.message.content or ""
        for call in line.message.tool_calls or []:
            yield "tool_call", call.function.name + _compact(call.function.arguments)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    sdk, url = sys.argv[1:]
    said: dict[str, str] = defaultdict(str)
    for kind, text in {"google-genai": google_genai, "cohere": cohere, "ollama": ollama}[sdk](url):
        said[kind] += text
    sys.stdout.write(json.dumps({kind: text for kind, text in said.items() if text}))
