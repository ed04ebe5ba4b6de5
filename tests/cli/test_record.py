"""Bad input of `tokentape record`: one line, a non-zero exit, and nothing touched."""

import socket
import subprocess

import pytest

from tests.e2e.processes import run
from tokentape.cli._recording import what_to_set


def line_of(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com",
        "127.0.0.1:8000",
        "ftp://host",
        "http://",
        "http://h:x",
    ],
)
def test_an_upstream_without_scheme_or_host_is_a_usage_error(url, tmp_path):
    done = run("record", "--upstream", url, "-o", tmp_path / "a.tape", check=False)
    assert done.returncode == 2
    assert "expected a URL such as https://api.openai.com" in line_of(done)
    assert repr(url) in line_of(done)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://bob:{}@host", "found one with an @; credentials belong"),
        ("https://bob:{}@[x", "found one with an @; credentials belong"),
        ("bob:{}@host", "found one with an @; credentials belong"),
        ("http://h/v1?key={}", "found one with a query; it belongs"),
        ("http://h/v1#{}", "found one with a query; it belongs"),
    ],
)
def test_an_upstream_with_credentials_is_not_shown(url, says, tmp_path):
    secret = "hunter2" + "secret"
    done = run("record", "--upstream", url.format(secret), "-o", tmp_path / "a.tape", check=False)
    assert done.returncode == 2
    assert says in line_of(done)
    assert secret not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--proxy", "--upstream", "http://h"]])
def test_exactly_one_way_to_stand_in_between_is_asked_for(arguments, tmp_path):
    done = run("record", *arguments, "-o", tmp_path / "a.tape", check=False)
    assert done.returncode == 2
    assert "either --upstream URL or --proxy" in line_of(done)


@pytest.mark.parametrize("address", ["8080", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", ":1"])
def test_an_address_that_is_none_is_a_usage_error(address, tmp_path):
    done = run("record", "--proxy", "-o", tmp_path / "a.tape", "--listen", address, check=False)
    assert done.returncode == 2
    assert "expected HOST:PORT" in line_of(done)


def test_an_existing_output_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.tape"
    path.write_text("precious")
    done = run("record", "--proxy", "-o", path, check=False)
    assert done.returncode == 1
    assert line_of(done) == (
        f"Error: {path} exists; choose another name, "
        "or add --append to go on in it or --overwrite to replace it"
    )
    assert path.read_text() == "precious"


def test_a_port_in_use_is_said_and_costs_no_old_recording(tmp_path):
    path = tmp_path / "a.tape"
    path.write_text("precious")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listen = f"127.0.0.1:{port}"
        done = run("record", "--proxy", "-o", path, "--overwrite", "--listen", listen, check=False)
    assert done.returncode == 1
    assert line_of(done).startswith(
        f"Error: cannot listen on {listen}: address already in use; choose another"
    )
    assert path.read_text() == "precious"


def test_an_address_of_another_machine_is_said(tmp_path):
    path = tmp_path / "a.tape"
    done = run("record", "--proxy", "-o", path, "--listen", "192.0.2.1:0", check=False)
    assert done.returncode == 1
    assert line_of(done).startswith("Error: cannot listen on 192.0.2.1:0: ")
    assert line_of(done).endswith("; choose another address (port 0 picks a free one)")
    assert not path.exists()


def test_a_compressed_cassette_is_no_output(tmp_path):
    done = run("record", "--proxy", "-o", tmp_path / "a.tape.zst", check=False)
    assert done.returncode == 2
    assert f"record to {tmp_path / 'a.tape'}, and compress it with `tokentape convert`" in line_of(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"precious", b"\x28\xb5\x2f\xfd precious"])
def test_what_is_no_cassette_is_not_appended_to(tmp_path, content):
    path = tmp_path / "a.tape"
    path.write_bytes(content)
    done = run("record", "--proxy", "-o", path, "--append", "--listen", "127.0.0.1:0", check=False)
    assert done.returncode == 1
    assert line_of(done).startswith(f"Error: cannot append to {path}: expected a cassette")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rotate-size", "large"),
        ("--rotate-size", "0"),
        ("--rotate-every", "10"),
        ("--rotate-every", "0s"),
        ("--label", "nightly"),
        ("--label", "=nightly"),
        ("--on-write-error", "panic"),
    ],
)
def test_a_value_that_means_nothing_is_a_usage_error(tmp_path, option, value):
    done = run("record", "--proxy", "-o", tmp_path / "a.tape", option, value, check=False)
    assert done.returncode == 2
    assert option in line_of(done)
    assert repr(value) in line_of(done)


def test_a_file_is_not_replaced_and_gone_on_with_at_once(tmp_path):
    done = run("record", "--proxy", "-o", tmp_path / "a.tape", "--append", "--overwrite", check=False)
    assert done.returncode == 2
    assert "either --append or --overwrite" in line_of(done)


def test_a_pipe_is_no_output(tmp_path):
    done = run("record", "--proxy", "-o", "-", check=False)
    assert done.returncode == 2
    assert "name of a file" in line_of(done)


def test_an_output_that_cannot_be_written_is_said(tmp_path):
    path = tmp_path / "none" / "a.tape"
    done = run("record", "--proxy", "-o", path, "--listen", "127.0.0.1:0", check=False)
    assert done.returncode == 1
    assert line_of(done) == f"Error: cannot record to {path}: No such file or directory"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--filter", "~u (", "tape_filter"), ("--set", "no_such_option=1", "no_such_option")],
)
def test_a_filter_or_setting_that_mitmproxy_refuses_is_said(option, value, said, tmp_path):
    path = tmp_path / "a.tape"
    done = run("record", "--proxy", "-o", path, "--listen", "127.0.0.1:0", option, value, check=False)
    assert done.returncode == 1
    assert said in line_of(done)
    assert not path.exists()


def test_the_cassette_is_not_named_twice(tmp_path):
    done = run("record", "--proxy", "-o", tmp_path / "a.tape", "--set", "tape_out=b.tape", check=False)
    assert done.returncode == 2
    assert "--output" in line_of(done)


@pytest.mark.parametrize(
    ("upstream", "line"),
    [
        ("https://api.openai.com", "export OPENAI_BASE_URL=http://h:1/v1"),
        ("https://host/api", "export OPENAI_BASE_URL=http://h:1/api"),
        ("https://api.anthropic.com", "export ANTHROPIC_BASE_URL=http://h:1"),
    ],
)
def test_what_to_set_is_the_variable_that_the_apis_clients_read(upstream, line):
    assert what_to_set(upstream, "http://h:1") == [line]
