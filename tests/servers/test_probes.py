"""Probes against real servers behind a real firewall: each thing that can be told apart is told."""

from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from ipaddress import ip_address

import pytest

from mooring.clock import SystemClock
from mooring.config import Carrier, SourceConfig, Via
from mooring.diagnosis.probes.walk import Limits
from mooring.diagnosis.types import Depth, Icmp, Outcome, Service, Stage, Vantage
from mooring.egress import Ledger
from mooring.grants import TlsMode
from mooring.net.tls import client_context
from mooring.store import Database
from tests.lab import (
    DYNAMIC,
    DYNAMIC6,
    PROXIES,
    SERVER,
    SERVER6,
    STATIC,
    STATIC6,
    Firewall,
    Laboratory,
    User,
    Verdict,
)
from tests.lab.namespaces import program, run
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
    assert (seen.outcome, seen.stage, seen.steps) == (outcome, Stage.CONNECT, ())
    # What the firewall's log has: the port that the SYN left from, too.
    host, _, port = seen.local.rpartition(":")
    assert (host.strip("[]"), port.isdigit()) == (source, True)
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


@pytest.mark.parametrize("service", [Service.IMAP, Service.SMTP])
async def test_starttls(probing: Probing, firewall: Firewall, service: Service) -> None:
    port = {Service.IMAP: 143, Service.SMTP: 587}[service]
    seen = await probing.observe(service, HOST, SERVER, DYNAMIC[0], port=port)
    assert (seen.outcome, seen.stage, seen.tls) == (Outcome.REACHED, Stage.TLS, TlsMode.STARTTLS)
    assert seen.passed == (Stage.CONNECT, Stage.GREETING, Stage.CAPABILITY, Stage.TLS)
    assert seen.certificate is not None
    assert any("AUTH=PLAIN" in offer for offer in seen.offers)


async def test_imap_to_the_end(lab: Laboratory, ann: User, probing: Probing, firewall: Firewall) -> None:
    since = lab.dovecot.server.mark()
    seen = await probing.observe(Service.IMAP, HOST, SERVER, STATIC[0], login=(ann.address, ann.password))
    assert (seen.outcome, seen.stage, seen.depth) == (Outcome.REACHED, Stage.LIST, Depth.FULL)
    assert seen.passed[-2:] == (Stage.LOGIN, Stage.LIST)
    await lab.dovecot.server.line(r"imap\(ann-probed@lab.test\).*Logged out", since=since)


async def test_smtp_to_the_recipient_and_no_mail(
    lab: Laboratory, ann: User, probing: Probing, firewall: Firewall
) -> None:
    since = lab.postfix.server.mark()
    seen = await probing.observe(
        Service.SMTP, HOST, SERVER, STATIC[0], port=587, login=(ann.address, ann.password), email=ann.address
    )
    assert (seen.outcome, seen.stage) == (Outcome.REACHED, Stage.RECIPIENT)
    line = await lab.postfix.server.line(rf"disconnect from \S*\[{STATIC[0]}\]", since=since)
    assert "ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 rset=1 quit=1 commands=8" in line


async def test_caldav_to_the_calendars(lab: Laboratory, ann: User, probing: Probing, firewall: Firewall) -> None:
    seen = await probing.observe(Service.CALDAV, HOST, SERVER, STATIC[0], login=(ann.address, ann.password))
    assert (seen.outcome, seen.stage, seen.tls) == (Outcome.REACHED, Stage.CALENDAR, TlsMode.IMPLICIT)
    assert seen.passed == (
        Stage.CONNECT,
        Stage.TLS,
        Stage.GREETING,
        Stage.CAPABILITY,
        Stage.LOGIN,
        Stage.CALENDAR,
    )
    assert "AUTH=BASIC" in seen.offers


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (Service.IMAP, "NO [AUTHENTICATIONFAILED] Authentication failed."),
        (Service.SMTP, "535 5.7.8 Error: authentication failed:"),
        (Service.CALDAV, "401 Unauthorized"),
    ],
)
async def test_a_wrong_password(ann: User, probing: Probing, firewall: Firewall, service: Service, said: str) -> None:
    seen = await probing.observe(service, HOST, SERVER, STATIC[0], login=(ann.address, "wrong-password"))
    assert (seen.outcome, seen.stage, seen.depth) == (Outcome.CREDENTIALS, Stage.LOGIN, Depth.FULL)
    assert seen.said.startswith(said)


async def test_a_filter_that_looks_like_a_wrong_password(lab: Laboratory, probing: Probing, firewall: Firewall) -> None:
    """Dovecot's allow_nets: byte for byte a wrong password, so that only two addresses together tell it."""
    bob = lab.user("bob-probed", allow_nets=(f"{STATIC[0]}/32",))
    login = (bob.address, bob.password)
    static = await probing.observe(Service.IMAP, HOST, SERVER, STATIC[0], login=login)
    dynamic = await probing.observe(Service.IMAP, HOST, SERVER, DYNAMIC[0], login=login)
    assert (static.outcome, static.stage) == (Outcome.REACHED, Stage.LIST)
    assert (dynamic.outcome, dynamic.stage) == (Outcome.CREDENTIALS, Stage.LOGIN)
    assert dynamic.said == "NO [AUTHENTICATIONFAILED] Authentication failed."


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("REJECT", Outcome.POLICY),
        ("554 5.7.1 not from there", Outcome.POLICY),
        ("554 5.7.1 blocked using zen.spamhaus.org", Outcome.LISTED),
        ("450 4.7.1 too many connections, try again later", Outcome.LIMITED),
    ],
)
async def test_a_filter_that_waits_for_the_recipient(
    lab: Laboratory, ann: User, probing: Probing, firewall: Firewall, answer: str, outcome: Outcome
) -> None:
    lab.postfix.refuse_clients({DYNAMIC[0]: answer})
    login = (ann.address, ann.password)
    seen = await probing.observe(Service.SMTP, HOST, SERVER, DYNAMIC[0], login=login)
    static = await probing.observe(Service.SMTP, HOST, SERVER, STATIC[0], login=login)
    lab.postfix.refuse_clients({})
    assert (seen.outcome, seen.stage) == (outcome, Stage.RECIPIENT)
    assert "Client host rejected" in seen.said
    assert static.outcome is Outcome.REACHED


@pytest.mark.parametrize("service", [Service.IMAP, Service.SMTP])
@pytest.mark.parametrize("mode", list(TlsMode))
@pytest.mark.parametrize("host", ["expired.lab.test", "selfsigned.lab.test", "wrongname.lab.test"])
async def test_certificates(
    lab: Laboratory, probing: Probing, firewall: Firewall, host: str, service: Service, mode: TlsMode
) -> None:
    ports = {(Service.IMAP, TlsMode.IMPLICIT): 993, (Service.IMAP, TlsMode.STARTTLS): 143}
    ports |= {(Service.SMTP, TlsMode.IMPLICIT): 465, (Service.SMTP, TlsMode.STARTTLS): 587}
    seen = await probing.observe(service, host, SERVER, STATIC[0], port=ports[service, mode])
    assert (seen.outcome, seen.stage, seen.tls) == (Outcome.CERTIFICATE, Stage.TLS, mode)
    assert seen.certificate is not None
    assert seen.certificate.names == (("someone-else.test",) if host.startswith("wrong") else (host,))
    problem = {"e": "has expired", "s": "self-signed", "w": "not valid for"}[host[0]]
    assert problem in seen.certificate.problem


@pytest.mark.parametrize(
    ("service", "port", "mode", "outcome", "stage", "spoken"),
    [
        (Service.IMAP, 143, TlsMode.IMPLICIT, Outcome.NOT_TLS, Stage.TLS, "imap"),
        (Service.SMTP, 587, TlsMode.IMPLICIT, Outcome.NOT_TLS, Stage.TLS, "smtp"),
        (Service.IMAP, 587, TlsMode.STARTTLS, Outcome.OTHER_PROTOCOL, Stage.GREETING, "smtp"),
        (Service.SMTP, 993, TlsMode.IMPLICIT, Outcome.OTHER_PROTOCOL, Stage.GREETING, "imap"),
        (Service.CALDAV, 587, None, Outcome.NOT_TLS, Stage.TLS, "smtp"),
    ],
)
async def test_the_wrong_port(
    probing: Probing,
    firewall: Firewall,
    service: Service,
    port: int,
    mode: TlsMode | None,
    outcome: Outcome,
    stage: Stage,
    spoken: str,
) -> None:
    seen = await probing.observe(service, HOST, SERVER, STATIC[0], port=port, tls=mode)
    assert (seen.outcome, seen.stage, seen.spoken) == (outcome, stage, spoken)


async def test_a_port_for_tls_asked_for_starttls(probing: Probing, firewall: Firewall) -> None:
    impatient = Probing(probing.database, probing.ledger, probing.pools, limits=Limits(greeting_s=0.5))
    seen = await impatient.observe(Service.IMAP, HOST, SERVER, STATIC[0], port=993, tls=TlsMode.STARTTLS)
    assert (seen.outcome, seen.spoken) == (Outcome.NO_STARTTLS, "tls")
    assert seen.certificate is not None


async def test_our_own_firewall_is_no_fault_of_the_server(
    probing: Probing, firewall: Firewall, own_firewall: None
) -> None:
    for source, address in ((STATIC[0], SERVER), (STATIC6[0], SERVER6)):
        seen = await probing.observe(Service.IMAP, HOST, address, source)
        assert (seen.outcome, seen.stage) == (Outcome.OURS, Stage.CONNECT)
        assert "firewall of this host itself" in seen.detail
    assert firewall.sources() == set()


@pytest.fixture
def own_firewall() -> Iterator[None]:
    """Rules of our own host that let nothing of the static addresses out."""
    nft = program("nft", package="nftables")
    rules = f"""table inet ours {{ chain out {{ type filter hook output priority 0;
      ip saddr {STATIC[0]} tcp dport 993 reject with icmp type admin-prohibited
      ip6 saddr {STATIC6[0]} tcp dport 993 reject with icmpv6 type admin-prohibited
    }}
    }}"""
    run(nft, "-f", "-", stdin=rules)
    yield
    run(nft, "delete", "table", "inet", "ours")


@pytest.mark.parametrize(
    ("how", "outcome"),
    [(Verdict.DROP, Outcome.SILENT), (Verdict.RESET, Outcome.RESET), (Verdict.PROHIBITED, Outcome.UNREACHABLE)],
)
async def test_through_a_proxy_what_the_proxy_tells(
    probing: Probing, firewall: Firewall, proxied: Probing, how: Verdict, outcome: Outcome
) -> None:
    seen = await proxied.observe(Service.IMAP, HOST, SERVER, "proxied")
    assert (seen.outcome, seen.local, seen.rtt_ms) == (Outcome.REACHED, "", None)
    firewall.reject([PROXIES[1]], how=how)
    seen = await proxied.observe(Service.IMAP, HOST, SERVER, "proxied")
    assert (seen.outcome, seen.stage, seen.icmp) == (outcome, Stage.CONNECT, None)


async def test_a_proxy_that_is_down_is_ours(probing: Probing, firewall: Firewall) -> None:
    proxied = through(probing, "socks5", PROXIES[2], 1080)
    seen = await proxied.observe(Service.IMAP, HOST, SERVER, "proxied")
    assert (seen.outcome, seen.stage) == (Outcome.OURS, Stage.CONNECT)
    assert firewall.sources() == set()


@pytest.fixture
def proxied(lab: Laboratory, probing: Probing) -> Iterator[Probing]:
    """A prober that leaves through a proxy."""
    proxy = lab.microsocks()
    yield through(probing, "socks5", proxy.address, 1080)
    proxy.server.stop()


def through(probing: Probing, carrier: str, host: str, port: int) -> Probing:
    source = SourceConfig("proxied", ip_address(host), Via(Carrier(carrier), host=host, port=port))
    return Probing(probing.database, probing.ledger, {Vantage.STATIC: [source]})
