"""What is sealed of a grant: its credentials, and the key of its data."""

from collections import OrderedDict

import msgspec

from mooring.errors import NotFound
from mooring.grants import repository
from mooring.grants.types import Credentials, Grant
from mooring.store import Database
from mooring.vault import DataKey, Vault

CACHED_KEYS = 10_000
"""Data keys kept unsealed in this process: one for each account that is read or held, about 1 KiB each."""


class Keys:
    """Seals and opens the secrets of grants."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._data_keys: OrderedDict[str, DataKey] = OrderedDict()

    def seal_credentials(self, grant_id: str, credentials: Credentials) -> bytes:
        """The only form in which credentials are stored."""
        return self._vault.seal(msgspec.json.encode(credentials), context=_credentials_context(grant_id))

    def new_data_key(self, grant_id: str) -> bytes:
        """A new data key, sealed."""
        return DataKey.generate(self._vault, context=_key_context(grant_id))[1]

    async def credentials(self, grant: Grant) -> Credentials:
        """The grant's passwords.

        Raises:
            NotFound: the grant has been deleted.
        """
        sealed, _ = await self._sealed(grant)
        return msgspec.json.decode(self._vault.open(sealed, context=_credentials_context(grant.id)), type=Credentials)

    async def data_key(self, grant: Grant) -> DataKey:
        """The key of the grant's bodies.

        Raises:
            NotFound: the grant has been deleted.
        """
        key = self._data_keys.get(grant.id)
        if key is None:
            _, sealed = await self._sealed(grant)
            key = DataKey.unseal(self._vault, sealed, context=_key_context(grant.id))
            self._data_keys[grant.id] = key
            if len(self._data_keys) > CACHED_KEYS:
                self._data_keys.popitem(last=False)
        return key

    async def reseal(self) -> int:
        """Seal everything with the ring's active key; returns how many grants were not."""
        changed, after = 0, ""
        while batch := await repository.all_sealed(self._db, after, 500):
            for grant_id, credentials, data_key in batch:
                if self._vault.needs_reseal(credentials) or self._vault.needs_reseal(data_key):
                    new = (
                        self._vault.reseal(credentials, context=_credentials_context(grant_id)),
                        self._vault.reseal(data_key, context=_key_context(grant_id)),
                    )
                    await repository.replace_sealed(self._db, grant_id, (credentials, data_key), new)
                    changed += 1
                after = grant_id
        return changed

    async def _sealed(self, grant: Grant) -> tuple[bytes, bytes]:
        sealed = await repository.sealed(self._db, grant.id)
        if sealed is None:
            raise NotFound(f"The grant {grant.id} has been deleted.")
        return sealed


def _credentials_context(grant_id: str) -> bytes:
    return f"grant:{grant_id}:credentials".encode()


def _key_context(grant_id: str) -> bytes:
    return f"grant:{grant_id}:data_key".encode()
