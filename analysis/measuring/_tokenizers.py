"""Tokens counted from text by a tokenizer that the user names: where none are billed, or to count all alike.

The guarantee: nothing is downloaded. tiktoken fetches what it has not cached; here it reads its cache, or one
line says what to run, what would be fetched, and where the file belongs. Its two functions that read a file
are replaced for the time of a call, and for the thread that calls: others in this process, which may be using
tiktoken too, get what they had. A plugin that fetches by other means than `tiktoken.load` is not held back.

What is counted is the text that was streamed. All of one kind (content, reasoning, tool calls ...) is put
together first, so that a token that was cut between two events is one. Events with several kinds at once are
a kind of their own. A tool call is its name and arguments, without what a chat template has around them.
Reasoning that was never sent, and sound, are no text and are not counted.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock, get_ident
from typing import TypeAlias

from tokentape.analysis.measuring._answer import Answer, Choice
from tokentape.analysis.measuring._token_stream import TokenStream
from tokentape.dialects import TOKEN

Count: TypeAlias = Callable[[str], int]
"""From a text to its number of tokens."""
Tokens: TypeAlias = str | Count
"""A tokenizer: `tiktoken:NAME`, `tokenizers:FILE`, or a function."""

_lock = Lock()
"""Held while tiktoken's functions are replaced, so that what is put back is always its own."""


def tokenizer(tokens: Tokens | None) -> Count | None:
    """Return how to count tokens, None for None.

    Raises ValueError for a tokenizer that does not exist or is not here, and ModuleNotFoundError, with what
    to install, for one whose package is missing.
    """
    if tokens is None or callable(tokens):
        return tokens
    kind, _, name = tokens.partition(":")
    if kind == "tiktoken" and name:
        return _tiktoken(name)
    if kind == "tokenizers" and name:
        return _tokenizers(name)
    raise ValueError(
        "expected a tokenizer such as tiktoken:o200k_base or tokenizers:path/to/tokenizer.json, "
        f"found {tokens!r}"
    )


def recounted(stream: TokenStream, answer: Answer, count: Count) -> TokenStream:
    """Return the stream with its tokens counted from its text; one without text stays as it is."""
    texts = _texts(stream.choice, answer) if stream.token_ns or not answer.is_stream else []
    if not texts:
        return stream
    tokens = sum(map(count, texts))
    return replace(
        stream,
        output_tokens=tokens,
        tokens_from="tokenizer",
        hidden_tokens=0,
        withheld=False,
        billed_together=False,
    )


def _texts(choice: int, answer: Answer) -> list[str]:
    """Return the text of each kind that a choice has."""
    if not answer.is_stream:
        return [text for text in [answer.choices.get(choice, Choice()).text] if text]
    rows = answer.rows
    found: dict[int, list[str]] = {}
    for of, carries, text in zip(rows.choice, rows.carries, rows.text, strict=True):
        if of == choice and text:
            found.setdefault(carries & TOKEN, []).append(text)
    return ["".join(texts) for texts in found.values()]


def _tokenizers(path: str) -> Count:
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError as error:
        raise _missing("tokenizers", error) from error
    try:
        with open(path, "rb") as file:
            found = Tokenizer.from_buffer(file.read())
    except OSError as error:
        raise ValueError(f"{path}: expected a tokenizer.json: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001  (what the package raises for a file that is none)
        raise ValueError(f"{path}: expected a tokenizer.json, found another file: {error}") from None
    found.no_truncation()
    found.no_padding()

    def count(text: str) -> int:
        return len(found.encode(_whole(text), add_special_tokens=False).ids)

    return count


def _tiktoken(name: str) -> Count:
    try:
        import tiktoken  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError as error:
        raise _missing("tiktoken", error) from error
    with _lock, _without_network(name):
        names = tiktoken.list_encoding_names()
        if name not in names:
            raise ValueError(f"expected an encoding of tiktoken ({', '.join(sorted(names))}), found {name!r}")
        encoding = tiktoken.get_encoding(name)

    def count(text: str) -> int:
        return len(encoding.encode_ordinary(_whole(text)))

    return count


def _whole(text: str) -> str:
    """Return the text without halves of surrogate pairs, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


@contextmanager
def _without_network(name: str) -> Iterator[None]:
    """Have tiktoken read its cache, where its own way to a file looks, and nothing else in this thread."""
    from tiktoken import load  # noqa: PLC0415  (an extra)

    their_cached, their_read = before = load.read_file_cached, load.read_file
    here = {get_ident()}

    def cached(blobpath: str, expected_hash: str | None = None) -> bytes:
        if get_ident() not in here:
            return their_cached(blobpath, expected_hash)
        path = _cache_path(blobpath)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            raise ValueError(_not_here(name, blobpath, path, "no such file")) from None
        if expected_hash and hashlib.sha256(data).hexdigest() != expected_hash:
            raise ValueError(_not_here(name, blobpath, path, "a file with another SHA-256"))
        return data

    def read(blobpath: str) -> bytes:
        if get_ident() not in here:
            return their_read(blobpath)
        raise ValueError(_not_here(name, blobpath, _cache_path(blobpath), "no such file"))

    load.read_file_cached, load.read_file = cached, read
    try:
        yield
    finally:
        load.read_file_cached, load.read_file = before
        here.clear()  # whoever kept one of these has theirs again


def _cache_path(url: str) -> str:
    named = (os.environ.get(name) for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"))
    folder = next((each for each in named if each is not None), None)
    if folder is None:
        folder = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    return os.path.join(folder, hashlib.sha1(url.encode()).hexdigest())  # noqa: S324  (tiktoken's names)


def _not_here(name: str, url: str, path: str, found: str) -> str:
    return (
        f"expected tiktoken's file for {name} at {path}, found {found}; tokentape downloads nothing: run "
        f"python -c \"import tiktoken; tiktoken.get_encoding('{name}')\", or put {url} there "
        "(TIKTOKEN_CACHE_DIR names the folder)"
    )


def _missing(package: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"counting tokens needs the package {package!r}, which is not installed; "
        "add it with: pip install 'tokentape[tokenizers]'",
        name=error.name,
    )
