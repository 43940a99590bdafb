"""What a server's certificate says. Pure."""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mooring.diagnosis.types import Certificate
from mooring.grants import cleaned

MOST_NAMES = 20
"""Of one certificate that are kept."""
MOST_CHARACTERS = 253
"""Of one name."""


def read_certificate(der: bytes | None, problem: str = "") -> Certificate | None:
    """The certificate in these bytes; None where there are none, or they cannot be read.

    Args:
        problem: why it does not verify; "" where it does.
    """
    if not der:
        return None
    try:
        shown = x509.load_der_x509_certificate(der)
        key = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Certificate(
            names=_names(shown),
            issuer=cleaned(shown.issuer.rfc4514_string())[:MOST_CHARACTERS],
            not_after=shown.not_valid_after_utc,
            spki=hashlib.sha256(key).hexdigest(),
            problem=problem,
        )
    except Exception:
        # A stranger may show anything, OpenSSL reads more than the library does, and that has many ways to say no.
        return None


def _names(shown: x509.Certificate) -> tuple[str, ...]:
    """The names that clients compare with (RFC 9525 §2); of a certificate without any, its common name."""
    try:
        found = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        subject = shown.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        names = [str(attribute.value) for attribute in subject]
    else:
        names = found.get_values_for_type(x509.DNSName)
        names += [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return tuple(cleaned(name)[:MOST_CHARACTERS] for name in names[:MOST_NAMES])
