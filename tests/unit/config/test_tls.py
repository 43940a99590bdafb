"""The listener's certificate and key: what is taken, and what is refused with line and remedy."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from mooring.config import Config, load_config
from mooring.errors import ConfigError
from tests.lab.certificates import Authority


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Certificates, and files that are none."""
    authority = Authority(tmp_path)
    authority.good(["mail.example"], label="good")
    authority.good(["other.example"], label="other")
    (tmp_path / "nothing.pem").write_text("nothing")
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hush")
    )
    (tmp_path / "locked.key").write_bytes(locked)
    return tmp_path


def load(folder: Path, keys: str) -> Config:
    path = folder / "mooring.toml"
    path.write_text(f"[server]\n{keys}\n")
    return load_config(path, {})


def test_the_public_url_follows(folder: Path) -> None:
    pair = 'tls_certificate = "good.pem"\ntls_key = "good.key"'
    server = load(folder, pair).server
    assert server.tls is not None
    assert (server.tls.certificate, server.tls.key) == (folder / "good.pem", folder / "good.key")
    assert server.public_url == "https://127.0.0.1:8025"
    assert load(folder, f'{pair}\npublic_url = "https://mail.example"').server.public_url == "https://mail.example"


@pytest.mark.parametrize(
    ("certificate", "key", "line", "said", "remedy"),
    [
        ("good.pem", "", 2, "no tls_key", "or neither"),
        ("", "good.key", 3, "no tls_certificate", "or neither"),
        ("missing.pem", "good.key", 2, "missing.pem cannot be read: No such file", "relative to this file"),
        ("good.pem", "missing.key", 3, "missing.key cannot be read", "relative to this file"),
        ("good.pem", "other.key", 3, "is not the key of", "it was made with"),
        ("nothing.pem", "good.key", 2, "no certificate", "-----BEGIN"),
        ("good.key", "good.key", 2, "no certificate", "-----BEGIN"),
        ("good.pem", "nothing.pem", 3, "no private key", "-----BEGIN"),
        ("good.pem", "locked.key", 3, "locked by a passphrase", "0600"),
    ],
)
def test_what_cannot_be_used_is_refused(
    folder: Path, certificate: str, key: str, line: int, said: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder, f'tls_certificate = "{certificate}"\ntls_key = "{key}"')
    assert f"line {line}: server.tls_" in caught.value.message
    assert said in caught.value.message
    assert remedy in caught.value.hint
