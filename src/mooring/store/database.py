"""The way to PostgreSQL: a pool, transactions, and notifications; no table is known here.

Sessions carry no state from one use to the next, so that handing one back costs no round trip: use
``SET LOCAL`` and ``pg_advisory_xact_lock``, never their session-wide twins.
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import asyncpg
import msgspec
from asyncpg.exceptions import InternalClientError

from mooring.errors import ConfigError
from mooring.store.errors import StoreUnavailable

Connection: TypeAlias = asyncpg.Connection
Record: TypeAlias = asyncpg.Record
Isolation: TypeAlias = Literal["read_committed", "repeatable_read", "serializable"]

# PostgreSQL 15: MERGE, NULLS NOT DISTINCT; the oldest that the tests run on.
MINIMUM_VERSION = 150000
_CONNECT_TIMEOUT_S = 10.0
_SESSION = {
    "application_name": "mooring",
    "timezone": "UTC",
    "jit": "off",
    # Nothing of ours waits for a network inside a transaction; a process that stalls in one frees its row locks so.
    "idle_in_transaction_session_timeout": "60s",
}
# The version byte in front of jsonb's binary form (PostgreSQL source, jsonb_recv).
_JSONB_VERSION = b"\x01"
# An odd run of backslashes before u0000 is the escape itself; an even one is text about it.
_ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")

_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.DiskFullError,
)
# Any failure of the network, or of a pool that is closing, is the database's when a connection is asked for.
_UNREACHABLE = (*_GONE, asyncpg.InterfaceError, OSError)


class DatabaseUrl(str):
    """A database's URL, which keeps its password out of tracebacks and logs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<database URL>"


def check_version(number: int) -> None:
    """Refuse a PostgreSQL that is too old.

    Args:
        number: ``server_version_num``, such as 150004.

    Raises:
        ConfigError: naming both versions.
    """
    if number < MINIMUM_VERSION:
        raise ConfigError(
            f"the database is PostgreSQL {number // 10000}; Mooring needs {MINIMUM_VERSION // 10000} or newer",
            hint="Upgrade it, or use the embedded one.",
        )


@dataclass(frozen=True, slots=True)
class Notification:
    """One NOTIFY, as it arrived."""

    channel: str
    payload: str


class Database:
    """A pool of connections to one database."""

    __slots__ = ("_dsn", "_pool")

    def __init__(self, dsn: str, pool: asyncpg.Pool) -> None:
        self._dsn = DatabaseUrl(dsn)
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, *, min_size: int = 1, max_size: int = 10) -> Self:
        """Connect, and check that this PostgreSQL is new enough.

        Args:
            dsn: ``postgresql://user:password@host/database``, or ``…@/database?host=/socket/folder``.
            min_size, max_size: connections kept, and connections at most.

        Raises:
            ConfigError: the URL is wrong, the server refuses the credentials or lacks the database, or is too old.
            StoreUnavailable: the server cannot be reached.
        """
        if not dsn.startswith(("postgresql://", "postgres://")):
            raise _bad_url()
        with _connecting():
            pool = await asyncpg.create_pool(
                dsn,
                min_size=min_size,
                max_size=max_size,
                init=_prepare,
                reset=_reset,
                timeout=_CONNECT_TIMEOUT_S,
                server_settings=_SESSION,
            )
        database = cls(dsn, pool)
        try:
            check_version(int(await database.fetchval("SHOW server_version_num")))
        except BaseException:
            pool.terminate()
            raise
        return database

    async def close(self) -> None:
        """Wait for the connections in use, and close them all."""
        await self._pool.close()

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection outside any transaction: each statement commits by itself.

        Raises, on entering and in the block:
            StoreUnavailable: there is none to be had, or it was lost in use.
        """
        return _Lent(self._pool)

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", readonly: bool = False
    ) -> AsyncGenerator[Connection]:
        """A transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailable: the database was lost. During the commit itself, it may have been written.
        """
        async with self.connection() as connection, connection.transaction(isolation=isolation, readonly=readonly):
            yield connection

    async def fetch(self, query: str, *args: object) -> list[Record]:
        """All rows of one statement."""
        async with self.connection() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> Record | None:
        """The first row of one statement."""
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        """The first column of the first row of one statement."""
        async with self.connection() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """Run one statement, or without arguments several; returns the command tag (``UPDATE 3``)."""
        async with self.connection() as connection:
            return await connection.execute(query, *args)

    @asynccontextmanager
    async def listen(self, *channels: str) -> AsyncGenerator[AsyncIterator[Notification]]:
        """Notifications of these channels, from the moment the block is entered.

        A connection of its own carries them. Those sent while it was lost are lost: after StoreUnavailable,
        listen again first, then look at the tables.

        Raises:
            StoreUnavailable: on entering or while iterating.
        """
        with _connecting():
            connection = await asyncpg.connect(self._dsn, timeout=_CONNECT_TIMEOUT_S, server_settings=_SESSION)
        arrived: asyncio.Queue[Notification | None] = asyncio.Queue()

        def receive(_connection: Connection, _pid: int, channel: str, payload: str) -> None:
            arrived.put_nowait(Notification(channel, payload))

        def lost(_connection: Connection) -> None:
            arrived.put_nowait(None)

        async def notifications() -> AsyncGenerator[Notification]:
            while (notification := await arrived.get()) is not None:
                yield notification
            raise StoreUnavailable("the connection that listens for notifications was lost")

        connection.add_termination_listener(lost)
        try:
            try:
                for channel in channels:
                    await connection.add_listener(channel, receive)
            except Exception as e:
                if (loss := _loss(connection, e)) is not None:
                    raise loss from e
                raise
            yield notifications()
        finally:
            connection.remove_termination_listener(lost)
            connection.terminate()


@contextmanager
def _connecting() -> Generator[None]:
    """What can go wrong on a first connection, told apart: the configuration, or the server."""
    try:
        yield
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as e:
        raise ConfigError(f"the database refuses us: {e}", hint="Check user and password in database.url.") from e
    except asyncpg.InvalidCatalogNameError as e:
        raise ConfigError(f"the database server has no such database: {e}", hint="Create it: createdb NAME.") from e
    except ValueError:
        # Without its cause, which quotes the URL and the password in it.
        raise _bad_url() from None
    except _UNREACHABLE as e:
        raise _unreachable(e) from e


def _is_lost(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool has taken the broken connection out of our hands already.
        return True


def _bad_url() -> ConfigError:
    return ConfigError("the store's URL is not one of PostgreSQL", hint="postgresql://user:password@host:5432/database")


class _Lent:
    """A connection of the pool for as long as a block lasts. A class, as it stands around every statement."""

    __slots__ = ("_acquired", "_connection")

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._acquired = pool.acquire()

    async def __aenter__(self) -> Connection:
        try:
            self._connection = await self._acquired.__aenter__()
        except _UNREACHABLE as e:
            raise _unreachable(e) from e
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        loss = _loss(self._connection, error) if error is not None else None
        try:
            if loss is not None:
                raise loss from error
        finally:
            await self._acquired.__aexit__(None, None, None)


def _unreachable(error: BaseException) -> StoreUnavailable:
    return StoreUnavailable(
        f"the database cannot be reached: {_why(error)}", hint="Check that PostgreSQL runs where database.url says."
    )


def _why(error: BaseException) -> str:
    """The system's own words where it has any: asyncio puts the address in their place."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error) or "it did not answer in time"


def _loss(connection: Connection, error: BaseException) -> StoreUnavailable | None:
    """StoreUnavailable when this error means that the connection was lost; None for every other one."""
    # A rollback that is tried then fails in its own way.
    if isinstance(error, InternalClientError) or (
        isinstance(error, asyncpg.InterfaceError) and isinstance(error.__context__, InternalClientError)
    ):
        # Its last words have come and its end has not: for that moment, in which nothing works, asyncpg has no error.
        connection.terminate()
        return StoreUnavailable(f"the database is going away: {error}")
    if isinstance(error, _GONE) or (isinstance(error, asyncpg.InterfaceError) and _is_lost(connection)):
        return StoreUnavailable(f"the database went away: {error}")
    return None


async def _prepare(connection: Connection) -> None:
    """Make jsonb come and go as Python values, in the binary form that COPY needs."""
    for name, encode, decode in (("jsonb", _encode_jsonb, _decode_jsonb), ("json", _encode_json, msgspec.json.decode)):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=encode, decoder=decode, format="binary")


async def _reset(connection: Connection) -> None:
    if connection.is_in_transaction():
        await connection.reset()


def _encode_json(value: object) -> bytes:
    """JSON that PostgreSQL takes: it has no U+0000 in text, and mail has; U+FFFD stands in for it."""
    encoded = msgspec.json.encode(value)
    if b"\\u0000" in encoded:
        return _ESCAPED_NUL.sub("\\1\ufffd".encode(), encoded)
    return encoded


def _encode_jsonb(value: object) -> bytes:
    return _JSONB_VERSION + _encode_json(value)


def _decode_jsonb(data: bytes) -> Any:
    return msgspec.json.decode(data[1:])
