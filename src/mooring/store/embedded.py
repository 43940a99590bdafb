"""The lifetime of the embedded PostgreSQL: one owner, any number of guests, nothing left behind.

Four file locks in ``data/locks`` decide, and the kernel releases each when its holder dies:

    change   held for the moments in which somebody starts or stops the server
    owner    held by the one ``mooring up``, for its life; a second one is refused
    guests   held shared by every other command that uses the database
    server   inherited by PostgreSQL and all its processes: taken means that some of them live

So a pid is never believed, only signalled. ``start`` adopts a server that a killed ``mooring up`` left
behind. ``stop`` is the owner's, and ends the server whoever else uses it. A guest ends the server only
if there is neither an owner nor another guest: the last to leave turns off the light.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import structlog

from mooring.errors import ConfigError, Conflict
from mooring.store import cluster as on_disk
from mooring.store.cluster import Cluster
from mooring.store.database import DatabaseUrl
from mooring.store.errors import StoreUnavailable
from mooring.store.identity import ENVIRONMENT, Identity, choose
from mooring.store.locks import FileLock

log = structlog.get_logger()

# Crash recovery replays at most max_wal_size (1 GB), far quicker than this; another command's start or stop too.
_START_TIMEOUT_S = 600.0
_ANSWER_TIMEOUT_S = 10.0
_POLL_S = 0.02
_WATCH_S = 1.0
# Fast shutdown, then immediate, then the kernel's (PostgreSQL documentation, "Shutting Down the Server").
_STOP_STEPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
# The log is looked at when the server starts, which is when it may be moved.
_LOG_LIMIT_BYTES = 10 * 1024 * 1024
# Line 8 of postmaster.pid (src/include/utils/pidfile.h).
_STATUS_LINE = 7


class EmbeddedPostgres:
    """A PostgreSQL of our own, on a socket that only we can reach.

    Args:
        data: the data folder; made if need be. The cluster is ``data/postgres``.
        settings: server settings that differ from ours.
    """

    def __init__(self, data: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self._cluster = Cluster(data.absolute().resolve())
        self._settings = {**on_disk.SETTINGS, **(settings or {})}
        self._owner, self._guests, self._server = (
            FileLock(self._cluster.locks / name) for name in ("owner", "guests", "server")
        )
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> DatabaseUrl:
        """Become the owner, and have a running server: a new one, or the one that is there.

        Returns: the URL of the database; it carries the password.

        Raises:
            Conflict: another owner is alive.
            ConfigError: the folder, its owner, its version or its password does not allow it.
            StoreUnavailable: the server does not start; its last words are in the message.
        """
        async with self._changing():
            if not self._owner.take():
                raise Conflict(
                    f"another `mooring up` is using {self._cluster.data}",
                    hint="Stop that one first, or give this one a folder of its own.",
                )
            return await self._ensure_running_or_release(self._owner)

    async def stop(self) -> None:
        """End the server, by force if it must be, and the ownership with it; nothing is left running."""
        async with self._changing():
            try:
                await self._shut_down()
            finally:
                self._owner.release()

    async def keep_running(self) -> None:
        """Start the server again whenever it has died; for the owner, who cancels this before ``stop``."""
        while True:
            await asyncio.sleep(_WATCH_S)
            try:
                async with self._changing():
                    if not self._server.is_held_elsewhere():
                        await self._ensure_running()
            except (ConfigError, StoreUnavailable) as e:
                # Whatever keeps it from starting may pass, and nobody else would try again.
                log.warning("database.not_started", error=e.message)

    @asynccontextmanager
    async def connect_or_start(self) -> AsyncGenerator[DatabaseUrl]:
        """The URL of the database, for a command beside `mooring up`; the server is started where there is none.

        Raises:
            ConfigError, StoreUnavailable: as for ``start``.
        """
        async with self._changing():
            self._guests.take(shared=True)
            url = await self._ensure_running_or_release(self._guests)
        try:
            yield url
        finally:
            async with self._changing():
                self._guests.release()
                if not self._owner.is_held_elsewhere() and not self._guests.is_held_elsewhere():
                    await self._shut_down()

    @asynccontextmanager
    async def _changing(self) -> AsyncGenerator[None]:
        """Alone in deciding about the server."""
        self._cluster.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._cluster.locks.mkdir(mode=0o700, exist_ok=True)
        change = FileLock(self._cluster.locks / "change")
        try:
            await change.wait(timeout_s=_START_TIMEOUT_S)
        except TimeoutError:
            raise StoreUnavailable(f"somebody keeps starting or stopping {self._cluster.folder}") from None
        try:
            yield
        finally:
            change.release()

    async def _ensure_running_or_release(self, lock: FileLock) -> DatabaseUrl:
        """A running server; or, failed or cancelled, neither the lock nor a server that we started."""
        try:
            return await self._ensure_running()
        except BaseException:
            try:
                if self._process is not None:
                    await self._shut_down()
            finally:
                lock.release()
            raise

    async def _ensure_running(self) -> DatabaseUrl:
        """A server that answers; started once at most."""
        cluster = self._cluster
        identity = await choose(cluster.folder, on_disk.program("postgres"))
        sockets = on_disk.socket_folder(cluster, identity)
        spawned = False
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while True:
                    if not self._server.is_held_elsewhere():
                        await self._reap()
                        if spawned:
                            raise StoreUnavailable(f"PostgreSQL ended while starting: {self._last_words()}")
                        await self._spawn(identity, sockets)
                        spawned = True
                    elif self._is_ready():
                        password = on_disk.read_password(cluster)
                        if await self._answers(sockets, password):
                            return on_disk.dsn(sockets, password)
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise StoreUnavailable(f"PostgreSQL did not become ready: {self._last_words()}") from None

    async def _spawn(self, identity: Identity, sockets: Path) -> None:
        """Start the server, making the cluster first where there is none."""
        cluster = self._cluster
        if not self._server.take():
            return
        try:
            if not cluster.folder.exists():
                await on_disk.create(cluster, identity, lock_fd=self._server.fd)
            cluster.check_version()
            on_disk.give_to(cluster, identity)
            self._drop_stale_pid_file()
            self._rotate_log()
            settings = {**self._settings, "unix_socket_directories": '"' + str(sockets).replace('"', '""') + '"'}
            arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
            log = os.open(cluster.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                self._process = subprocess.Popen(  # noqa: ASYNC220 (asyncio's own would kill it with the loop)
                    identity.command(on_disk.program("postgres"), "-D", str(cluster.folder), *arguments),
                    env=ENVIRONMENT,
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(self._server.fd,),
                )
            finally:
                os.close(log)
        finally:
            self._server.release()

    async def _answers(self, sockets: Path, password: str) -> bool:
        """Whether the database is there and lets us in; it is created where the server has none yet."""
        try:
            connection = await asyncpg.connect(on_disk.dsn(sockets, password), timeout=_ANSWER_TIMEOUT_S)
        except asyncpg.InvalidCatalogNameError:
            await _create_database(on_disk.dsn(sockets, password, database="postgres"))
            return True
        except asyncpg.TooManyConnectionsError:
            return True
        except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
            raise ConfigError(
                f"{self._cluster.password_file} does not hold the password of {self._cluster.folder}",
                hint="Restore both from the same backup.",
            ) from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    async def _shut_down(self) -> None:
        for step, patience_s in _STOP_STEPS:
            if await self._is_gone(within_s=0.0):
                return
            self._signal(step)
            if await self._is_gone(within_s=patience_s):
                return
        raise StoreUnavailable(f"PostgreSQL on {self._cluster.folder} cannot be stopped: {self._last_words()}")

    async def _is_gone(self, *, within_s: float) -> bool:
        deadline = asyncio.get_running_loop().time() + within_s
        while self._server.is_held_elsewhere():
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(_POLL_S)
        await self._reap()
        return True

    async def _reap(self) -> None:
        """Take note of the end of the process that we started; its locks are gone a moment before it is."""
        while self._process is not None and self._process.poll() is None:  # noqa: ASYNC110 (a process sets no event)
            await asyncio.sleep(_POLL_S)
        self._process = None

    def _signal(self, step: signal.Signals) -> None:
        ours = self._process if self._process is not None and self._process.poll() is None else None
        pid = ours.pid if ours is not None else self._pid()
        if pid is not None:
            try:
                os.kill(pid, step)
            except ProcessLookupError:
                return

    def _pid_lines(self) -> list[str]:
        try:
            return self._cluster.pid_file.read_text(errors="replace").splitlines()
        except OSError:
            return []

    def _pid(self) -> int | None:
        """The server's process by its own file, unless that number is now borne by something else."""
        lines = self._pid_lines()
        pid = int(lines[0]) if lines and lines[0].isdecimal() else None
        return pid if pid is not None and _may_be_postgres(pid) else None

    def _is_ready(self) -> bool:
        lines = self._pid_lines()
        return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"

    def _drop_stale_pid_file(self) -> None:
        """Remove what a crash left; PostgreSQL itself would believe any living process with that number.

        The file of what may be a server that somebody started by hand stays, and PostgreSQL refuses.
        """
        if self._pid() is None:
            self._cluster.pid_file.unlink(missing_ok=True)

    def _rotate_log(self) -> None:
        log = self._cluster.log
        if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_name(log.name + ".1"))

    def _last_words(self) -> str:
        try:
            lines = self._cluster.log.read_bytes()[-4096:].decode(errors="replace").splitlines()
        except OSError:
            lines = []
        return " / ".join(lines[-3:]) or f"it said nothing; see {self._cluster.log}"


def _may_be_postgres(pid: int) -> bool:
    """Whether this process lives and, where the system tells names, is called postgres."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    name = Path(f"/proc/{pid}/comm")
    try:
        return name.read_text().strip() == "postgres"
    except OSError:
        return not Path("/proc/self/comm").exists()


async def _create_database(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=_ANSWER_TIMEOUT_S)
    try:
        await connection.execute(f"CREATE DATABASE {on_disk.DATABASE}")
    finally:
        await connection.close()
