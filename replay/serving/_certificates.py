"""Certificates for TLS: those that are given as files, and those that mitmproxy's authority signs.

mitmproxy's, because a client that was recorded through a proxy trusts it already, and because it outlives
this process: what a client was told to trust holds the next time. Its own key is used for all hosts, as
mitmproxy does, so that no other secret is ever written.

mitmproxy is imported when an authority is made: serving plainly or with given files does not need it.
"""

import ssl
from ipaddress import ip_address
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from tokentape.cassette import same_host
from tokentape.replay._errors import UnusableCertificate

_MAX_CONTEXTS = 100
_KEY_BITS = 2048  # mitmproxy's default, should there be no authority yet


class CertificateAuthority:
    """mitmproxy's authority, in the folder where mitmproxy keeps it; it is made if there is none.

    Raises `UnusableCertificate` if what is there cannot be used, OSError if it cannot be read, and
    ModuleNotFoundError where mitmproxy is not installed.
    """

    def __init__(self, folder: str | PathLike[str] = "~/.mitmproxy") -> None:
        from mitmproxy.certs import CertStore  # noqa: PLC0415  (see above)

        found = Path(folder).expanduser().absolute()
        self._key_file = found / "mitmproxy-ca.pem"
        try:
            self._store = CertStore.from_store(found, "mitmproxy", _KEY_BITS)
        except (ValueError, TypeError) as error:
            raise UnusableCertificate(
                f"{self._key_file}: expected mitmproxy's key and certificate as PEM, without a passphrase; "
                f"found what cannot be read ({error})"
            ) from None
        self.cert_file = found / "mitmproxy-ca-cert.pem"
        """The authority's certificate, which clients have to trust."""
        if not self.cert_file.exists():  # who brings an authority of their own may bring the other file alone
            self.cert_file.write_bytes(self._store.default_ca.to_pem())
        self._contexts: dict[tuple[str, ...], ssl.SSLContext] = {}

    def context_for(self, *hosts: str) -> ssl.SSLContext:
        """Return what serves HTTP/1.1 over TLS as these hosts (names or addresses).

        To a client that asks for another name it is that one too.
        """
        names = tuple(dict.fromkeys(map(same_host, hosts)))
        if names not in self._contexts:
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.pop(next(iter(self._contexts)))
            self._contexts[names] = self._context(names)
        return self._contexts[names]

    def _context(self, names: tuple[str, ...]) -> ssl.SSLContext:
        from cryptography import x509  # noqa: PLC0415  (comes with mitmproxy)

        alternatives = [
            x509.IPAddress(ip_address(name)) if _is_address(name) else x509.DNSName(name) for name in names
        ]
        entry = self._store.get_cert(names[0], x509.GeneralNames(alternatives))
        context = _http_1_context()
        with TemporaryDirectory() as folder:  # the standard library reads certificates from files only
            chain = Path(folder) / "chain.pem"
            chain.write_bytes(b"".join(cert.to_pem() for cert in (entry.cert, *entry.chain_certs)))
            context.load_cert_chain(chain, self._key_file)

        def by_name(tls: ssl.SSLSocket | ssl.SSLObject, asked: str | None, _: ssl.SSLContext) -> None:
            if asked and same_host(asked) not in names:
                tls.context = self.context_for(asked, *names)

        context.sni_callback = by_name
        return context


def tls_context(
    cert_file: str | PathLike[str], key_file: str | PathLike[str] | None = None
) -> ssl.SSLContext:
    """Return what serves HTTP/1.1 over TLS with a certificate and its key: PEM files, or one with both.

    Raises `UnusableCertificate`, which names the file, and OSError.
    """
    key = key_file or cert_file
    for file, what, mark in (
        (cert_file, "a certificate", "-----BEGIN CERTIFICATE-----"),
        (key, "the certificate's private key", "PRIVATE KEY-----"),
    ):
        if mark not in Path(file).read_text("latin-1"):
            hint = "; name the file of the key, too" if what != "a certificate" and key_file is None else ""
            raise UnusableCertificate(f"{file}: expected {what} as PEM, found none{hint}")
    context = _http_1_context()
    try:
        context.load_cert_chain(cert_file, key, password=_no_password)
    except _Encrypted:
        raise UnusableCertificate(
            f"{key}: expected a private key without a passphrase, found an encrypted one; "
            f"decrypt it with: openssl pkey -in {key}"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UnusableCertificate(
                f"{key}: expected the key of the certificate in {cert_file}, found another"
            ) from None
        raise UnusableCertificate(
            f"{cert_file}: expected a certificate and its key as PEM, found what OpenSSL cannot use "
            f"({error.reason or error})"
        ) from None
    return context


class _Encrypted(Exception):
    """OpenSSL wants a password, which it would ask for at the terminal."""


def _no_password() -> str:
    raise _Encrypted


def _http_1_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
