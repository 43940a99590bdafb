"""The certificate and the key that the API is to speak TLS with: both, readable, and made for each other."""

from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from mooring.config.types import TlsFiles
from mooring.errors import ConfigError

Refuse = Callable[[tuple[str | int, ...], str, str], ConfigError]

_PEM_HINT = "It is in PEM form, and begins with -----BEGIN."
_CERTIFICATE, _KEY = ("server", "tls_certificate"), ("server", "tls_key")


def read_tls(base: Path, certificate: str, key: str, refuse: Refuse) -> TlsFiles | None:
    """The two files, as far as they can be used; None where neither is named.

    Args:
        base: what relative paths are relative to.
        refuse: the error for a key of the configuration, with what is wrong and the remedy.

    Raises:
        ConfigError.
    """
    if not certificate and not key:
        return None
    if not certificate or not key:
        named, missing = (_KEY, "tls_certificate") if key else (_CERTIFICATE, "tls_key")
        raise refuse(named, f"there is no {missing} beside it", f"Write {missing}, too, or neither.")
    files = TlsFiles((base / certificate).resolve(), (base / key).resolve())
    shown = _public_key_of_certificate(files.certificate, refuse)
    if _public_key_of_key(files.key, refuse) != shown:
        raise refuse(_KEY, f"{files.key} is not the key of {files.certificate}", "Name the key it was made with.")
    return files


def _public_key_of_certificate(path: Path, refuse: Refuse) -> bytes:
    """Of the first certificate in the file, which is the server's own."""
    try:
        [first, *_] = load_pem_x509_certificates(_read(path, _CERTIFICATE, refuse))
        public_key = first.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise refuse(_CERTIFICATE, f"{path} holds no certificate that we can use", _PEM_HINT) from None
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public_key_of_key(path: Path, refuse: Refuse) -> bytes:
    try:
        key = load_pem_private_key(_read(path, _KEY, refuse), password=None)
    except TypeError:
        raise refuse(_KEY, f"{path} is locked by a passphrase", "Take it away, and make the file 0600.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise refuse(_KEY, f"{path} holds no private key that we can use", _PEM_HINT) from None
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path, where: tuple[str | int, ...], refuse: Refuse) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise refuse(where, f"{path} cannot be read: {e.strerror}", "Paths are relative to this file.") from None
