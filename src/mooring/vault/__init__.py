"""Keys, and what they seal: credentials, signing secrets, and the keys of each grant's data.

It knows bytes and contexts, and neither the database nor what a secret is for. It never logs, and its
errors quote nothing that was sealed. Start at ``keyring.py``; ``datakey.py`` is for bodies.
"""

from mooring.vault.apikeys import hash_api_key
from mooring.vault.datakey import DataKey
from mooring.vault.errors import VaultError
from mooring.vault.keyring import Vault

__all__ = ["DataKey", "Vault", "VaultError", "hash_api_key"]
