"""Under which user PostgreSQL runs: us, or, when we are root, somebody else."""

import asyncio
import os
import pwd
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mooring.errors import ConfigError
from mooring.store import postgres_exec
from mooring.store.errors import StoreUnavailable

# Only what the programs need: no PG* variable of the caller may steer them.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who runs the programs, and who must therefore own the cluster and the socket folder.

    Attributes:
        prefix: what to put in front of a command; empty when we are an ordinary user.
        uid, gid: the owner, as this process sees owners.
    """

    prefix: tuple[str, ...]
    uid: int
    gid: int

    def command(self, program: Path, *arguments: str) -> list[str]:
        """The whole command that runs this program under this identity."""
        return [*self.prefix, str(program), *arguments]


async def choose(cluster: Path, program: Path) -> Identity:
    """Who shall run PostgreSQL: whoever owns the cluster already, else the least intrusive choice.

    Args:
        cluster: the cluster's folder, which need not exist yet.
        program: the ``postgres`` binary; it is run once with ``--version`` to prove that it can be.

    Raises:
        ConfigError: the cluster belongs to somebody else, or a parent folder is closed to its owner.
        StoreUnavailable: the program does not run at all.
    """
    owner = _owner(cluster)
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise ConfigError(
                f"{cluster} belongs to user {owner}, and we are user {os.geteuid()}",
                hint=f"Start as its owner, or: chown -R {os.geteuid()} {cluster.parent}",
            )
        return Identity((), os.geteuid(), os.getegid())
    if owner:
        return await _switch_to(_account_of(owner), cluster, program)
    ordinary = _account("nobody")
    inside = Identity(_prefix("namespace", ordinary.pw_uid, ordinary.pw_gid, cluster), 0, 0)
    trial = await _try(inside, program)
    if trial.works:
        return inside
    # Without root's privileges, root does not get into a folder that a user keeps to himself; that user does.
    account = _account_of(_owner(Path(trial.closed)) or 0) if trial.closed else _account("postgres", "nobody")
    return await _switch_to(account, cluster, program)


async def _switch_to(account: pwd.struct_passwd, cluster: Path, program: Path) -> Identity:
    """Really become this user; the data folder is opened for passing through, and nothing else is."""
    cluster.parent.chmod(cluster.parent.stat().st_mode | 0o111)
    switched = Identity(
        _prefix("setuid", account.pw_uid, account.pw_gid, cluster),
        account.pw_uid,
        account.pw_gid,
    )
    trial = await _try(switched, program)
    if trial.closed:
        raise ConfigError(
            f"PostgreSQL does not run as root, and {trial.closed} is closed to {account.pw_name}, who would run it",
            hint="Keep the data and the installation where that user can reach them, or start as an ordinary user.",
        )
    if not trial.works:
        raise StoreUnavailable(f"root may not become {account.pw_name} here, and PostgreSQL does not run as root")
    return switched


async def run(command: Sequence[str], *, keep_fds: Sequence[int] = ()) -> tuple[int, str]:
    """Run a command to its end, away from the terminal's signals: (exit status, what it wrote to stderr)."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=ENVIRONMENT,
        cwd="/",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        pass_fds=tuple(keep_fds),
    )
    try:
        _, stderr = await process.communicate()
    except asyncio.CancelledError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    return process.returncode or 0, stderr.decode(errors="replace").strip()


@dataclass(frozen=True, slots=True)
class _Trial:
    """Whether the program runs under an identity, or which folder on the way is closed to it."""

    works: bool = False
    closed: str = ""


async def _try(identity: Identity, program: Path) -> _Trial:
    """Run the program once, for its version.

    Raises:
        StoreUnavailable: the program itself fails.
    """
    status, said = await run(identity.command(program, "--version"))
    match status:
        case 0:
            return _Trial(works=True)
        case postgres_exec.EX_UNAVAILABLE:
            return _Trial()
        case postgres_exec.EX_NOPERM:
            return _Trial(closed=said)
        case _:
            raise StoreUnavailable(f"{program} does not run: {said or f'status {status}'}")


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except FileNotFoundError:
        return None


def _prefix(mode: str, uid: int, gid: int, cluster: Path) -> tuple[str, ...]:
    script = str(Path(postgres_exec.__file__).resolve())
    return (sys.executable, "-I", "-S", script, mode, str(uid), str(gid), str(cluster))


def _account(*names: str) -> pwd.struct_passwd:
    """The first of these accounts that exists, else any ordinary one."""
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    for account in pwd.getpwall():
        if account.pw_uid != 0:
            return account
    raise ConfigError("this system has no account except root, and PostgreSQL does not run as root")


def _account_of(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise ConfigError(
            f"the cluster belongs to user {uid}, whom this system does not know",
            hint="chown the data folder to root, or start as that user.",
        ) from None
