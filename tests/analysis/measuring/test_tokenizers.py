"""Tokens counted from text, with tokenizers made here: what is counted, and that nothing is downloaded."""

import base64
import hashlib
import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import msgspec
import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, recording, records, usage, usage_chunk, write
from tokentape.analysis import load
from tokentape.analysis.measuring._tokenizers import tokenizer

WORDS = {"[UNK]": 0, "hel": 1, "hello": 2, "world": 3, "why": 4, "f": 5}
PIECES = [
    (100 * MS, data(chunk({"reasoning_content": "why wh"}))),
    (200 * MS, data(chunk({"reasoning_content": "y"}))),
    (300 * MS, data(chunk({"content": "hel"}))),
    (400 * MS, data(chunk({"content": "lo world"}))),
    (500 * MS, data(chunk({}, "stop")) + data(usage_chunk(9, 30))),
    (501 * MS, DONE),
]


@pytest.fixture
def words(tmp_path):
    """A tokenizer.json of whole words."""
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(WORDS, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[UNK] $A", special_tokens=[("[UNK]", 0)]
    )
    made.enable_padding(length=50)
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    return f"tokenizers:{path}"


def row(tmp_path, pieces, tokens=None, **options):
    path = tmp_path / "one.tape"
    path.unlink(missing_ok=True)
    made = load(write(path, records(pieces, **options)), tokens=tokens)
    return made.as_dict()["streams"][0]


def test_text_is_counted_as_it_was_generated_and_not_as_it_was_cut(tmp_path, words):
    found = row(tmp_path, PIECES, words)
    # "why why" and "hello world", without special tokens and without padding
    assert (found["output_tokens"], found["tokens_from"]) == (4, "tokenizer")
    assert found["itl_ms"] == 100  # 300 ms / 3
    assert found["prompt_tokens"] == 9
    billed = row(tmp_path, PIECES)
    assert (billed["output_tokens"], billed["tokens_from"]) == (30, "usage")


def test_every_stream_is_counted_alike_with_a_bill_and_without(tmp_path, words):
    free = [piece for piece in PIECES if piece[0] < 500 * MS]
    made = load(
        write(tmp_path / "a.tape", records(PIECES), records([*free, (501 * MS, DONE)], exchange=1)),
        tokens=words,
    )
    assert made.streams["output_tokens"].tolist() == [4, 4]
    assert set(made.streams["tokens_from"]) == {"tokenizer"}
    assert made.summary().loc["output_tokens", "why"] is None


def test_reasoning_that_was_not_sent_is_not_counted(tmp_path):
    bill = {**usage(9, 30), "completion_tokens_details": {"reasoning_tokens": 28}}
    pieces = [*PIECES[2:4], (500 * MS, data({"choices": [], "usage": bill})), (501 * MS, DONE)]
    billed, counted = row(tmp_path, pieces), row(tmp_path, pieces, lambda text: len(text.split()))
    assert (billed["output_tokens"], billed["hidden_tokens"]) == (30, 28)
    assert (counted["output_tokens"], counted["hidden_tokens"]) == (2, 0)


def test_tool_calls_are_their_names_and_arguments_and_choices_stay_apart(tmp_path):
    seen = []

    def count(text):
        seen.append(text)
        return len(text)

    call = {"index": 0, "function": {"name": "f", "arguments": '{"a"'}}
    more = {"index": 0, "function": {"arguments": ":1}"}}
    pieces = [
        (100 * MS, data(chunk({"tool_calls": [call]}))),
        (150 * MS, data(chunk({"content": "b"}, index=1))),
        (200 * MS, data(chunk({"tool_calls": [more]}, "stop"))),
        (201 * MS, DONE),
    ]
    made = load(write(tmp_path / "a.tape", records(pieces)), tokens=count)
    assert seen == ['f{"a":1}', "b"]
    assert made.streams["output_tokens"].tolist() == [8, 1]


def test_sound_is_no_text_and_keeps_its_own_count(tmp_path):
    pieces = [(ns * MS, data(chunk({"audio": {"data": "AAAA"}}))) for ns in (100, 200)]
    found = row(tmp_path, [*pieces, (300 * MS, DONE)], len)
    assert (found["output_tokens"], found["tokens_from"]) == (2, "chunks")


def test_an_answer_that_was_not_streamed_is_counted_too(tmp_path):
    body = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "hello world"}}]}
    found = row(tmp_path, [(100 * MS, json.dumps(body).encode())], len, content_type="application/json")
    assert (found["output_tokens"], found["tokens_from"], found["text_chars"]) == (11, "tokenizer", 11)


@pytest.mark.parametrize("options", [{"end": "upstream-error"}, {"status": 500}])
def test_what_was_cut_is_counted_as_far_as_it_came(tmp_path, options):
    assert row(tmp_path, PIECES[:3], len, **options)["output_tokens"] == len("why why") + len("hel")


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json"])
def test_nothing_is_counted_of_what_is_damaged(tmp_path, content_type):
    made = records(
        [(100 * MS, b'{"choices":[{"index":0,"message":{"content":"a"}}]}')], content_type=content_type
    )
    path = tmp_path / "a.tape"
    write(path, [*made[:-1], msgspec.structs.replace(made[-1], chunks=2)])
    assert load(path, tokens=len).streams["output_tokens"].isna().all()


def test_a_stream_without_a_token_has_none(tmp_path):
    found = row(tmp_path, [(100 * MS, data(chunk({"role": "assistant"}, "stop"))), (101 * MS, DONE)], len)
    assert (found["output_tokens"], found["output_tokens_why"]) == (None, "role-only")


def test_half_a_surrogate_pair_is_counted_and_not_refused(words):
    assert tokenizer(words)("hello \ud83d world") == 3


def test_sources_that_are_mixed_are_said(tmp_path):
    made = load(
        write(tmp_path / "a.tape", records(PIECES), records([*PIECES[:4], (501 * MS, DONE)], exchange=1))
    )
    why = made.summary()["why"]
    assert why[["itl_ms", "output_tokens", "tokens_per_s"]].tolist() == ["chunks+usage"] * 3
    assert why[["ttft_ms", "gap_ms", "e2e_ms"]].isna().all()
    assert made.as_dict("model")["summary"]["m-1"]["itl_ms"]["why"] == "chunks+usage"
    assert recording(tmp_path, PIECES).summary()["why"].isna().all()


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ("o200k_base", "tokenizers:path/to/tokenizer.json, found 'o200k_base'"),
        ("tiktoken:", "expected a tokenizer such as"),
        ("tiktoken:nope", "o200k_base.*found 'nope'"),
        ("tokenizers:{here}/none.json", "none.json: expected a tokenizer.json: No such file"),
        ("tokenizers:{here}/text.json", "text.json: expected a tokenizer.json, found another file"),
    ],
)
def test_a_tokenizer_that_is_none_is_one_line(tmp_path, tokens, says):
    pytest.importorskip(tokens.partition(":")[0] if ":" in tokens else "tiktoken")
    (tmp_path / "text.json").write_text("{}")
    with pytest.raises(ValueError, match=says) as raised:
        load(tmp_path / "never-read.tape", tokens=tokens.format(here=tmp_path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("package", "name"), [("tiktoken", "o200k_base"), ("tokenizers", "x.json")])
def test_a_missing_package_is_said_with_what_adds_it(monkeypatch, package, name):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=rf"'{package}'.*pip install 'tokentape\[tokenizers\]'"):
        tokenizer(f"{package}:{name}")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of tiktoken's, no encoding in memory, and no network."""
    registry = pytest.importorskip("tiktoken.registry")

    def refuse(*arguments, **options):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(registry, "ENCODINGS", {})
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
    return folder


URL = "https://files.example/made-up.tiktoken"
PLUGIN = """
import os
{how}

def made_up():
    ranks = {name}(os.environ.get("MADE_UP_URL", {url!r}), expected_hash={digest!r})
    return {{"name": "made_up", "pat_str": r"\\S+|\\s+", "mergeable_ranks": ranks, "special_tokens": {{}}}}

ENCODING_CONSTRUCTORS = {{"made_up": made_up}}
"""


@pytest.fixture(
    params=[
        ("from tiktoken.load import load_tiktoken_bpe", "load_tiktoken_bpe"),
        ("from tiktoken import load", "load.load_tiktoken_bpe"),
        ("import tiktoken.load", "tiktoken.load.load_tiktoken_bpe"),
    ],
    ids=["function", "module", "package"],
)
def made_up(request, tmp_path, monkeypatch):
    """An encoding that a plugin of tiktoken's adds, with its own file: all bytes, and two merges."""
    registry = pytest.importorskip("tiktoken.registry")
    how, name = request.param
    tokens = [*(bytes([byte]) for byte in range(256)), b"he", b"hel"]
    lines = b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))
    digest = hashlib.sha256(lines).hexdigest()
    (tmp_path / "plugins" / "tiktoken_ext").mkdir(parents=True)
    (tmp_path / "plugins" / "tiktoken_ext" / "made_up.py").write_text(
        PLUGIN.format(how=how, name=name, url=URL, digest=digest)
    )
    monkeypatch.syspath_prepend(tmp_path / "plugins")
    monkeypatch.setattr(registry, "ENCODING_CONSTRUCTORS", None)
    monkeypatch.setattr(registry, "ENCODINGS", {})
    registry._available_plugin_modules.cache_clear()
    yield lines
    registry._available_plugin_modules.cache_clear()
    sys.modules.pop("tiktoken_ext.made_up", None)


def test_tiktoken_is_read_from_its_cache(tmp_path, cache, made_up):
    (cache / hashlib.sha1(URL.encode()).hexdigest()).write_bytes(made_up)
    assert row(tmp_path, PIECES, "tiktoken:made_up")["output_tokens"] == len("why why") + len("lo world") + 1
    assert tokenizer("tiktoken:made_up")("<|endoftext|>") == 13  # text, whatever it looks like


def test_the_cache_is_where_tiktoken_itself_puts_it(cache, made_up, monkeypatch):
    from tiktoken import load as tiktoken_load

    with monkeypatch.context() as patched:
        patched.setattr(tiktoken_load, "read_file", lambda url: made_up)
        tiktoken_load.read_file_cached(URL)
    assert tokenizer("tiktoken:made_up")("hel") == 1


@pytest.mark.parametrize("name", ["o200k_base", "gpt2", "made_up"])
def test_what_tiktoken_has_not_cached_is_not_fetched_but_said(cache, made_up, name):
    with pytest.raises(ValueError, match="tokentape downloads nothing") as raised:
        tokenizer(f"tiktoken:{name}")
    said = str(raised.value)
    assert str(cache) in said
    assert f"tiktoken.get_encoding('{name}')" in said
    assert "\n" not in said
    assert not list(cache.iterdir())


def test_a_file_that_is_not_the_encodings_is_refused_and_kept(cache, made_up):
    path = cache / hashlib.sha1(URL.encode()).hexdigest()
    path.write_bytes(made_up[:-1])
    with pytest.raises(ValueError, match="found a file with another SHA-256"):
        tokenizer("tiktoken:made_up")
    assert path.read_bytes() == made_up[:-1]


def test_no_server_is_asked_for_a_file_that_is_not_cached(tmp_path, made_up, monkeypatch):
    asked = []

    class Files(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(made_up)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        monkeypatch.setenv("MADE_UP_URL", f"http://127.0.0.1:{server.server_port}/made-up.tiktoken")
        for folder in (tmp_path / "none", ""):  # "" is tiktoken's word for no cache at all
            monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
            with pytest.raises(ValueError, match="tokentape downloads nothing") as raised:
                tokenizer("tiktoken:made_up")
            assert "\n" not in str(raised.value)
        server.shutdown()
        thread.join(10)
    assert asked == []


def in_another_thread(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(10)


def test_other_threads_have_tiktoken_as_it_is_meanwhile(tmp_path, cache, made_up, monkeypatch):
    import tiktoken
    from tiktoken import load as tiktoken_load

    before = {**vars(tiktoken_load)}
    path = str(tmp_path / "theirs.tiktoken")
    (tmp_path / "theirs.tiktoken").write_bytes(made_up)
    monkeypatch.setitem(
        sys.modules, "blobfile", SimpleNamespace(read_bytes=lambda url: url.encode() + b" is read")
    )
    found, kept = [], []

    class Environment(dict):  # is asked for the folder while the file is looked for
        def get(self, *arguments):
            if not kept:
                kept.append(tiktoken_load.read_file)
                found.append(in_another_thread(lambda: tiktoken_load.read_file(path)))
                found.append(in_another_thread(lambda: tiktoken_load.read_file("file:///a")))
                found.append(in_another_thread(lambda: tiktoken_load.read_file_cached(path)))
            return super().get(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr("tokentape.analysis.measuring._tokenizers.os.environ", Environment(os.environ))
        with pytest.raises(ValueError, match="downloads nothing"):
            tokenizer("tiktoken:made_up")
    assert found == [made_up, b"file:///a is read", made_up]
    assert vars(tiktoken_load) == before
    assert kept[0](path) == made_up  # whoever kept what was there meanwhile reads with it, in any thread
    monkeypatch.setattr(tiktoken_load, "read_file", lambda url: made_up)
    assert tiktoken.get_encoding("made_up").encode("hel") == [257]


def test_a_tokenizer_is_read_anew_when_its_file_is_another(tmp_path, words):
    assert row(tmp_path, PIECES, words)["output_tokens"] == 4
    path = tmp_path / "tokenizer.json"
    made = json.loads(path.read_text())
    made["pre_tokenizer"] = None
    path.write_text(json.dumps(made))
    assert row(tmp_path, PIECES, words)["output_tokens"] == 2  # "why why" is one now, and "hello world"


def test_a_tokenizer_may_be_any_callable(tmp_path):
    class Words(list):  # has no hash
        def __call__(self, text):
            return len(text.split())

    assert row(tmp_path, PIECES, Words())["output_tokens"] == 4
