"""Who runs PostgreSQL, who may reach it, and whose modes stay as they were."""

# ruff: noqa: ASYNC240 (other processes set no events, and these are the files they leave)

import asyncio
import os
import pwd
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import asyncpg
import pytest

from mooring.errors import ConfigError
from mooring.store import EmbeddedPostgres
from mooring.store.cluster import program
from tests.postgres import run_on

# Starts, asks who the server runs as, and stops; prints the answer, or the error and its hint.
_START = """
import asyncio, os, sys
from pathlib import Path
from mooring.errors import MooringError
from mooring.store import Database, EmbeddedPostgres

async def main():
    server = EmbeddedPostgres(Path(sys.argv[1]))
    try:
        database = await Database.open(await server.start())
    except MooringError as e:
        return print(type(e).__name__, e, e.hint)
    pid = (Path(sys.argv[1]) / "postgres/postmaster.pid").read_text().splitlines()[0]
    uid = [line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("Uid:")][0]
    await database.execute("CREATE TABLE IF NOT EXISTS kept (v int)")
    await database.execute("INSERT INTO kept VALUES (1)")
    print("uid", uid, "rows", await database.fetchval("SELECT count(*) FROM kept"))
    await database.close()
    await server.stop()

asyncio.run(main())
"""

# What a container's sandbox does: unshare(2) answers EPERM. A filter of classic BPF, see seccomp(2).
_REFUSE_NAMESPACES = """
import ctypes, platform, struct
number = {"x86_64": 272, "aarch64": 97}[platform.machine()]
code = b"".join(struct.pack("HBBI", *line) for line in [
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | 1), (0x06, 0, 0, 0x7FFF0000)])
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(4, code))) == 0
"""

# The interpreter itself may lie where nobody cannot reach it: everything is imported before.
_BECOME_NOBODY = """
import asyncio, encodings.idna, os, pwd, stringprep, subprocess
import mooring.store, asyncpg
account = pwd.getpwnam("nobody")
os.setgroups([]); os.setgid(account.pw_gid); os.setuid(account.pw_uid)
"""


@pytest.fixture
def root() -> None:
    """These are about being root."""
    if os.geteuid() != 0:
        pytest.fail("this test is about starting as root; run it so: sudo make test-store")


@pytest.fixture
def open_folder() -> Generator[Path]:
    """A folder that everybody may pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="mooring-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


async def start_in_child(data: Path, *before: str) -> str:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "\n".join((*before, _START)),
        str(data),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "HOME": str(data.parent)},
    )
    said, _ = await child.communicate()
    return said.decode().strip()


def modes_above(path: Path) -> list[tuple[Path, int, int]]:
    return [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder in path.parents]


async def test_root_starts_it_without_changing_any_folder_above(root: None, data: Path) -> None:
    before = (*modes_above(data), *modes_above(program("postgres"))), Path("/etc/passwd").read_bytes()
    assert await start_in_child(data) == "uid 0 rows 1"
    assert ((*modes_above(data), *modes_above(program("postgres"))), Path("/etc/passwd").read_bytes()) == before
    assert {path.stat().st_uid for path in data.rglob("*")} == {0}


async def test_the_server_of_root_has_no_privilege_left(root: None, data: Path) -> None:
    server = EmbeddedPostgres(data)
    await server.start()
    pid = int((data / "postgres/postmaster.pid").read_text().splitlines()[0])
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapPrm"], 16) == 0
    await server.stop()


async def test_without_namespaces_root_hands_the_cluster_to_another_user_for_good(
    root: None, open_folder: Path
) -> None:
    data = open_folder / "data"
    assert await start_in_child(data) == "uid 0 rows 1"
    other = _ordinary()
    assert await start_in_child(data, _REFUSE_NAMESPACES) == f"uid {other} rows 2"
    assert (data / "postgres/base").stat().st_uid == other
    assert await start_in_child(data) == f"uid {other} rows 3"
    assert stat.S_IMODE((data / "postgres.password").stat().st_mode) == 0o600
    assert (data / "postgres.password").stat().st_uid == 0


async def test_without_namespaces_a_first_start_works_too(root: None, open_folder: Path) -> None:
    assert await start_in_child(open_folder / "data", _REFUSE_NAMESPACES) == f"uid {_ordinary()} rows 1"


async def test_without_namespaces_a_closed_folder_is_named_and_left_closed(root: None, open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    said = await start_in_child(closed / "data", _REFUSE_NAMESPACES)
    assert said.startswith("ConfigError")
    assert f"{closed} is closed" in said
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


async def test_root_in_a_users_closed_folder_runs_it_as_that_user(root: None, open_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    assert await start_in_child(home / "data") == f"uid {nobody.pw_uid} rows 1"
    assert await start_in_child(home / "data") == f"uid {nobody.pw_uid} rows 2"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


async def test_an_ordinary_user_starts_it(root: None, open_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(open_folder, nobody.pw_uid, nobody.pw_gid)
    data = open_folder / "data"
    assert await start_in_child(data, _BECOME_NOBODY) == f"uid {nobody.pw_uid} rows 1"
    assert {path.stat().st_uid for path in (data, *data.rglob("*"))} == {nobody.pw_uid}
    assert await start_in_child(data) == f"uid {nobody.pw_uid} rows 2"
    assert await start_in_child(data, _BECOME_NOBODY) == f"uid {nobody.pw_uid} rows 3"


async def test_an_ordinary_user_is_told_that_the_cluster_is_not_his(root: None, open_folder: Path) -> None:
    data = open_folder / "data"
    assert await start_in_child(data) == "uid 0 rows 1"
    for path in (data, data / "locks", *(data / "locks").iterdir()):
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    said = await start_in_child(data, _BECOME_NOBODY)
    assert said.startswith("ConfigError")
    assert "belongs to user 0" in said


async def test_nobody_gets_in_without_the_password(data: Path) -> None:
    server = EmbeddedPostgres(data)
    url = await server.start()
    sockets = str(data / "run")
    for password in (None, "", "wrong"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host=sockets, user="mooring", database="mooring", password=password, passfile=data / "no-such-file"
            )
    rules = (data / "postgres/pg_hba.conf").read_text().splitlines()
    methods = {line.split()[-1] for line in rules if line.strip() and not line.startswith("#")}
    assert methods == {"scram-sha-256"}
    await run_on(url, "SELECT 1")
    await server.stop()


async def test_only_the_owner_can_come_near_it(data: Path) -> None:
    server = EmbeddedPostgres(data)
    url = await server.start()
    modes = {name: oct(stat.S_IMODE((data / name).stat().st_mode)) for name in ("", "postgres", "run", "locks")}
    assert modes == {"": "0o700", "postgres": "0o700", "run": "0o700", "locks": "0o700"}
    assert stat.S_IMODE((data / "run/.s.PGSQL.5432").stat().st_mode) == 0o700
    for name in ("postgres.password", "postgres.log"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SHOW listen_addresses") == ""
    await connection.close()
    await server.stop()


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (lambda file: file.unlink(), "is gone"),
        (lambda file: file.chmod(0o644), "can be read by others"),
        (lambda file: file.write_text(""), "is empty"),
        (lambda file: file.write_text("another\n"), "does not hold the password"),
    ],
    ids=["gone", "open", "empty", "another"],
)
async def test_a_password_file_that_is_not_right_is_a_config_error(
    data: Path, harm: Callable[[Path], object], complaint: str
) -> None:
    server = EmbeddedPostgres(data)
    await server.start()
    await server.stop()
    harm(data / "postgres.password")
    with pytest.raises(ConfigError, match=complaint):
        await server.start()
    await server.stop()


def _ordinary() -> int:
    """The user that a root without namespaces becomes."""
    try:
        return pwd.getpwnam("postgres").pw_uid
    except KeyError:
        return pwd.getpwnam("nobody").pw_uid
