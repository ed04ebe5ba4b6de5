"""Recordings for pages: two models, all that can go wrong, and names that strangers have chosen."""

from pathlib import Path
from typing import Any

from tests.analysis.tapes import DONE, MS, chunk, data, records, usage_chunk, write
from tokentape.analysis import Recording, load

MODELS = ("model-a", "model-b")
HOSTILE = (
    "</script><script>window.broken = 1</script>",
    '<a href="https://evil.example/">x</a>',
    "<img src=http://evil.example/x onerror=window.broken=1>",
    "\"'><b>bold</b>",
    "&lt;&amp;{{ 7 * 7 }}{% raw %}",
    "line\u2028separator\u202eturned\x00\x1b[31m",
    "$x^2$ %{y} ${window.broken}",
)


def pieces(
    model: str, ttft_ms: int, gap_ms: int, tokens: int, *, stall_ms: int = 0
) -> list[tuple[int, bytes]]:
    """A stream that ends well."""
    found, at = [], ttft_ms
    for token in range(tokens):
        delta = {"reasoning_content": "hm"} if token < tokens // 3 else {"content": "word "}
        found.append((at * MS, data({**chunk(delta), "model": model})))
        at += gap_ms + (stall_ms if token == tokens // 2 else 0)
    found.append((at * MS, data({**chunk({}, "stop"), "model": model})))
    found.append(((at + 1) * MS, data(usage_chunk(100, tokens) | {"model": model})))
    return [*found, ((at + 2) * MS, DONE)]


def tape(path: Path, *, slower: float = 1.0, names: tuple[str, ...] = MODELS, n: int = 18) -> Path:
    """A cassette with `n` requests to these models; every eighth is refused, every ninth cut, one is slow."""
    exchanges: list[list[Any]] = []
    for number in range(n):
        model = names[number % len(names)]
        ttft_ms = round((100 + 7 * (number * 5 % 13)) * (1 + number % 2) * slower)
        whole = pieces(model, ttft_ms, 10 + number % 7, 6 + number % 5, stall_ms=500 if number == 4 else 0)
        if number % 8 == 7:
            refused = data({"error": {"message": f"slow down {model}"}})
            exchanges.append(records([(50 * MS, refused)], exchange=number, status=429))
        elif number % 9 == 8:
            exchanges.append(records(whole[:3], exchange=number, end="upstream-error"))
        else:
            exchanges.append(records(whole, exchange=number, body=f'{{"n":{number}}}'.encode()))
    return write(path, *exchanges)


def recording(folder: Path, **options: object) -> Recording:
    """What `load` makes of such a cassette."""
    return load(tape(folder / "session.tape", **options))  # type: ignore[arg-type]
