"""Probes against real servers behind a real firewall: each thing that can be told apart is told."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from mooring.clock import SystemClock
from mooring.diagnosis.types import Depth, Icmp, Outcome, Service, Stage, Vantage
from mooring.egress import Ledger
from mooring.grants import TlsMode
from mooring.net.tls import client_context
from mooring.store import Database
from tests.lab import (
    DYNAMIC,
    DYNAMIC6,
    SERVER,
    SERVER6,
    STATIC,
    STATIC6,
    Firewall,
    Laboratory,
    User,
    Verdict,
)
from tests.postgres import database, database_url, migrated_template, postgres_server
from tests.probing import Probing

__all__ = ["database", "database_url", "migrated_template", "postgres_server"]

ADDRESSES = {4: (SERVER, DYNAMIC[0]), 6: (SERVER6, DYNAMIC6[0])}
HOST = "dual.lab.test"


@pytest.fixture(scope="session")
def ann(lab: Laboratory) -> User:
    assert lab.postfix
    assert lab.radicale
    return lab.user("ann-probed")


@pytest.fixture
async def probing(
    lab: Laboratory, ann: User, database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Probing]:
    monkeypatch.setenv("SSL_CERT_FILE", str(lab.trust))
    client_context.cache_clear()
    ledger = Ledger(database, SystemClock(), timedelta(days=1))
    pools = {Vantage.STATIC: (*STATIC, *STATIC6), Vantage.DYNAMIC: (*DYNAMIC, *DYNAMIC6)}
    yield Probing(database, ledger, pools)
    await ledger.aclose()
    client_context.cache_clear()


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    ("how", "outcome", "icmp4", "icmp6"),
    [
        (Verdict.DROP, Outcome.SILENT, None, None),
        (Verdict.RESET, Outcome.RESET, None, None),
        (Verdict.PORT_UNREACHABLE, Outcome.REJECTED, (3, 3), (1, 4)),
        (Verdict.HOST_UNREACHABLE, Outcome.UNREACHABLE, (3, 1), (1, 3)),
        (Verdict.PROHIBITED, Outcome.PROHIBITED, (3, 13), (1, 1)),
    ],
)
async def test_what_a_firewall_answers_to_a_syn(
    probing: Probing,
    firewall: Firewall,
    family: int,
    how: Verdict,
    outcome: Outcome,
    icmp4: tuple[int, int] | None,
    icmp6: tuple[int, int] | None,
) -> None:
    address, source = ADDRESSES[family]
    firewall.reject([source], how=how)
    seen = await probing.observe(Service.IMAP, HOST, address, source)
    assert (seen.outcome, seen.stage, seen.steps, seen.local) == (outcome, Stage.CONNECT, (), "")
    told = icmp4 if family == 4 else icmp6
    assert seen.icmp == (None if told is None else Icmp(*told, sender=address))
    assert (seen.retransmits > 0) == (how is Verdict.DROP)
    assert firewall.sources() == {source}


@pytest.mark.parametrize("family", [4, 6])
async def test_imap_to_the_greeting_and_no_further(
    lab: Laboratory, probing: Probing, firewall: Firewall, family: int
) -> None:
    address, source = ADDRESSES[family]
    seen = await probing.observe(Service.IMAP, HOST, address, source)
    assert (seen.outcome, seen.stage, seen.detail) == (Outcome.REACHED, Stage.CAPABILITY, "")
    assert seen.passed == (Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.CAPABILITY)
    assert probing.passed == list(seen.passed)
    assert (seen.tls, seen.depth) == (TlsMode.IMPLICIT, Depth.GREETING)
    assert "IMAP4REV1" in seen.offers
    assert seen.local.startswith(source if family == 4 else f"[{source}]:")
    assert seen.rtt_ms is not None
    assert seen.certificate is not None
    assert (HOST in seen.certificate.names, seen.certificate.problem) == (True, "")
