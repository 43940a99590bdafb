"""How a mail server looks to a session: what two sessions that reach the same mailbox have in common."""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mooring.config import SourceConfig
from mooring.egress import DialledStream
from mooring.protocols.imap import ImapClient


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """A mail server as one session found it.

    Attributes:
        remote: its address.
        certificate_key: SHA-256 of its certificate's SubjectPublicKeyInfo; empty where none could be read.
        capabilities: of a logged-in session, in order.
        uid_validity: of the inbox; None where nobody has looked.
    """

    remote: str
    certificate_key: bytes
    capabilities: tuple[str, ...]
    uid_validity: int | None


async def look(client: ImapClient, uid_validity: int | None) -> ServerSeen:
    """How the server looks to this session.

    Raises:
        NetworkError, ProtocolError.
    """
    stream = client.stream
    key = _key_of(stream.certificate) if isinstance(stream, DialledStream) else b""
    return ServerSeen(stream.peer.host, key, tuple(sorted(await client.capabilities())), uid_validity)


def source_of(client: ImapClient) -> SourceConfig | None:
    """The source that a session left by, as the dialer chose it."""
    return client.stream.route.source if isinstance(client.stream, DialledStream) else None


def _key_of(certificate: bytes | None) -> bytes:
    if certificate is None:
        return b""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        # OpenSSL, which verified it, knows more kinds of keys.
        return b""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
