import json
import shlex
import signal
import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from click.testing import CliRunner

from tests.cli.test_replay import read, replaying, stop
from tests.replay.recordings import exchange, tape
from tokentape.cli import main

BODY = b'{"model":"m","stream":true}'


def settings(words):
    """What the command says that a client needs."""
    lines = [shlex.split(line) for line in words.splitlines() if line.startswith("  export ")]
    return dict(setting.split("=", 1) for _, *found in lines for setting in found)


def ask(url, **options):
    with httpx.Client(trust_env=False, timeout=20, **options) as client:
        return client.post(f"{url}/chat/completions", content=BODY).text


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0", "localhost:0"])
def test_a_self_made_certificate_is_for_where_it_listens_and_is_said(tmp_path, listen):
    path = tape(tmp_path / "a.tape", exchange())
    confdir = tmp_path / "authority of ours"
    with replaying(path, "--tls", "--confdir", confdir, "--listen", listen) as (process, url):
        found = settings(read(process.words))
        assert url.startswith("https://")
        assert found["OPENAI_BASE_URL"] == f"{url}/v1"
        names = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        assert [found[name] for name in names] == [str(confdir / "mitmproxy-ca-cert.pem")] * 4
        trusting = ssl.create_default_context(cafile=found["SSL_CERT_FILE"])
        assert "[DONE]" in ask(found["OPENAI_BASE_URL"], verify=trusting)
        out, err = stop(process, signal.SIGINT)
    assert process.returncode == 0
    assert "served 1, missed 0" in out
    assert "Traceback" not in err


def test_a_given_certificate_needs_nothing_else(tmp_path):
    ca = trustme.CA()
    made = ca.issue_cert("127.0.0.1")
    made.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    path = tape(tmp_path / "a.tape", exchange())
    with replaying(path, "--tls-cert", tmp_path / "both.pem") as (process, url):
        assert settings(read(process.words)) == {"OPENAI_BASE_URL": f"{url}/v1"}
        trusting = ssl.create_default_context()
        ca.configure_trust(trusting)
        assert "[DONE]" in ask(f"{url}/v1", verify=trusting)
        _, err = stop(process, signal.SIGINT)
    imported = {
        line.rpartition("|")[2].strip() for line in err.splitlines() if line.startswith("import time:")
    }
    assert not imported & {"mitmproxy", "cryptography", "trustme", "pandas"}


def test_as_a_proxy_it_says_what_record_says_and_counts_what_it_refused(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    with replaying(path, "--proxy", "--json", "--confdir", tmp_path / "ca") as (process, url):
        found = settings(read(process.words))
        assert found["HTTPS_PROXY"] == found["HTTP_PROXY"] == url
        trusting = ssl.create_default_context(cafile=found["SSL_CERT_FILE"])
        through = {"proxy": url, "verify": trusting}
        assert "[DONE]" in ask("https://api.example/v1", **through)
        with pytest.raises(httpx.ProxyError, match="403"):
            ask("https://other.example/v1", **through)
        out, err = stop(process, signal.SIGINT)
    stats = json.loads(out)
    assert (stats["hits"], stats["misses"]) == (1, 1)
    assert stats["missed"] == [{"method": "CONNECT", "path": "other.example:443", "times": 1, "status": 403}]
    assert err.count("this proxy answers for api.example:443") == 1


@pytest.mark.parametrize("option", ["--tls", "--proxy"])
def test_several_processes_do_it_as_one_would(tmp_path, option):
    path = tape(tmp_path / "a.tape", exchange())
    arguments = (option, "--json", "--workers", "2", "--confdir", tmp_path / "ca")
    with replaying(path, *arguments) as (process, url):
        found = settings(read(process.words))
        trusting = ssl.create_default_context(cafile=found["SSL_CERT_FILE"])
        through = {"proxy": url} if option == "--proxy" else {}
        base_url = found.get("OPENAI_BASE_URL", "https://api.example/v1")
        for _ in range(6):
            assert "[DONE]" in ask(base_url, verify=trusting, **through)
        if through:
            for _ in range(6):
                with pytest.raises(httpx.ProxyError, match="403"):
                    ask("https://other.example/v1", verify=trusting, **through)
        out, _ = stop(process, signal.SIGINT)
    stats = json.loads(out)
    assert stats["hits"] == 6
    assert [(missed["status"], missed["times"]) for missed in stats["missed"]] == [(403, 6)] * len(through)


def test_both_verbs_say_the_same_of_a_proxy(tmp_path):
    from tokentape.cli._recording import what_to_set

    authority = tmp_path / "mitmproxy-ca-cert.pem"
    lines = what_to_set(None, "http://h:1", ("confdir=elsewhere", "x=y", f"confdir={tmp_path}"))
    assert lines[0] == "export HTTPS_PROXY=http://h:1 HTTP_PROXY=http://h:1"
    assert lines[1].startswith(f"export SSL_CERT_FILE={authority} NODE_EXTRA_CA_CERTS={authority} ")
    assert str(Path.home()) in what_to_set(None, "http://h:1")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--tls", "--proxy"], 2, "expected one of --proxy, --tls and --tls-cert, found several"),
        (["--tls", "--tls-cert", "a.pem"], 2, "expected one of --proxy, --tls and --tls-cert, found several"),
        (["--tls-key", "a.pem"], 2, "expected --tls-cert beside --tls-key, found none"),
        (["--tls-cert", "nowhere.pem"], 1, "nowhere.pem: No such file or directory"),
        (["--tls-cert", __file__], 1, f"{__file__}: expected a certificate as PEM, found none"),
        (["--tls", "--confdir", __file__], 1, __file__),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, arguments, code, words):
    result = CliRunner().invoke(main, ["replay", str(tape(tmp_path / "a.tape", exchange())), *arguments])
    assert result.exit_code == code
    assert result.output.splitlines()[-1].startswith("Error: ")
    assert words in result.output.splitlines()[-1]


@pytest.mark.parametrize("option", ["--tls", "--proxy"])
def test_without_mitmproxy_it_says_what_to_install(tmp_path, monkeypatch, option):
    import sys

    monkeypatch.setitem(sys.modules, "mitmproxy.certs", None)
    result = CliRunner().invoke(main, ["replay", str(tape(tmp_path / "a.tape", exchange())), option])
    assert result.exit_code == 1
    assert "pip install 'tokentape[record]'" in result.output


def test_an_explanation_makes_no_authority(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    config = tmp_path / "served.toml"
    config.write_text(f"[replay]\nproxy = true\nconfdir = '{tmp_path / 'ca'}'\n")
    result = CliRunner().invoke(main, ["replay", str(path), "--config", str(config), "--explain"])
    assert result.exit_code == 0
    assert not (tmp_path / "ca").exists()
