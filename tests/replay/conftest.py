import pytest

from tokentape.replay import CertificateAuthority


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """mitmproxy's authority, made for the tests."""
    return CertificateAuthority(tmp_path_factory.mktemp("mitmproxy"))
