"""``mooring egress`` as an operator runs it: what is wrong is a sentence with a next step, and never a traceback."""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from mooring.net.listener import free_port
from mooring.store import Database
from tests.egress.exits import SERVER, SOURCES, STATIC, UNPLUMBED, bound
from tests.egress.test_check import configuration

LONG = replace(bound(SOURCES[0]), name="a-source-of-a-pool-" + "with-a-long-name-" * 12)


async def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, with its output in pipes."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "mooring", "egress", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def failure(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert (done.returncode, done.stderr) == (1, "")
    return json.loads(done.stdout)["error"]


@pytest.fixture
def installed(database_url: str, tmp_path: Path) -> Path:
    """A folder with a configuration: a pool of one source, and a source that is in none."""
    text = configuration(database_url, LONG)
    unused = '[[egress.source]]\nname = "spare"\naddress = "203.0.113.99"\nvia = "http://gate:secret@gw.test:3128"\n'
    (tmp_path / "mooring.toml").write_text(text + unused)
    return tmp_path


async def test_a_source_that_is_in_no_pool_is_listed_as_that(installed: Path) -> None:
    done = await run(installed, "list")
    head, used, spare = done.stdout.splitlines()
    assert head.split() == ["ENVIRONMENT", "SOURCE", "ADDRESS", "VIA", "WEIGHT"]
    assert used.split() == ["v3-us-static", LONG.name, SOURCES[0], f"bind:{SOURCES[0]}", "1"]
    assert spare.split() == ["in", "no", "pool", "spare", "203.0.113.99", "http://gw.test:3128", "1"]
    listed = json.loads((await run(installed, "list", "--json")).stdout)
    assert [(item["environment"], item["source"]) for item in listed] == [("v3-us-static", LONG.name), ("", "spare")]


async def test_piped_a_row_is_a_line_however_long(installed: Path) -> None:
    done = await run(installed, "check", "--reflector", f"http://{'r' * 60}.{'s' * 60}.{'t' * 60}.test/reflect")
    assert done.returncode == 1
    head, row = done.stdout.splitlines()
    assert len(row) > 300
    assert row[head.index("RESULT") :].startswith("the reflector could not be asked: the name of rrr")


async def test_an_account_that_there_is_none_of(installed: Path) -> None:
    error = failure(await run(installed, "explain", "nobody", "--json"))
    assert (error["type"], error["message"]) == ("NotFound", "There is no grant 'nobody'.")
    assert "mooring grant list" in error["hint"]


async def test_an_empty_ledger_says_how_far_it_looked(installed: Path) -> None:
    assert (await run(installed, "connections")).stdout == "Nothing was dialled in the last 1d.\n"
    done = await run(installed, "connections", "--server", "mail.test", "--since", "2h")
    assert done.stdout == "Nothing that matches was dialled in the last 2h.\n"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://mooring:hush-hush@127.0.0.1:{port}/x", "the database cannot be reached: Connection refused"),
        ("postgresql://mooring:hush-hush@db.nowhere.invalid/x", "the database's host cannot be found"),
    ],
)
async def test_a_database_that_cannot_be_reached(tmp_path: Path, url: str, said: str) -> None:
    port = free_port(IPv4Address("127.0.0.1"))
    (tmp_path / "mooring.toml").write_text(configuration(url.format(port=port), bound(SOURCES[0])))
    done = await run(tmp_path, "connections")
    first, second = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert first.startswith(f"error: {said}")
    assert "database.url" in second
    assert "hush" not in done.stderr
    assert (await run(tmp_path, "list")).returncode == 0


async def test_without_a_configuration_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = await run(tmp_path, "explain", "x")
    assert done.stderr.splitlines() == [
        "error: there is no mooring.toml",
        "→ Run `mooring egress init` to write one, or say where it is with --config.",
    ]
    (tmp_path / "mooring.toml").mkdir()
    error = failure(await run(tmp_path, "list", "--json"))
    assert (error["message"], error["hint"]) == ("mooring.toml cannot be read: Is a directory", "")


async def test_an_application_whose_pools_are_missing_is_told_so_with_what_to_write(
    installed: Path, database: Database
) -> None:
    def app(*words: str) -> subprocess.CompletedProcess[str]:
        words = (sys.executable, "-m", "mooring", "app", *words, "--json")
        return subprocess.run(words, cwd=installed, capture_output=True, text=True, timeout=60)

    elsewhere = await asyncio.to_thread(app, "create", "--name", "X", "--region", "eu")
    assert elsewhere.returncode == 0
    static, dynamic = [line for line in elsewhere.stderr.splitlines() if line.startswith("warning: ")]
    assert "declares no pool v3-eu-static: connecting an account" in static
    assert "declares no pool v3-eu-dynamic: its accounts are not synchronised" in dynamic
    assert '[[egress.pool]] with generation = "v3", region = "eu", kind = "dynamic"' in elsewhere.stderr

    here = await asyncio.to_thread(app, "create", "--name", "Y")
    identity = json.loads(here.stdout)["application_id"]
    assert "declares no pool v3-us-dynamic" in here.stderr
    assert "v3-us-static" not in here.stderr
    assert (await asyncio.to_thread(app, "set-static-ips", identity, "on")).stderr == ""
    off = await asyncio.to_thread(app, "set-static-ips", identity, "off")
    assert (off.returncode, json.loads(off.stdout)["static_ips"]) == (0, "off")
    assert "declares no pool v3-us-dynamic" in off.stderr


async def test_with_an_address_that_is_not_here_the_two_that_are_asked_then_run_and_say_so(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    lost, here = bound("203.0.113.9", name="lost", local=UNPLUMBED), bound(SOURCES[0])
    (tmp_path / "mooring.toml").write_text(configuration(database_url, lost, here))
    done = await run(tmp_path, "check", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    first, second = json.loads(done.stdout)
    assert (first["source"], first["ok"], second["source"], second["ok"]) == ("lost", False, here.name, True)
    assert f"{UNPLUMBED} is not an address of this host" in first["verdict"]
    assert "corrects the source's `via`" in first["verdict"]

    await database.execute("INSERT INTO organisations (id, name) VALUES ('o', 'o')")
    await database.execute(
        """INSERT INTO applications (id, organisation_id, name, generation, region, static_ips)
           VALUES ('a', 'o', 'a', 'v3', 'us', 'on')"""
    )
    await database.execute(
        """INSERT INTO grants (id, application_id, provider, email, mail_domain, subject, environment, settings,
                               credentials, data_key)
           VALUES ('g', 'a', 'imap', 'ann@b.test', 'b.test', 's', 'static', $1, '', '')""",
        {"imap": {"host": SERVER, "port": 993, "username": "ann"}},
    )
    for source, plumbed in ((lost, False), (here, True)):
        await database.execute("DELETE FROM assignments")
        await database.execute(
            "INSERT INTO assignments (subject, environment, family, source) VALUES ('s', $1, 4, $2)",
            str(STATIC),
            source.name,
        )
        done = await run(tmp_path, "explain", "g", "--json")
        (route,) = json.loads(done.stdout)
        assert (done.returncode, route["source"], route["plumbed"]) == (0, source.name, plumbed)
        assert (f"{UNPLUMBED} is not an address of this host" in route["reason"]) is not plumbed

    worker = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "mooring", "worker"], cwd=tmp_path, capture_output=True, text=True
    )
    assert worker.returncode == 1
    assert worker.stderr.startswith(f"error: the source lost of the pool v3-us-static binds {UNPLUMBED}")
