"""What the table, SRV records and autoconfig files propose."""

import pytest

from mooring.errors import RemoteProtocolError
from mooring.net import TlsMode
from mooring.net.records import MxRecord, SrvRecord
from mooring.providers import autoconfig, guesses, records, table
from mooring.providers.address import domain_of
from mooring.providers.hosting import HOSTING
from mooring.providers.mailboxes import MAILBOXES
from mooring.providers.ports import is_sensible
from mooring.providers.types import Origin, Proposal, Provider, Service, Username
from tests.unit.providers.outsides import FILE

EMAIL, DOMAIN = "ann.b@example.org", "example.org"


def read(body: str) -> tuple[Proposal, ...]:
    return autoconfig.proposals(
        body.encode(), email=EMAIL, domain=DOMAIN, host="autoconfig.example.org", origin=Origin.AUTOCONFIG
    )


def server(
    *, host: str = "imap.example.org", port: str = "993", tls: str = "SSL", username: str = "%EMAILADDRESS%"
) -> str:
    return (
        f'<clientConfig><emailProvider><incomingServer type="imap"><hostname>{host}</hostname><port>{port}</port>'
        f"<socketType>{tls}</socketType><username>{username}</username></incomingServer></emailProvider></clientConfig>"
    )


def test_every_entry_of_the_table_can_be_dialled() -> None:
    domains: list[str] = []
    for known in (*MAILBOXES, *HOSTING):
        domains += known.domains
        assert known.domains or known.mx, known.name
        assert not known.servers or {s.service for s in known.servers} >= {Service.IMAP, Service.SMTP}, known.name
        for proposal in known.proposals(Origin.TABLE):
            assert domain_of(proposal.host) == proposal.host
            assert is_sensible(proposal.service, proposal.port)
        for end in known.mx:
            assert domain_of(end.removeprefix(".")), end
    assert sorted(domains) == sorted(set(domains)), "a domain has two providers"
    assert all(domain_of(domain) == domain for domain in domains)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("aspmx.l.google.com", "gmail"),
        ("alt1.aspmx.l.google.com", "gmail"),
        ("smtp.google.com", "gmail"),
        ("example-org.mail.protection.outlook.com", "office365"),
        ("example-org.a-v1.mx.microsoft", "office365"),
        ("mx-eu.mail.am0.yahoodns.net", "yahoo"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("mx00.kundenserver.de", "ionos"),
    ],
)
def test_where_mail_goes_tells_the_provider(host: str, name: str) -> None:
    known = table.by_mx([host])
    assert known is not None
    assert known.name == name


@pytest.mark.parametrize("host", ["mx.example.org", "l.google.com.example.org", "notsmtp.google.com", "evilrzone.de"])
def test_a_host_that_only_looks_like_a_providers_is_nobodys(host: str) -> None:
    assert table.by_mx([host]) is None


def test_a_local_part_is_the_user_name_only_at_the_providers_own_domains() -> None:
    known = table.by_domain("icloud.com")
    assert known is not None
    assert known.provider is Provider.ICLOUD
    assert known.proposals(Origin.TABLE)[0].login_of("ann@icloud.com") == "ann"
    assert known.proposals(Origin.MX)[0].login_of("ann@example.org") == "ann@example.org"


def test_srv_records_propose_tls_from_the_first_byte_before_starttls() -> None:
    found = records.proposals({
        "_imap._tcp": [SrvRecord(0, 1, 143, "imap.example.org")],
        "_imaps._tcp": [SrvRecord(0, 1, 993, "imaps.example.org"), SrvRecord(5, 1, 993, "later.example.org")],
        "_submissions._tcp": [SrvRecord(0, 0, 0, "")],
        "_submission._tcp": [SrvRecord(0, 1, 587, "smtp.example.org")],
        "_caldavs._tcp": [SrvRecord(0, 1, 8443, "dav.example.org")],
    })  # fmt: skip
    imap, smtp, caldav = found
    assert (imap.host, imap.port, imap.tls) == ("imaps.example.org", 993, TlsMode.IMPLICIT)
    assert (smtp.host, smtp.port, smtp.tls) == ("smtp.example.org", 587, TlsMode.STARTTLS)
    assert caldav.url == "https://dav.example.org:8443/.well-known/caldav"


@pytest.mark.parametrize("target", ["127.0.0.1", "localhost", "a b.example.org", "x" * 64 + ".example.org"])
def test_srv_records_that_name_no_host_propose_nothing(target: str) -> None:
    assert records.proposals({"_imaps._tcp": [SrvRecord(0, 1, 993, target)]}) == ()


def test_mail_hosts_in_order_and_none_where_no_mail_is_taken() -> None:
    assert records.mail_hosts([MxRecord(1, "b.example.org"), MxRecord(2, "a.example.org")]) == (
        "b.example.org",
        "a.example.org",
    )
    assert records.mail_hosts([MxRecord(0, "")]) == ()


def test_an_autoconfig_file() -> None:
    imap, smtp = read(FILE)
    assert (imap.service, imap.host, imap.port, imap.tls) == (Service.IMAP, "imap.example.org", 993, TlsMode.IMPLICIT)
    assert (smtp.service, smtp.host, smtp.port, smtp.tls) == (Service.SMTP, "smtp.example.org", 587, TlsMode.STARTTLS)
    assert (imap.login_of(EMAIL), smtp.login_of(EMAIL)) == (EMAIL, "ann.b")


@pytest.mark.parametrize(
    ("username", "form"),
    [
        ("%EMAILADDRESS%", Username.EMAIL),
        ("ANN.B@example.org", Username.EMAIL),
        ("", Username.EMAIL),
        ("%EMAILLOCALPART%", Username.LOCAL_PART),
        ("ann.b", Username.LOCAL_PART),
        ("u4711", Username.OTHER),
    ],
)
def test_a_user_name_is_a_form_and_nobodys_own(username: str, form: Username) -> None:
    [proposal] = read(server(username=username))
    assert proposal.username is form
    assert "4711" not in repr(proposal)


@pytest.mark.parametrize(
    "changed",
    [
        {"tls": "plain"},
        {"tls": ""},
        {"port": "22"},
        {"port": "0"},
        {"port": "65536"},
        {"port": "-1"},
        {"port": "99999999999"},
        {"port": "９９３"},
        {"host": ""},
        {"host": "127.0.0.1"},
        {"host": "169.254.169.254"},
        {"host": "a/b"},
        {"host": "http://example.org"},
        {"host": "localhost"},
    ],
)
def test_a_server_that_cannot_be_meant_is_left_out(changed: dict[str, str]) -> None:
    assert read(server(**changed)) == ()


def test_a_calendar_in_the_file() -> None:
    text = (
        '<clientConfig><emailProvider><calendar type="caldav"><serverURL>https://dav.example.org:8443/caldav/</serverURL>'
        "</calendar></emailProvider></clientConfig>"
    )
    [calendar] = read(text)
    assert calendar.url == "https://dav.example.org:8443/caldav"
    assert read(text.replace("https:", "http:")) == ()
    assert read(text.replace("/caldav/", "/%EMAILADDRESS%/"))[0].url == "https://dav.example.org:8443/"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><body>404</body></html>",
        "not XML",
        '<!DOCTYPE c [<!ENTITY a "b">]><clientConfig>&a;</clientConfig>',
        '<!DOCTYPE c SYSTEM "file:///etc/passwd"><clientConfig/>',
    ],
)
def test_what_is_no_autoconfig_file(body: str) -> None:
    with pytest.raises(RemoteProtocolError):
        read(body)


def test_a_file_of_many_servers_is_cut() -> None:
    many = "".join(
        f'<incomingServer type="imap"><hostname>i{n}.example.org</hostname><port>993</port><socketType>SSL</socketType>'
        "</incomingServer>"
        for n in range(500)
    )
    assert len(read(f"<clientConfig><emailProvider>{many}</emailProvider></clientConfig>")) == autoconfig.MOST_SERVERS


def test_guessed_names() -> None:
    assert guesses.hosts(Service.IMAP, DOMAIN, ()) == ("imap.example.org", "mail.example.org", "example.org")
    assert guesses.hosts(Service.SMTP, DOMAIN, ("mx1.hoster.co.uk", "mx2.hoster.co.uk")) == (
        "smtp.example.org",
        "mail.example.org",
        "mx1.hoster.co.uk",
        "example.org",
        "smtp.hoster.co.uk",
        "mail.hoster.co.uk",
    )
