"""Settings are detected at real servers: from the right addresses, without a login, and whatever the domain answers."""

from collections.abc import AsyncGenerator

import pytest

from mooring.config import Generation
from mooring.net import Endpoint
from mooring.net.tls import client_context
from mooring.providers import Origin, Provider, Service
from mooring.store import Database
from tests.lab import DYNAMIC, STATIC, Firewall, Laboratory
from tests.postgres import database, database_url, migrated_template, postgres_server
from tests.servers.discoverable import DNS, Exits, application, exits_over, lab_name_server, web_host
from tests.unit.providers.outsides import FILE

__all__ = ["database", "database_url", "migrated_template", "postgres_server"]

FILE_AT = "GET autoconfig.corp.test/mail/config-v1.1.xml"
OWN_FILE_AT = "GET corp.test/.well-known/autoconfig/mail/config-v1.1.xml"
NAMES = ("corp.test", "autoconfig.corp.test", "autodiscover.corp.test", "dav.corp.test")


@pytest.fixture
async def exits(lab: Laboratory, database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Exits]:
    monkeypatch.setenv("SSL_CERT_FILE", str(lab.trust))
    client_context.cache_clear()
    async with exits_over(database) as held:
        yield held
    client_context.cache_clear()


async def test_guesses_and_calendars_at_real_servers_from_static_addresses_alone(
    lab: Laboratory, firewall: Firewall, exits: Exits
) -> None:
    assert lab.postfix
    assert lab.radicale
    logins = len(lab.dovecot.logins())
    found = await exits.detection().detect(application(), "ann@lab.test")
    assert found.provider is Provider.IMAP
    assert [(p.service, p.host, p.port, p.origin) for p in found.servers] == [
        (Service.IMAP, "imap.lab.test", 993, Origin.GUESS),
        (Service.SMTP, "smtp.lab.test", 465, Origin.GUESS),
        (Service.CALDAV, "lab.test", 443, Origin.WELL_KNOWN),
    ]
    assert firewall.sources() == {STATIC[0]}
    assert await exits.dialled() == {("discovery", "v3-us-static", STATIC[0])}
    assert len(lab.dovecot.logins()) == logins
    assert {c.remote_ip for c in lab.postfix.connections()} >= {STATIC[0]}


async def test_v2_detects_from_where_it_authenticates(lab: Laboratory, firewall: Firewall, exits: Exits) -> None:
    assert lab.postfix
    found = await exits.detection().detect(application(Generation.V2), "ann@lab.test")
    assert found.provider is Provider.IMAP
    assert firewall.sources() == {DYNAMIC[1]}


async def test_starttls_where_there_is_nothing_else(lab: Laboratory, firewall: Firewall, exits: Exits) -> None:
    assert lab.postfix
    firewall.reject([STATIC[0]], [993, 465])
    found = await exits.detection().detect(application(), "ann@lab.test")
    assert [(p.port, p.tls) for p in found.servers[:2]] == [(143, "starttls"), (587, "starttls")]


async def test_a_filtered_server_is_proposed_and_not_claimed(lab: Laboratory, firewall: Firewall, exits: Exits) -> None:
    assert lab.dovecot
    firewall.close()
    found = await exits.detection().detect(application(), "ann@lab.test")
    assert found.provider is None
    [imap] = [p for p in found.servers if p.service is Service.IMAP and p.host == "imap.lab.test"]
    assert imap.is_silent
    assert "imap.lab.test:993 was not heard within 4 s." in found.notes


async def test_an_autoconfig_file(lab: Laboratory, firewall: Firewall, exits: Exits) -> None:
    moved = {"status": 302, "headers": {"Location": "https://dav.corp.test/dav/"}}
    answers = {
        FILE_AT: {"status": 200, "body": FILE},
        "PROPFIND corp.test/.well-known/caldav": moved,
        "PROPFIND dav.corp.test/dav/": {"status": 401, "headers": {"WWW-Authenticate": 'Basic realm="dav"'}},
    }
    with web_host(lab, NAMES, answers) as host:
        found = await exits.detection().detect(application(), "ann@corp.test")
    assert [(p.service, p.host, p.port, p.origin) for p in found.servers] == [
        (Service.IMAP, "imap.example.org", 993, Origin.AUTOCONFIG),
        (Service.SMTP, "smtp.corp.test", 587, Origin.AUTOCONFIG),
        (Service.CALDAV, "dav.corp.test", 443, Origin.WELL_KNOWN),
    ]
    assert found.server(Service.CALDAV).url == "https://dav.corp.test/dav"  # type: ignore[union-attr]
    asked = host.asked
    assert {one["ip"] for one in asked} == {STATIC[0]}
    assert {name for one in asked for name in one["headers"]}.isdisjoint({"authorization", "cookie"})
    shown = {one["host"] for one in asked if "ann" in one["path"]}
    assert shown == {"autoconfig.corp.test", "corp.test"}


async def test_exchange(lab: Laboratory, firewall: Firewall, exits: Exits) -> None:
    login = {"status": 401, "headers": {"WWW-Authenticate": "NTLM"}}
    answers = {"GET autodiscover.corp.test/autodiscover/autodiscover.xml": login}
    with web_host(lab, NAMES, answers):
        found = await exits.detection().detect(application(), "ann@corp.test")
    assert found.provider is Provider.EWS
    assert [(p.service, p.host) for p in found.servers] == [(Service.EWS, "autodiscover.corp.test")]


@pytest.mark.parametrize(
    "answer",
    [
        {"behaves": "endless"},
        {"behaves": "drips"},
        {"status": 302, "headers": {"Location": "https://169.254.169.254/latest"}},
        {"status": 302, "headers": {"Location": "https://127.0.0.1:8025/"}},
        {"status": 302, "headers": {"Location": "http://corp.test/"}},
        {"status": 302, "headers": {"Location": "https://xn--a/"}},
        {"status": 302, "headers": {"Location": "file:///etc/passwd"}},
        {"status": 302, "headers": {"Location": "https://autoconfig.corp.test/mail/config-v1.1.xml"}},
        {"status": 200, "headers": {"Content-Encoding": "gzip"}, "body": FILE[:40]},
        {"status": 200, "body": '<!DOCTYPE c [<!ENTITY a "aaaa">]><clientConfig>&a;</clientConfig>'},
        {"status": 200, "body": "<clientConfig>" * 4000},
    ],
)
async def test_a_web_host_that_misbehaves_is_passed_over(
    lab: Laboratory, firewall: Firewall, exits: Exits, answer: dict[str, object]
) -> None:
    honest = {"status": 200, "body": FILE}
    with web_host(lab, NAMES, {FILE_AT: answer, OWN_FILE_AT: honest}) as host:
        found = await exits.detection().detect(application(), "ann@corp.test")
        assert found.provider is Provider.IMAP
        if answer.get("behaves") == "endless":
            line = await host.server.line("hung up after")
            assert int(line.split()[3]) < 16 * 1024 * 1024
    assert {entry.remote for entry in await exits.ledger.entries(limit=100)}.isdisjoint(
        {"169.254.169.254", "127.0.0.1"}
    )


async def test_srv_records_of_a_real_name_server(lab: Laboratory, firewall: Firewall, exits: Exits) -> None:
    with lab_name_server(
        "srv-host=_imaps._tcp.corp.test,imap.lab.test,993",
        "srv-host=_submission._tcp.corp.test,smtp.lab.test,587",
        "srv-host=_caldavs._tcp.corp.test,dav.lab.test,443",
        "mx-host=corp.test,mail.lab.test,10",
    ):
        found = await exits.detection(names=DNS).detect(application(), "ann@corp.test")
    assert [(p.host, p.port, p.tls, p.origin) for p in found.servers] == [
        ("imap.lab.test", 993, "implicit", Origin.SRV),
        ("smtp.lab.test", 587, "starttls", Origin.SRV),
        ("dav.lab.test", 443, "implicit", Origin.SRV),
    ]
    assert await exits.dialled() == set()


async def test_where_mail_goes_by_a_real_name_server(lab: Laboratory, firewall: Firewall, exits: Exits) -> None:
    with lab_name_server("mx-host=corp.test,corp-test.mail.protection.outlook.com,0"):
        found = await exits.detection(names=DNS).detect(application(), "ann@corp.test")
    assert (found.provider, found.type) == (Provider.MICROSOFT, "office365")
    assert await exits.ledger.entries() == []


async def test_a_domain_that_leads_inside(lab: Laboratory, firewall: Firewall, exits: Exits) -> None:
    assert lab.dovecot
    found = await exits.detection(allow="192.0.2.0/24").detect(application(), "ann@lab.test")
    assert (found.provider, found.servers) == (None, ())
    assert any(note.startswith("imap.lab.test leads to where Mooring does not dial") for note in found.notes)
    assert "10.99" not in "".join(found.notes)
    assert await exits.dialled() == set()
    assert firewall.sources() == set()


async def test_a_domain_that_does_not_exist(lab: Laboratory, exits: Exits) -> None:
    found = await exits.detection().detect(application(), "ann@nowhere.test")
    assert (found.provider, found.servers) == (None, ())


async def test_without_any_name_server(lab: Laboratory, firewall: Firewall, exits: Exits) -> None:
    unreachable = Endpoint("192.0.2.53", 53)
    assert lab.postfix
    found = await exits.detection(names=unreachable).detect(application(), "ann@lab.test")
    assert found.provider is Provider.IMAP
    assert "No name server answered for the SRV and MX records of lab.test." in found.notes
