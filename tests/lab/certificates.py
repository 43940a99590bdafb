"""The laboratory's certificate authority, and the certificates that a client must refuse."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM form: the certificate with its chain, and the key."""

    chain: Path
    key: Path


class Authority:
    """Issues certificates into one folder; its own is the file to put into SSL_CERT_FILE."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Mooring laboratory CA")
        now = datetime.now(UTC)
        self._certificate = (
            _builder(self._name, self._name, self._key, now - timedelta(days=1), now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.bundle = folder / "ca.pem"
        self.bundle.write_bytes(self._certificate.public_bytes(_PEM))

    def good(self, names: Iterable[str], *, label: str = "good") -> Certificate:
        """Valid for these host names and addresses."""
        now = datetime.now(UTC)
        return self._issue(label, names, now - timedelta(days=1), now + timedelta(days=29))

    def expired(self, names: Iterable[str]) -> Certificate:
        """Right in all but time: it ended yesterday."""
        now = datetime.now(UTC)
        return self._issue(_label("expired", names), names, now - timedelta(days=30), now - timedelta(days=1))

    def wrong_name(self) -> Certificate:
        """Valid, but for somebody else."""
        now = datetime.now(UTC)
        return self._issue("wrong-name", ["someone-else.test"], now - timedelta(days=1), now + timedelta(days=29))

    def self_signed(self, names: Iterable[str]) -> Certificate:
        """Signed by its own key only."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        subject = _name("self-signed")
        certificate = (
            _builder(subject, subject, key, now - timedelta(days=1), now + timedelta(days=29))
            .add_extension(_alternatives(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        return self._write(_label("self-signed", names), key, certificate.public_bytes(_PEM))

    def _issue(self, label: str, names: Iterable[str], start: datetime, end: datetime) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(label), self._name, key, start, end)
            .add_extension(_alternatives(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return self._write(label, key, certificate.public_bytes(_PEM))

    def _write(self, label: str, key: ec.EllipticCurvePrivateKey, chain: bytes) -> Certificate:
        files = Certificate(self._folder / f"{label}.pem", self._folder / f"{label}.key")
        files.chain.write_bytes(chain)
        files.key.write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        files.key.chmod(0o600)
        return files


def _label(kind: str, names: Iterable[str]) -> str:
    """Files of their own for each: a server may read its again."""
    return f"{kind}-{next(iter(names))}"


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _alternatives(names: Iterable[str]) -> x509.SubjectAlternativeName:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return x509.SubjectAlternativeName(found)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
