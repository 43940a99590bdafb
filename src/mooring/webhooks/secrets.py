"""A webhook's secret, which signs: sealed where it is stored, shown when it is made."""

from mooring.ids import new_secret
from mooring.vault import Vault


def new_sealed_secret(vault: Vault, webhook_id: str) -> tuple[str, bytes]:
    """A new secret, and the only form in which it is stored."""
    secret = new_secret()
    return secret, vault.seal(secret.encode(), context=secret_context(webhook_id))


def open_secret(vault: Vault, webhook_id: str, sealed: bytes) -> str:
    """The secret. Raises: VaultError."""
    return vault.open(sealed, context=secret_context(webhook_id)).decode()


def secret_context(webhook_id: str) -> bytes:
    """What a sealed secret is bound to."""
    return f"webhook:{webhook_id}:secret".encode()
