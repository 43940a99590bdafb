"""A webhook's secret, which signs: sealed where it is stored, shown when it is made."""

from mooring.applications import Application, client_secret
from mooring.config import Generation
from mooring.ids import new_secret
from mooring.store import Database
from mooring.vault import Vault


def new_sealed_secret(vault: Vault, webhook_id: str) -> tuple[str, bytes]:
    """A new secret, and the only form in which it is stored."""
    secret = new_secret()
    return secret, vault.seal(secret.encode(), context=secret_context(webhook_id))


async def first_sealed_secret(
    db: Database, vault: Vault, application: Application, webhook_id: str
) -> tuple[str, bytes]:
    """What a new webhook signs with, and the form in which it is stored: in v2 its application's own secret.

    That one never changes, so the webhook may have a copy.
    """
    if application.generation is not Generation.V2:
        return new_sealed_secret(vault, webhook_id)
    secret = await client_secret(db, vault, application.id)
    return secret, vault.seal(secret.encode(), context=secret_context(webhook_id))


def open_secret(vault: Vault, webhook_id: str, sealed: bytes) -> str:
    """The secret. Raises: VaultError."""
    return vault.open(sealed, context=secret_context(webhook_id)).decode()


def secret_context(webhook_id: str) -> bytes:
    """What a sealed secret is bound to."""
    return f"webhook:{webhook_id}:secret".encode()
