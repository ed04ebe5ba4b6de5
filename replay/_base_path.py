"""Which base URL a client must be given so that it asks for the paths that were recorded."""

from collections import Counter
from collections.abc import Iterable

# What SDKs add to their base URL. Anthropic's adds the version as well, the others' have it in the base.
_ENDPOINTS = (
    b"/chat/completions",
    b"/v1/messages",
    b"/completions",
    b"/responses",
    b"/embeddings",
    b"/models",
)


def base_path(paths: Iterable[bytes]) -> str:
    """Return the path of the base URL for recorded paths: what most of them have before the endpoint.

    `/v1` for `/v1/chat/completions`; "" where no known endpoint was asked for.
    """
    found: Counter[bytes] = Counter()
    for path in paths:
        plain = path.partition(b"?")[0]
        for endpoint in _ENDPOINTS:
            prefix, asked, _ = plain.partition(endpoint)
            if asked:
                found[prefix] += 1
                break
    return found.most_common(1)[0][0].decode("utf-8", "replace") if found else ""
