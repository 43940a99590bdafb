"""The embedded server's life: start, stop, kills, owners and guests; what is left is counted by its processes."""

# ruff: noqa: ASYNC110, ASYNC240 (other processes set no events, and these are the files they leave)

import asyncio
import fcntl
import os
import signal
import stat
import sys
from pathlib import Path

import asyncpg
import pytest

from mooring.errors import ConfigError, Conflict
from mooring.store import DatabaseUrl, EmbeddedPostgres, StoreUnavailable
from tests.postgres import run_on


def postmaster(data: Path) -> int:
    return int((data / "postgres/postmaster.pid").read_text().splitlines()[0])


def is_left_running(data: Path) -> bool:
    """Whether any process of the server lives: they all hold its lock."""
    with (data / "locks/server").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


async def until_gone(data: Path) -> None:
    async with asyncio.timeout(20):
        while is_left_running(data):
            await asyncio.sleep(0)


async def value(url: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT v FROM kept")
    finally:
        await connection.close()


async def keep(url: str) -> None:
    await run_on(url, "CREATE TABLE kept (v int)", "INSERT INTO kept VALUES (42)")


async def test_a_second_start_keeps_the_data_and_stop_leaves_nothing(data: Path) -> None:
    server = EmbeddedPostgres(data)
    await keep(await server.start())
    await server.stop()
    assert not is_left_running(data)
    assert not (data / "postgres/postmaster.pid").exists()

    again = EmbeddedPostgres(data)
    assert await value(await again.start()) == 42
    await again.stop()
    await again.stop()
    assert not is_left_running(data)


async def test_a_killed_server_recovers_at_the_next_start(data: Path) -> None:
    server = EmbeddedPostgres(data)
    await keep(await server.start())
    os.kill(postmaster(data), signal.SIGKILL)
    await server.stop()
    assert await value(await server.start()) == 42
    await server.stop()


async def test_the_owner_can_keep_it_running(data: Path) -> None:
    server = EmbeddedPostgres(data)
    url = await server.start()
    await keep(url)
    watch = asyncio.create_task(server.keep_running())
    killed = postmaster(data)
    os.kill(killed, signal.SIGKILL)
    async with asyncio.timeout(20):
        while await _value_or_none(url) != 42 or postmaster(data) == killed:
            await asyncio.sleep(0)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await server.stop()
    assert not is_left_running(data)


async def _value_or_none(url: str) -> object:
    try:
        return await value(url)
    except (OSError, asyncpg.PostgresError):
        return None


async def test_a_stale_pid_file_with_the_number_of_somebody_else_is_replaced(data: Path) -> None:
    server = EmbeddedPostgres(data)
    await keep(await server.start())
    file = data / "postgres/postmaster.pid"
    lines = file.read_text().splitlines()
    os.kill(int(lines[0]), signal.SIGKILL)
    await until_gone(data)
    file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    await server.stop()
    assert await value(await server.start()) == 42
    await server.stop()


_PARENT = """
import asyncio, sys
from pathlib import Path
from mooring.store import EmbeddedPostgres
async def main():
    server = EmbeddedPostgres(Path(sys.argv[1]))
    await server.start()
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}


async def test_a_server_is_adopted_after_its_owner_was_killed(data: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, str(data), stdout=asyncio.subprocess.PIPE, env=_environment()
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"up\n"
    pid = postmaster(data)
    with pytest.raises(Conflict):
        await EmbeddedPostgres(data).start()
    parent.kill()
    await parent.communicate()
    assert is_left_running(data)

    heir = EmbeddedPostgres(data)
    await run_on(await heir.start(), "SELECT 1")
    assert postmaster(data) == pid
    await heir.stop()
    assert not is_left_running(data)


async def test_the_server_ignores_the_terminal_of_its_owner(data: Path) -> None:
    server = EmbeddedPostgres(data)
    await server.start()
    assert os.getsid(postmaster(data)) == postmaster(data)
    await server.stop()


@pytest.mark.parametrize("moment", ["locks/server", "postgres.init/cluster", "postgres/postmaster.pid"])
async def test_a_start_that_is_cancelled_leaves_nothing_running(data: Path, moment: str) -> None:
    server = EmbeddedPostgres(data)
    start = asyncio.create_task(server.start())
    while not (data / moment).exists():
        await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await until_gone(data)
    await run_on(await server.start(), "SELECT 1")
    await server.stop()


async def test_one_of_many_starts_and_the_others_are_refused(data: Path) -> None:
    servers = [EmbeddedPostgres(data) for _ in range(3)]
    results = await asyncio.gather(*(server.start() for server in servers), return_exceptions=True)
    assert [type(result) for result in results].count(Conflict) == 2
    winner = next(server for server, result in zip(servers, results, strict=True) if isinstance(result, str))
    await winner.stop()
    assert not is_left_running(data)


async def test_a_guest_starts_the_server_and_the_last_guest_stops_it(data: Path) -> None:
    async with EmbeddedPostgres(data).connect_or_start() as url:
        async with EmbeddedPostgres(data).connect_or_start() as same:
            assert same == url
        await run_on(url, "SELECT 1")
    assert not is_left_running(data)


async def test_a_guest_leaves_the_owners_server_alone(data: Path) -> None:
    owner = EmbeddedPostgres(data)
    url = await owner.start()
    async with EmbeddedPostgres(data).connect_or_start() as same:
        assert same == url
    await run_on(url, "SELECT 1")
    await owner.stop()
    assert not is_left_running(data)


async def test_the_owner_adopts_a_guests_server_and_stops_it_for_all(data: Path) -> None:
    async with EmbeddedPostgres(data).connect_or_start() as url:
        owner = EmbeddedPostgres(data)
        pid = postmaster(data)
        assert await owner.start() == url
        assert postmaster(data) == pid
        await owner.stop()
        assert not is_left_running(data)
    assert not is_left_running(data)


async def test_an_interrupted_first_start_leaves_a_folder_that_starts(data: Path) -> None:
    data.mkdir()
    (data / "postgres.init/cluster/base").mkdir(parents=True)
    (data / "postgres.init/cluster/PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(data)
    await run_on(await server.start(), "SELECT 1")
    await server.stop()
    assert not (data / "postgres.init").exists()


async def test_another_major_version_is_refused(data: Path) -> None:
    (data / "postgres").mkdir(parents=True)
    (data / "postgres/PG_VERSION").write_text("16\n")
    (data / "postgres.password").touch(mode=0o600)
    with pytest.raises(ConfigError, match=r"PostgreSQL 16.*PostgreSQL 18"):
        await EmbeddedPostgres(data).start()
    assert not is_left_running(data)


async def test_a_server_that_cannot_start_says_why_and_owns_nothing(data: Path) -> None:
    broken = EmbeddedPostgres(data, settings={"shared_buffers": "nonsense"})
    with pytest.raises(StoreUnavailable, match="shared_buffers"):
        await broken.start()
    assert not is_left_running(data)
    server = EmbeddedPostgres(data)
    await server.start()
    await server.stop()


async def test_a_large_log_is_moved_away(data: Path) -> None:
    data.mkdir()
    (data / "postgres.log").write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    server = EmbeddedPostgres(data)
    await server.start()
    await server.stop()
    assert (data / "postgres.log.1").stat().st_size == 10 * 1024 * 1024 + 1
    assert (data / "postgres.log").stat().st_size < 1024 * 1024


async def test_a_path_too_long_for_a_socket_gets_a_private_folder_elsewhere(tmp_path: Path) -> None:
    data = tmp_path / ("d" * 60) / ("e" * 60)
    server = EmbeddedPostgres(data)
    url = await server.start()
    await run_on(url, "SELECT 1")
    folder = Path((data / "postgres/postmaster.pid").read_text().splitlines()[4])
    assert folder.parent == Path("/tmp")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    await server.stop()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="cannot be trusted"):
        await server.start()
    folder.unlink()


async def test_the_url_hides_itself(data: Path) -> None:
    async with EmbeddedPostgres(data).connect_or_start() as url:
        assert isinstance(url, DatabaseUrl)
        password = (data / "postgres.password").read_text().strip()
        assert password in url
        assert password not in repr(url)
