"""Where pages lead: followed to https alone, and to others' hosts only as often as one may knock there."""

from typing import Any, cast

import pytest

from mooring.providers import Detected, Detection
from mooring.providers.detection import KNOCKS
from mooring.providers.guesses import is_below
from tests.unit.api.things import V3_APPLICATION
from tests.unit.providers.outsides import FILE, FakeDialer, FakeNames, redirect
from tests.unit.providers.test_detection import ManualClock

FILE_AT = ("autoconfig.example.org", 443)
FOUND = f"HTTP/1.1 200 OK\r\nContent-Length: {len(FILE)}\r\nConnection: close\r\n\r\n{FILE}".encode()


async def detect(dialer: FakeDialer, *domains: str) -> list[Detected]:
    """What is found out about a user of each domain, one after the other."""
    detection = Detection(cast("Any", dialer), FakeNames(), ManualClock())
    return [await detection.detect(V3_APPLICATION, f"ann@{domain}") for domain in domains]


@pytest.mark.parametrize("port", [25, 465, 993, 1024, 3306, 8443])
@pytest.mark.parametrize("host", ["mail.victim.test", "192.0.2.7", "www.example.org"])
async def test_a_redirect_leads_to_no_other_port(host: str, port: int) -> None:
    dialer = FakeDialer({FILE_AT: redirect(f"https://{host}:{port}/"), (host, port): FOUND})
    await detect(dialer, "example.org")
    assert dialer.dialled[FILE_AT] == 1
    assert dialer.dialled[host, port] == 0


@pytest.mark.parametrize("place", ["https://www.victim.test/", "https://www.victim.test./", "https://VICTIM.test:443/"])
async def test_redirects_to_anothers_hosts_are_counted_with_what_is_guessed_there(place: str) -> None:
    domains = [f"sub{number}.evil.test" for number in range(KNOCKS.burst + 6)]
    dialer = FakeDialer({(f"autoconfig.{domain}", 443): redirect(place) for domain in domains})
    answers = await detect(dialer, *domains)
    assert sum(n for (host, _), n in dialer.dialled.items() if "victim" in host) == KNOCKS.burst
    assert any("victim.test was left alone" in note for note in answers[-1].notes)


async def test_redirects_within_the_domain_and_to_where_a_page_was_already_are_not_counted() -> None:
    there, here = redirect("https://www.example.org/file"), ("www.example.org", 443)
    strangers = [f"sub{number}.evil.test" for number in range(KNOCKS.burst + 1)]
    answers = {(f"autoconfig.{domain}", 443): there for domain in strangers}
    dialer = FakeDialer({**answers, FILE_AT: there, here: redirect("https://www.example.org/again")})
    await detect(dialer, *strangers)
    assert dialer.dialled[here] == 3 * KNOCKS.burst
    await detect(dialer, *strangers, "example.org")
    assert dialer.dialled[here] == 2 * 3 * KNOCKS.burst + 3


async def test_a_file_behind_a_redirect_is_read() -> None:
    dialer = FakeDialer({FILE_AT: redirect("https://hoster.test/file"), ("hoster.test", 443): FOUND})
    [found] = await detect(dialer, "example.org")
    assert found.settings()["imap_host"] == "imap.example.org"


@pytest.mark.parametrize(
    ("host", "domain", "own"),
    [
        ("example.org", "example.org", True), ("a.b.example.org", "example.org", True),
        ("b.example.org", "a.example.org", False), ("badexample.org", "example.org", False),
        ("victim.co.uk", "co.uk", False), ("victim.github.io", "github.io", False),
    ],
)  # fmt: skip
def test_what_is_the_domains_own(host: str, domain: str, own: bool) -> None:
    assert is_below(host, domain) is own
