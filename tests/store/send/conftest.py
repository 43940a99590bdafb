"""A grant whose servers follow the test's script."""

from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from mooring.clock import SystemClock
from mooring.egress import Ledger
from mooring.grants import Keys, Sessions
from mooring.net.tls import client_context
from mooring.store import Database, ObjectStore
from mooring.vault import Vault
from tests.store.send.fake_imap import FakeMailbox
from tests.store.send.world import (
    GatedServer,
    World,
    connected_grant,
    dialer_of,
    listening,
    loopback_settings,
    server_tls,
    working,
)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """The authority, in the bundle that ``SSL_CERT_FILE`` names."""
    bundle = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    client_context.cache_clear()
    yield authority
    client_context.cache_clear()


@pytest.fixture
async def world(database: Database, trusted: trustme.CA, tmp_path: Path) -> AsyncGenerator[World]:
    clock, smtp, imap = SystemClock(), GatedServer(), FakeMailbox()
    smtp.gate.set()
    vault = Vault.load(tmp_path / "keys", create=True)
    keys, ledger = Keys(database, vault), Ledger(database, clock, timedelta(days=1))
    tls = server_tls(trusted)
    smtp_server, smtp_port = await listening(smtp.serve, tls)
    imap_server, imap_port = await listening(imap.serve, tls)
    yield World(
        db=database,
        objects=ObjectStore.open((tmp_path / "objects").as_uri()),
        keys=keys,
        sessions=Sessions(dialer_of(database, ledger, clock, allow="127.0.0.0/8")),
        ledger=ledger,
        grant=await connected_grant(database, keys, vault, loopback_settings(smtp_port, imap_port)),
        smtp=smtp,
        imap=imap,
    )
    smtp.over.set()
    smtp.gate.set()
    smtp_server.close()
    imap_server.close()
    await ledger.aclose()


@pytest.fixture
async def filing(world: World) -> AsyncGenerator[None]:
    """A process that files copies, while the test lasts."""
    async with working(world):
        yield
