"""A certificate authority that the process trusts for the length of one test."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from mooring.net.tls import client_context


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """The authority, in the bundle that ``SSL_CERT_FILE`` names."""
    bundle = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    client_context.cache_clear()
    yield authority
    client_context.cache_clear()


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """The server's side of TLS, with a certificate for this name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context
