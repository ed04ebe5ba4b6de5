import base64
import gzip
import json
import os
import subprocess
import sys

import pytest
import yaml

from tests.cassette.formats.files import imported
from tokentape import cassette
from tokentape.cassette.formats import NotTheFormat, _vcr, convert

BODY = "data: 你好\n\ndata: [DONE]\n\n".encode()


def interaction(body=BODY, headers=None, *, request_body=b'{"model": "m"}', **response):
    return {
        "request": {
            "method": "POST",
            "uri": "https://api.example:8443/v1/chat/completions?a=1#top",
            "body": request_body,
            "headers": {"Content-Type": ["application/json"], "X-Twice": ["1", "2"]},
        },
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"Content-Type": ["text/event-stream"]} if headers is None else headers,
            "body": {"string": body},
        }
        | response,
    }


def saved(*interactions, dump=yaml.dump):
    return dump({"interactions": list(interactions), "version": 1}).encode()


def only(data, lost=None):
    (exchange,) = cassette.exchanges(imported(_vcr, data, lost))
    return exchange


@pytest.mark.parametrize("body", [BODY, BODY.decode()], ids=["binary", "string"])
def test_an_interaction_is_an_exchange_without_times(body):
    lost: list[str] = []
    exchange = only(saved(interaction(body)), lost)
    request, response = exchange.request, exchange.response
    assert lost == []
    assert request.times == "none"
    assert {request.t, request.t_end, response.t, exchange.end.t, exchange.chunks[0].t} == {0}
    assert (request.scheme, request.host, request.port) == ("https", "api.example", 8443)
    assert request.path == b"/v1/chat/completions?a=1"
    assert request.headers == ((b"Content-Type", b"application/json"), (b"X-Twice", b"1"), (b"X-Twice", b"2"))
    assert (request.method, request.body) == ("POST", b'{"model": "m"}')
    assert (response.status, response.reason) == (200, b"OK")
    assert response.headers == ((b"Content-Type", b"text/event-stream"),)
    assert exchange.body == BODY
    assert exchange.end == cassette.End(exchange=0, t=0, reason="complete", chunks=1, bytes=len(BODY))
    assert exchange.section.labels == {"imported-from": "vcrpy"}


def test_interactions_keep_their_order():
    records = imported(_vcr, saved(*[interaction(str(number)) for number in range(12)]))
    chunks = [each for each in records if isinstance(each, cassette.Chunk)]
    assert [(each.exchange, each.data.decode()) for each in chunks] == [(n, str(n)) for n in range(12)]
    assert records[-1] == cassette.Close(t=0, exchanges=12, chunks=12, bytes=14)


GZIPPED = {"content-encoding": ["gzip"], "Content-Length": ["99"]}


def test_a_gzipped_body_stays_so():
    exchange = only(saved(interaction(gzip.compress(BODY), GZIPPED)))
    assert b"".join(cassette.decoded(exchange)[0]) == BODY
    assert dict(exchange.response.headers)[b"content-encoding"] == b"gzip"


@pytest.mark.parametrize("coding", ["gzip", "zstd", "br", "deflate", "gzip, br"])
def test_a_body_that_was_decoded_and_whose_header_was_kept_is_told(coding):
    exchange = only(saved(interaction(BODY, {"content-encoding": [coding], "Content-Length": ["99"]})))
    assert exchange.response.headers == ((b"Content-Length", str(len(BODY)).encode()),)
    assert cassette.decoded(exchange) == ([BODY], None)


def test_json_of_vcrpy_is_read_too():
    data = saved(interaction(BODY.decode(), request_body="{}"), dump=json.dumps)
    assert only(data).body == BODY


def test_what_older_versions_wrote_for_httpx_is_read():
    old = interaction()
    old["response"] = {
        "content": BODY.decode(), "headers": {"content-type": ["text/event-stream"]},
        "http_version": "HTTP/2", "status_code": 201,
    }  # fmt: skip
    exchange = only(saved(old))
    assert (exchange.response.status, exchange.response.http_version) == (201, "HTTP/2")
    assert exchange.body == BODY


def test_headers_may_be_plain_and_bodies_base64_or_parsed():
    odd = interaction(
        {"base64_string": base64.b64encode(BODY).decode()}, {"a": "b"}, request_body={"model": "m"}
    )
    odd["response"]["body"] = odd["response"]["body"]["string"]
    exchange = only(saved(odd))
    assert exchange.body == BODY
    assert exchange.response.headers == ((b"a", b"b"),)
    assert exchange.request.body == b'{"model": "m"}'


def test_nothing_that_a_file_holds_is_run(tmp_path):
    mark = tmp_path / "run"
    text = f"interactions:\n- request: !!python/object/apply:os.system ['touch {mark}']\nversion: 1\n"
    with pytest.raises(NotTheFormat, match=r"could not determine a constructor"):
        imported(_vcr, text.encode())
    assert not mark.exists()


def test_the_tags_that_vcrpy_reads_are_read():
    text = """
interactions:
- request:
    body: !!python/object/new:_io.BytesIO
      state: !!python/tuple [!!binary "e30=", 0, null]
    headers: {a: [!!python/unicode 'b']}
    method: POST
    uri: http://a/
  response: {body: {string: ''}, headers: {}, status: {code: 200, message: OK}}
- request:
    body: !!python/object/apply:builtins.iter
      args: [[!!binary "e30=", "x"]]
    headers: {}
    method: POST
    uri: http://a/
  response: {body: {string: ''}, headers: {}, status: {code: 200, message: OK}}
version: 1
"""
    requests = [each for each in imported(_vcr, text.encode()) if isinstance(each, cassette.Request)]
    assert [each.body for each in requests] == [b"{}", b"{}x"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": None}, "response.status: expected a mapping, found None"),
        (
            {"status": {"code": "200"}},
            "response.status: expected a number such as 200, found text of 3 characters",
        ),
        ({"headers": [1]}, "response.headers: expected a mapping, found a list of 1"),
        ({"body": 5}, "response.body: expected text or bytes, found 5"),
    ],
)
def test_an_interaction_that_is_none_is_said_and_the_others_are_taken(change, says):
    lost: list[str] = []
    assert only(saved(interaction(**change), interaction()), lost).body == BODY
    assert lost == [f"a file: interaction 0: {says}"]


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"- 1\n", b"a: b", b"{", b"\xff", b"interactions: 5", b"\t- x: ["]
)
def test_another_file_is_another_format(data):
    with pytest.raises(NotTheFormat, match="a file: expected a cassette of vcrpy"):
        imported(_vcr, data)


def test_a_cassette_from_before_version_1_names_the_command_that_migrates_it():
    with pytest.raises(NotTheFormat, match=r"python3 -m vcr\.migration a file"):
        imported(_vcr, yaml.dump([interaction()]).encode())


def test_no_cut_loses_anything_silently():
    data = saved(*[interaction(f"data: {number}\n\n") for number in range(3)])
    first = data.index(b"\n- ", data.index(b"\n- ") + 1)
    for cut in range(first + 4, len(data) - len(b"version: 1\n") + len(b"version:")):
        lost: list[str] = []
        found = [each for each in imported(_vcr, data[:cut], lost) if isinstance(each, cassette.Chunk)]
        assert found[0].data == b"data: 0\n\n"
        assert lost


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
@pytest.mark.parametrize("loader", ["C", "Python"])
def test_yaml_of_any_depth_is_one_line(opening, loader, tmp_path):
    """In a process of its own: libyaml's composer would end it."""
    path = tmp_path / "deep.yaml"
    path.write_text(opening * 100_000)
    program = (
        "import sys, yaml\n"
        f"if {loader!r} == 'Python': del yaml.CSafeLoader\n"
        "from tokentape.cassette.formats import convert, NotTheFormat\n"
        "try: convert(sys.argv[1], sys.argv[2], read_as='vcr', write_as='tape')\n"
        "except NotTheFormat as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path, tmp_path / "o.tape"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == (
        f"{path}: expected a cassette of vcrpy: expected at most {_vcr.MAX_DEPTH} levels, found more\n"
    )
    assert os.listdir(tmp_path) == ["deep.yaml"]


def test_a_mapping_in_braces_is_yaml_in_a_file_of_that_name(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("{version: 1, interactions: []}")
    done = convert(path, tmp_path / "o.tape", read_as="vcr", write_as="tape")
    assert (done.exchanges, done.lost) == (0, [])


@pytest.mark.parametrize("base", ["CSafeLoader", "SafeLoader"])
def test_what_is_no_yaml_is_said_without_what_stands_there(base):
    secret = "hunter2" + "secret"
    program = (
        "import io, yaml\n"
        f"yaml.CSafeLoader = yaml.{base}\n"
        "from tokentape.cassette.formats import _vcr, NotTheFormat\n"
        f"try: list(_vcr.read(io.BytesIO(b'a: b\\nkey: {secret}: ['), 'a.yaml', []))\n"
        "except NotTheFormat as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "mapping values are not allowed" in done.stdout
    assert "in line 2" in done.stdout
    assert secret not in done.stdout
