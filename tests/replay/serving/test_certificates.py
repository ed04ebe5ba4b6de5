import os
import ssl
import stat
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import run

import pytest
import trustme

from tokentape.replay import CertificateAuthority, UnusableCertificate, tls_context

CA = trustme.CA()


def shake_hands(context, authority, name, alpn=("http/1.1",)):
    """Return the client's side of a finished handshake; raises as a client's would."""
    trusting = ssl.create_default_context(cafile=str(authority.cert_file))
    trusting.set_alpn_protocols(list(alpn))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for end in (client, server):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return client


def files(folder, *hosts, ca=CA):
    """A certificate and its key in two files, and both in one."""
    made = ca.issue_cert(*hosts)
    cert, key, both = folder / "cert.pem", folder / "key.pem", folder / "both.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    both.write_bytes(made.private_key_and_cert_chain_pem.bytes())
    return cert, key, both


@pytest.mark.parametrize("asked", ["api.example", "127.0.0.1", "::1", "xn--bcher-kva.example"])
def test_a_host_has_a_certificate_that_clients_accept(authority, asked):
    context = authority.context_for("localhost", "API.example.", "127.0.0.1", "::1", "bücher.example")
    found = shake_hands(context, authority, asked)
    names = {value for _, value in found.getpeercert()["subjectAltName"]}
    assert names == {"localhost", "api.example", "127.0.0.1", "0:0:0:0:0:0:0:1", "xn--bcher-kva.example"}


def test_a_name_that_only_the_client_knows_has_one_too(authority):
    context = authority.context_for("192.0.2.1")
    assert shake_hands(context, authority, "192.0.2.1").getpeercert()
    assert shake_hands(context, authority, "api.example").getpeercert()


def test_another_address_has_none(authority):
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(authority.context_for("192.0.2.1"), authority, "192.0.2.2")


@pytest.mark.parametrize("offered", [("h2", "http/1.1"), ("http/1.1",)])
def test_http_1_is_chosen_of_what_a_client_offers(authority, offered):
    context = authority.context_for("api.example")
    assert shake_hands(context, authority, "api.example", offered).selected_alpn_protocol() == "http/1.1"


def test_http_2_alone_is_not_accepted(authority):
    context = authority.context_for("api.example")
    assert shake_hands(context, authority, "api.example", ["h2"]).selected_alpn_protocol() is None


def test_certificates_are_made_once_and_not_kept_without_end(authority):
    first = authority.context_for("many-0.example")
    assert authority.context_for("MANY-0.example") is first
    for number in range(1, 101):
        authority.context_for(f"many-{number}.example")
    assert authority.context_for("many-0.example") is not first
    assert len(authority._contexts) <= 100


def test_the_authority_outlives_the_process_and_no_secret_is_written_beside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written = []

    def noted(path, data):
        written.append(bytes(data))
        with path.open("wb") as file:
            file.write(data)

    monkeypatch.setattr(Path, "write_bytes", noted)
    one = CertificateAuthority()
    written.clear()
    one.context_for("api.example")
    assert len(written) == 1
    assert b"PRIVATE" not in written[0]
    other = CertificateAuthority(tmp_path / ".mitmproxy")
    assert one.cert_file == other.cert_file == tmp_path / ".mitmproxy" / "mitmproxy-ca-cert.pem"
    assert shake_hands(one.context_for("a"), other, "a").getpeercert()
    if os.name == "posix":
        keys = tmp_path / ".mitmproxy" / "mitmproxy-ca.pem"
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600


def test_an_authority_of_ones_own_needs_the_one_file_that_mitmproxy_needs(tmp_path):
    ca = trustme.CA()
    (tmp_path / "mitmproxy-ca.pem").write_bytes(ca.private_key_pem.bytes() + ca.cert_pem.bytes())
    authority = CertificateAuthority(tmp_path)
    assert authority.cert_file.read_bytes() == ca.cert_pem.bytes()
    assert shake_hands(authority.context_for("api.example"), authority, "api.example").getpeercert()


@pytest.mark.parametrize("content", [b"", b"hello", CA.cert_pem.bytes(), CA.private_key_pem.bytes()])
def test_an_authority_that_cannot_be_used_is_a_line_that_names_the_file(tmp_path, content):
    (tmp_path / "mitmproxy-ca.pem").write_bytes(content)
    with pytest.raises(UnusableCertificate) as raised:
        CertificateAuthority(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path / 'mitmproxy-ca.pem'}: expected mitmproxy's key and")
    assert "\n" not in str(raised.value)


def test_given_files_are_served(tmp_path):
    cert, key, both = files(tmp_path, "api.example")
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    class Trusted:
        cert_file = tmp_path / "ca.pem"

    for context in (tls_context(cert, key), tls_context(str(both))):
        found = shake_hands(context, Trusted, "api.example", ["h2", "http/1.1"])
        assert found.selected_alpn_protocol() == "http/1.1"


def test_what_is_wrong_with_given_files_is_a_line_that_names_the_file(tmp_path):
    cert, key, _ = files(tmp_path, "api.example")
    (tmp_path / "other").mkdir()
    _, other_key, _ = files(tmp_path / "other", "api.example")
    empty, broken = tmp_path / "empty.pem", tmp_path / "broken.pem"
    empty.write_bytes(b"\xff")
    broken.write_bytes(cert.read_bytes()[:100] + key.read_bytes()[:100])
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(_encrypted(key.read_bytes()))
    for given, expected in (
        ((key, key), f"{key}: expected a certificate as PEM, found none"),
        ((cert, cert), f"{cert}: expected the certificate's private key as PEM, found none"),
        ((cert, None), f"{cert}: expected the certificate's private key as PEM, found none; name the file"),
        ((empty, key), f"{empty}: expected a certificate as PEM, found none"),
        ((cert, other_key), f"{other_key}: expected the key of the certificate in {cert}, found another"),
        ((cert, encrypted), f"{encrypted}: expected a private key without a passphrase, found an encrypted"),
        (
            (broken, key),
            f"{broken}: expected a certificate and its key as PEM, found what OpenSSL cannot use",
        ),
    ):
        with pytest.raises(UnusableCertificate) as raised:
            tls_context(*given)
        assert str(raised.value).startswith(expected)
        assert "\n" not in str(raised.value)
    with pytest.raises(FileNotFoundError) as missing:
        tls_context(cert, tmp_path / "nowhere.pem")
    assert missing.value.filename == str(tmp_path / "nowhere.pem")


def _encrypted(key):
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"made up"),
    )


def test_given_files_need_no_package_beside_the_base(tmp_path):
    _, _, both = files(tmp_path, "api.example")
    program = (
        "import sys; from tokentape.replay import tls_context, serve; "
        f"tls_context({str(both)!r}); "
        "assert not {'mitmproxy', 'cryptography', 'trustme'} & set(sys.modules)"
    )
    run([sys.executable, "-c", program], check=True, timeout=60)
