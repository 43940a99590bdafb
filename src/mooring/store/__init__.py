"""The only room that knows PostgreSQL and the object store, and no table's meaning.

It starts the embedded server, opens pools and transactions, brings the schema up to date, and keeps bytes
under names. It knows no query of another room: SQL lives in their ``repository.py`` files. Start at
``database.py``; the embedded server's theory is on top of ``embedded.py``.
"""

from mooring.store.batches import in_batches
from mooring.store.database import Connection, Database, DatabaseUrl, Isolation, Notification, Record
from mooring.store.embedded import EmbeddedPostgres
from mooring.store.errors import InvalidKey, ObjectMissing, StoreUnavailable
from mooring.store.migrate import migrate
from mooring.store.objects import ObjectInfo, ObjectStore

__all__ = [
    "Connection",
    "Database",
    "DatabaseUrl",
    "EmbeddedPostgres",
    "InvalidKey",
    "Isolation",
    "Notification",
    "ObjectInfo",
    "ObjectMissing",
    "ObjectStore",
    "Record",
    "StoreUnavailable",
    "in_batches",
    "migrate",
]
