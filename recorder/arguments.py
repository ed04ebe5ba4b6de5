"""What a recording is told, beside sizes and spans: checked here also where mitmproxy is not installed."""


def uncompressed(path: str) -> str:
    """Return the name of the file to record to. Raises ValueError for one that says it is compressed."""
    if path.endswith(".zst"):
        raise ValueError(
            f"a recording is not compressed while it is written: record to {path.removesuffix('.zst')}, "
            "and compress it with `tokentape convert` when it is finished"
        )
    return path


def label(text: str) -> tuple[str, str]:
    """Return the key and the value of KEY=VALUE. Raises ValueError for what is none."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError(f"expected KEY=VALUE such as run=nightly, found {text!r}")
    return key.strip(), value
