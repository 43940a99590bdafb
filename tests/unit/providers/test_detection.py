"""The search over a scripted outside, and what is remembered of it."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from mooring.applications import Application
from mooring.errors import (
    ConnectionRefused,
    ConnectTimeout,
    InvalidRequest,
    MooringError,
    NoSource,
    ResolverTimeout,
    TargetNotAllowed,
    TLSFailed,
)
from mooring.net import TlsMode
from mooring.net.records import MxRecord, SrvRecord
from mooring.providers import Detected, Detection, Origin, Provider, Service
from mooring.providers.detection import FOUND_S, KNOCKS, NOT_FOUND_S
from mooring.providers.outside import Page
from tests.unit.api.things import V2_APPLICATION, V3_APPLICATION
from tests.unit.providers.outsides import FILE, FakeNames, FakeOutside, page

EMAIL = "ann@example.org"
AUTOCONFIG = "autoconfig.example.org/mail/config-v1.1.xml"
WELL_KNOWN = "example.org/.well-known/autoconfig/mail/config-v1.1.xml"
CALDAV = "example.org/.well-known/caldav"
AUTODISCOVER = "autodiscover.example.org/autodiscover/autodiscover.xml"
MX = {"example.org": [MxRecord(10, "mx.example.org")]}


class ManualClock:
    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at


@dataclass
class House:
    """Detection over fakes."""

    names: FakeNames = field(default_factory=FakeNames)
    outside: FakeOutside = field(default_factory=FakeOutside)
    clock: ManualClock = field(default_factory=ManualClock)
    ispdb: str = ""
    within_s: float = 8.0

    def __post_init__(self) -> None:
        self.detection = Detection(
            cast("Any", None),
            self.names,
            self.clock,
            ispdb=self.ispdb,
            within_s=self.within_s,
            outside=lambda application_id, environment, domain: self.outside,
        )

    async def detect(self, email: str = EMAIL, application: Application = V3_APPLICATION) -> Detected:
        return await self.detection.detect(application, email)


def servers(found: Detected) -> list[tuple[Service, str, int, Origin]]:
    return [(p.service, p.host, p.port, p.origin) for p in found.servers]


async def test_a_domain_of_the_table_is_asked_nothing() -> None:
    house = House()
    found = await house.detect("Ann+x@GMAIL.com")
    assert (found.provider, found.type, found.email) == (Provider.GOOGLE, "gmail", "Ann+x@GMAIL.com")
    assert house.names.asked == house.outside.fetched == []
    assert found.settings() == {
        "email": "Ann+x@GMAIL.com",
        "imap_host": "imap.gmail.com",
        "imap_port": 993,
        "imap_tls": "implicit",
        "imap_username": "Ann+x@GMAIL.com",
        "smtp_host": "smtp.gmail.com",
        "smtp_port": 465,
        "smtp_tls": "implicit",
        "smtp_username": "Ann+x@GMAIL.com",
    }


async def test_proton_has_nothing_to_connect_to() -> None:
    found = await House().detect("ann@proton.me")
    assert (found.provider, found.type, found.servers, found.settings()) == (None, "proton", (), {})
    assert "Bridge" in found.notes[0]


async def test_where_mail_goes_is_enough_and_nothing_is_dialled() -> None:
    house = House(FakeNames(mx_records={"example.org": [MxRecord(1, "example-org.mail.protection.outlook.com")]}))
    found = await house.detect()
    assert (found.provider, found.type) == (Provider.MICROSOFT, "office365")
    assert {p.origin for p in found.servers} == {Origin.MX}
    assert house.outside.fetched == []
    assert not house.outside.knocked


async def test_where_autodiscover_leads_tells_microsoft_behind_a_filter() -> None:
    names = FakeNames(
        mx_records={"example.org": [MxRecord(1, "mx.filter.test")]},
        aliases={"autodiscover.example.org": "autodiscover.outlook.com"},
    )
    house = House(names)
    found = await house.detect()
    assert (found.provider, found.type) == (Provider.MICROSOFT, "office365")
    assert {p.origin for p in found.servers} == {Origin.AUTODISCOVER}
    assert house.outside.fetched == []


async def test_srv_records() -> None:
    names = FakeNames({
        "_imaps._tcp.example.org": [SrvRecord(0, 1, 993, "mail.example.org")],
        "_submissions._tcp.example.org": [SrvRecord(0, 1, 465, "mail.example.org")],
        "_caldavs._tcp.example.org": [SrvRecord(0, 1, 443, "dav.example.org")],
    })  # fmt: skip
    house = House(names)
    found = await house.detect()
    assert found.provider is Provider.IMAP
    assert servers(found) == [
        (Service.IMAP, "mail.example.org", 993, Origin.SRV),
        (Service.SMTP, "mail.example.org", 465, Origin.SRV),
        (Service.CALDAV, "dav.example.org", 443, Origin.SRV),
    ]
    assert house.outside.fetched == []
    assert not house.outside.knocked


async def test_srv_records_that_lead_to_a_known_provider_name_it() -> None:
    names = FakeNames({"_imaps._tcp.example.org": [SrvRecord(0, 1, 993, "imap.fastmail.com")]})
    found = await House(names).detect()
    assert (found.provider, found.type) == (Provider.IMAP, "fastmail")
    assert servers(found)[0] == (Service.IMAP, "imap.fastmail.com", 993, Origin.SRV)
    assert found.settings()["smtp_host"] == "smtp.fastmail.com"


@pytest.mark.parametrize("place", [AUTOCONFIG, WELL_KNOWN])
async def test_an_autoconfig_file_of_the_domain(place: str) -> None:
    house = House(FakeNames(mx_records=MX), FakeOutside({place: page(f"https://{place}", FILE)}))
    found = await house.detect()
    assert found.provider is Provider.IMAP
    assert servers(found) == [
        (Service.IMAP, "imap.example.org", 993, Origin.AUTOCONFIG),
        (Service.SMTP, "smtp.example.org", 587, Origin.AUTOCONFIG),
    ]
    assert found.settings()["smtp_username"] == "ann"
    assert not house.outside.knocked


async def test_only_the_domains_autoconfig_places_are_shown_the_address() -> None:
    house = House(ispdb="https://ispdb.test/v1.1/")
    await house.detect("ann+b&c@example.org")
    shown = {url.partition("?")[0]: url for url in house.outside.fetched if "ann" in url}
    assert set(shown) == {f"https://{AUTOCONFIG}", f"https://{WELL_KNOWN}"}
    assert shown[f"https://{AUTOCONFIG}"].endswith("?emailaddress=ann%2Bb%26c@example.org")
    assert "https://ispdb.test/v1.1/example.org" in house.outside.fetched


async def test_the_ispdb_is_asked_for_the_domain_and_for_who_takes_its_mail() -> None:
    file = page("https://ispdb.test/v1.1/hoster.test", FILE)
    house = House(
        FakeNames(mx_records={"example.org": [MxRecord(1, "mx1.hoster.test")]}),
        FakeOutside({"ispdb.test/v1.1/hoster.test": file}),
        ispdb="https://ispdb.test/v1.1",
    )
    found = await house.detect()
    assert {p.origin for p in found.servers} == {Origin.ISPDB}


async def test_a_website_for_everything_is_no_file_and_no_calendar() -> None:
    website = {place: page(f"https://{place}", "<html>") for place in (AUTOCONFIG, WELL_KNOWN, CALDAV, AUTODISCOVER)}
    found = await House(outside=FakeOutside(website)).detect()
    assert (found.provider, found.servers) == (None, ())


async def test_the_well_known_place_of_calendars_where_it_leads_to() -> None:
    pages = {CALDAV: page("https://dav.hoster.test:8443/dav/?x", status=401, challenges=("basic",))}
    found = await House(outside=FakeOutside(pages)).detect()
    assert [p.url for p in found.servers] == ["https://dav.hoster.test:8443/dav"]
    assert found.provider is None


@pytest.mark.parametrize(("challenges", "is_exchange"), [(("ntlm", "negotiate"), True), (("basic",), False)])
async def test_exchange_by_how_autodiscover_asks_for_a_login(challenges: tuple[str, ...], is_exchange: bool) -> None:
    pages = {AUTODISCOVER: page(f"https://{AUTODISCOVER}", status=401, challenges=challenges)}
    found = await House(outside=FakeOutside(pages)).detect()
    assert found.provider is (Provider.EWS if is_exchange else None)


async def test_a_greeting_decides_about_a_guess() -> None:
    refused = ConnectionRefused("imap.example.org:993 refused the connection")
    greeting: dict[tuple[str, int], MooringError | None] = {
        ("imap.example.org", 993): refused,
        ("imap.example.org", 143): TLSFailed("imap.example.org does not speak TLS", reason="not_tls"),
        ("mail.example.org", 993): refused,
        ("mail.example.org", 143): None,
        ("smtp.example.org", 465): None,
    }
    house = House(outside=FakeOutside(greeting=greeting))
    found = await house.detect()
    assert found.provider is Provider.IMAP
    imap, smtp = found.servers
    assert (imap.host, imap.port, imap.tls, imap.origin) == ("mail.example.org", 143, TlsMode.STARTTLS, Origin.GUESS)
    assert (smtp.host, smtp.port, smtp.tls) == ("smtp.example.org", 465, TlsMode.IMPLICIT)
    assert max(house.outside.knocked.values()) == 1
    assert "imap.example.org:993 refused the connection." in found.notes


async def test_a_silent_guess_is_proposed_and_nothing_is_claimed() -> None:
    silent = ConnectTimeout("imap.example.org:993 was not heard within 4 s")
    house = House(outside=FakeOutside(greeting={("imap.example.org", 993): silent}))
    found = await house.detect()
    assert found.provider is None
    [proposal] = found.servers
    assert (proposal.host, proposal.is_silent) == ("imap.example.org", True)
    assert found.settings()["imap_host"] == "imap.example.org"
    assert house.outside.knocked["imap.example.org", 143] == 0


async def test_what_greets_comes_before_what_is_silent() -> None:
    silent = ConnectTimeout("imap.example.org:993 was not heard within 4 s")
    greeting = {("imap.example.org", 993): silent, ("mail.example.org", 993): None}
    found = await House(outside=FakeOutside(greeting=greeting)).detect()
    assert [(p.host, p.is_silent) for p in found.servers] == [("mail.example.org", False), ("imap.example.org", True)]


async def test_nobodys_hosts_are_knocked_at_without_end() -> None:
    refused = ConnectionRefused("victim.test:993 refused the connection")
    greeting: dict[tuple[str, int], MooringError | None] = {
        (host, port): refused
        for host in ("mx.victim.test", "imap.victim.test", "smtp.victim.test", "mail.victim.test")
        for port in (993, 143, 465, 587)
    }
    domains = [f"evil{number}.test" for number in range(20)]
    names = FakeNames(mx_records={domain: [MxRecord(1, "mx.victim.test")] for domain in domains})
    house = House(names, FakeOutside(greeting=greeting))
    answers = [await house.detect(f"ann@{domain}") for domain in domains]
    assert sum(n for (host, _), n in house.outside.knocked.items() if host.endswith(".victim.test")) == KNOCKS.burst
    assert any("was left alone" in note for note in answers[-1].notes)


async def test_a_domain_that_leads_inside_is_told_without_where_it_leads() -> None:
    inside = TargetNotAllowed("imap.example.org is not a target that Mooring dials: 10.0.0.1 is not a public address")
    house = House(
        outside=FakeOutside({CALDAV: inside}, {("imap.example.org", 993): inside, ("mail.example.org", 993): inside})
    )
    found = await house.detect()
    assert (found.provider, found.servers) == (None, ())
    assert {note.split(" ")[0] for note in found.notes} == {"example.org", "imap.example.org", "mail.example.org"}
    assert "10.0.0.1" not in "".join(found.notes)
    assert house.outside.knocked["imap.example.org", 143] == 0


async def test_without_name_servers_the_rest_is_asked() -> None:
    house = House(FakeNames(failure=ResolverTimeout("no")), FakeOutside({AUTOCONFIG: page("https://a.test", FILE)}))
    found = await house.detect()
    assert found.provider is Provider.IMAP
    assert found.notes == ("No name server answered for the SRV and MX records of example.org.",)


async def test_our_own_exit_is_never_taken_for_a_domain_without_servers() -> None:
    ours = NoSource("this installation declares no pool v3-us-static", reason="unknown_pool")
    house = House(outside=FakeOutside({AUTOCONFIG: ours}, {("imap.example.org", 993): ours}))
    for _ in range(2):
        with pytest.raises(NoSource):
            await house.detect()
    assert house.outside.knocked["imap.example.org", 993] == 2


async def test_what_never_answers_ends_in_time_with_what_is_known() -> None:
    pages: dict[str, Page | MooringError | None] = dict.fromkeys((AUTOCONFIG, WELL_KNOWN, CALDAV, AUTODISCOVER))
    names = FakeNames({"_imaps._tcp.example.org": [SrvRecord(0, 1, 993, "mail.example.org")]})
    found = await House(names, FakeOutside(pages), within_s=0.05).detect()
    assert found.provider is Provider.IMAP
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_domain_is_remembered_and_no_address() -> None:
    house = House(FakeNames(mx_records=MX), FakeOutside({AUTOCONFIG: page("https://a.test", FILE)}))
    first, second = await asyncio.gather(house.detect("ann@example.org"), house.detect("bob@EXAMPLE.org"))
    asked = len(house.names.asked)
    third = await house.detect("Cid@example.org", replace(V3_APPLICATION, id="another"))
    assert len(house.names.asked) == asked
    assert [f.settings()["smtp_username"] for f in (first, second, third)] == ["ann", "bob", "Cid"]
    assert [f.email for f in (first, second, third)] == ["ann@example.org", "bob@EXAMPLE.org", "Cid@example.org"]
    house.clock.at = FOUND_S - 1
    await house.detect()
    assert len(house.names.asked) == asked
    house.clock.at = FOUND_S + 1
    await house.detect()
    assert len(house.names.asked) == 2 * asked


async def test_what_names_one_user_is_nobody_elses_not_even_at_the_same_moment() -> None:
    his = FILE.replace("imap.example.org", "u-ann.smith.example.org")
    pages: dict[str, Page | MooringError | None] = {
        f"{AUTOCONFIG}?emailaddress=ann.smith@example.org": page("https://a.test", his),
        AUTOCONFIG: page("https://a.test", FILE),
    }
    house = House(outside=FakeOutside(pages))
    another = replace(V3_APPLICATION, id="another")
    ann, rob, eve, again = await asyncio.gather(
        house.detect("ann.smith@example.org"),
        house.detect("rob@example.org", another),
        house.detect("eve@example.org", another),
        house.detect("ann.smith@example.org"),
    )
    assert [f.settings()["imap_host"] for f in (ann, again)] == ["u-ann.smith.example.org"] * 2
    assert [(f.email, f.settings()["imap_host"]) for f in (rob, eve)] == [
        ("rob@example.org", "imap.example.org"), ("eve@example.org", "imap.example.org"),
    ]  # fmt: skip
    told = repr((rob, eve)) + repr(await house.detect("cid@example.org", another))
    assert "ann.smith" not in told
    for local_part in ("rob", "eve"):
        assert f"https://{AUTOCONFIG}?emailaddress={local_part}@example.org" in house.outside.fetched


async def test_what_was_not_found_is_looked_for_again_sooner() -> None:
    house = House()
    await house.detect()
    asked = len(house.names.asked)
    house.clock.at = NOT_FOUND_S + 1
    await house.detect()
    assert len(house.names.asked) == 2 * asked


async def test_environments_share_nothing() -> None:
    house = House()
    await house.detect()
    await house.detect(application=V2_APPLICATION)
    assert len(house.names.asked) == 2 * len(set(house.names.asked))


async def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        await House().detect("example.org")
