"""What real clients see of a stream: the bytes on the wire, and the chunks that `openai` makes of them."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import openai

MESSAGES = [{"role": "user", "content": "Say something."}]


def raw_body(url: str, model: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of a request, as the standard library's client has them."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(
            "POST",
            "/v1/chat/completions",
            json.dumps({"messages": MESSAGES, "model": model, "stream": True}),
            {"content-type": "application/json", "authorization": "Bearer " + "k" * 20},
        )
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()


def openai_client(url: str, **options: Any) -> openai.OpenAI:
    """Return the official client, unmodified; loopback is reached directly whatever proxies are set."""
    http_client = openai.DefaultHttpxClient(trust_env=False)
    return openai.OpenAI(
        base_url=f"{url}/v1", api_key="k" * 20, http_client=http_client, timeout=30, **options
    )


def completion(url: str, model: str) -> list[Any]:
    """Return every chunk of a streamed completion, and the error if it ends with one."""
    with openai_client(url) as client:
        seen: list[Any] = []
        try:
            stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
            seen.extend(chunk.model_dump() for chunk in stream)
        except openai.APIError as error:
            seen.append((type(error).__name__, str(error)))
        return seen
