"""Diagnoses in the dashboard: who asks and sees which, what a page shows, and what it never does."""

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from mooring.clock import SystemClock
from mooring.dashboard.app import create_dashboard
from mooring.dashboard.services import DIAGNOSES
from mooring.diagnosis import Ask, Asker, Diagnosis, Service
from mooring.store import Database
from tests.store.dashboard_site import Browser, Site, opened_site
from tests.store.grant_house import PASSWORD

HOST = "mail.bank.test"


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncGenerator[Site]:
    async with opened_site(database, tmp_path) as site:
        yield site


async def asked(browser: Browser, **fields: str) -> httpx.Response:
    """The answer to the form, filled in."""
    filled = {"about": HOST, "imap": "yes", "smtp": "yes", **fields}
    return await browser.post("/diagnoses", form_token=await browser.token("/lists"), **filled)


async def ended(site: Site, answer: httpx.Response) -> tuple[str, Diagnosis]:
    """The path of the diagnosis that was asked for, once it has ended."""
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"].removeprefix("/dashboard")
    async with site.diagnosing.running():
        return path, await site.diagnosing.ended(path.rpartition("/")[2])


async def test_an_administrator_asks_and_reads_the_verdict(site: Site) -> None:
    adam = await site.signed_in("adam")
    path, found = await ended(site, await asked(adam))
    assert (found.application_id, found.by) == (site.acme.id, "admin adam")
    page = (await adam.get(path)).text
    for told in (
        "Static addresses are needed", "It filters.", "As good as certain (97 %)", "For the mail administrator",
        "203.0.113.10", "Download report", "Diagnose again", HOST,
    ):  # fmt: skip
        assert told in page, told
    assert "sse-connect" not in page
    listed = (await adam.get("/diagnoses")).text
    assert re.search(rf'href="/dashboard{path}">{HOST}</a>', listed)
    assert "Static addresses are needed" in listed


async def test_an_operator_asks_on_behalf_of_an_application(site: Site) -> None:
    olga = await site.signed_in("olga")
    nobody = await asked(olga)
    assert nobody.status_code == 400
    assert "No application is chosen." in nobody.text
    _, found = await ended(site, await asked(olga, application=site.other.id, caldav="yes", imap_port="143"))
    assert (found.application_id, found.by) == (site.other.id, "operator olga")
    ports = [(t.service, t.port) for t in found.question.targets]
    assert ports == [(Service.IMAP, 143), (Service.SMTP, 465), (Service.CALDAV, 443)]


async def test_nobody_sees_or_asks_for_what_is_not_theirs(site: Site) -> None:
    olga, adam = await site.signed_in("olga"), await site.signed_in("adam")
    path, _ = await ended(site, await asked(olga, application=site.other.id))
    for hidden in (path, f"{path}/report.html", f"{path}/report.json", f"/diagnoses?again={path.rpartition('/')[2]}"):
        answer = await adam.get(hidden)
        assert answer.status_code == 404, hidden
        assert HOST not in answer.text
    assert "not yours to see" in (await adam.get(f"{path}/live")).text
    assert HOST not in (await adam.get("/diagnoses")).text
    assert HOST in (await olga.get("/diagnoses")).text
    assert (await asked(adam, grant_id=site.eve.id)).status_code == 404
    # Whose behalf it is on is not a form's to say.
    _, found = await ended(site, await asked(adam, application=site.other.id))
    assert found.application_id == site.acme.id
    assert (await adam.post("/diagnoses", about=HOST, imap="yes")).status_code == 403
    assert (await site.browser().get(path)).status_code == 303


async def test_a_password_is_never_shown_again(site: Site) -> None:
    adam = await site.signed_in("adam")
    refused = await asked(adam, about="http://[", username="ann", password=PASSWORD)
    assert refused.status_code == 400
    assert 'value="ann"' in refused.text
    assert 'role="alert"' in refused.text
    path, found = await ended(site, await asked(adam, username="ann@bank.test", password=PASSWORD))
    assert found.question.with_credentials
    [(_, secrets)] = site.diagnosing.investigator.asked
    assert set(secrets.passwords.values()) == {PASSWORD}
    page = (await adam.get(path)).text
    assert "has to be typed again" in page
    again = (await adam.get(f"/diagnoses?again={found.id}")).text
    assert f"<li>IMAP {HOST}:993, as ann@bank.test</li>" in again
    assert "sealed again, and erased" in again
    report = await adam.get(f"{path}/report.html")
    for text in (refused.text, page, again, report.text, (await adam.get(f"{path}/report.json")).text):
        assert PASSWORD not in text
    assert "ann@bank.test" not in report.text


async def again(browser: Browser, diagnosis: Diagnosis, **fields: str) -> httpx.Response:
    """The answer to "Diagnose again"."""
    return await browser.post("/diagnoses", form_token=await browser.token("/lists"), again=diagnosis.id, **fields)


async def test_again_asks_the_same_with_all_its_servers(site: Site) -> None:
    adam = await site.signed_in("adam")
    settings = {
        "imap_host": "in.bank.test", "imap_port": 143, "imap_tls": "starttls", "smtp_host": "out.bank.test",
        "caldav_url": "https://dav.bank.test:8443/cal/",
    }  # fmt: skip
    first = await site.diagnosing.diagnoses.ask(site.acme, Ask(email="ann@bank.test", settings=settings))
    async with site.diagnosing.running():
        first = await site.diagnosing.ended(first.id)
    page = (await adam.get(f"/diagnoses/{first.id}")).text
    assert f'<input type="hidden" name="again" value="{first.id}">' in page
    _, second = await ended(site, await again(adam, first))
    assert second.id != first.id
    assert (second.question.targets, second.question.email) == (first.question.targets, first.question.email)
    assert (second.application_id, second.by) == (site.acme.id, "admin adam")


async def test_again_with_a_login_wants_the_password_and_shows_it_to_the_same_servers(site: Site) -> None:
    adam = await site.signed_in("adam")
    settings = {"imap_host": "in.bank.test", "smtp_host": "out.bank.test", "imap_username": "ann"}
    secret = {**settings, "imap_password": PASSWORD}
    first = await site.diagnosing.diagnoses.ask(site.acme, Ask(settings=secret))
    async with site.diagnosing.running():
        first = await site.diagnosing.ended(first.id)
    refused = await again(adam, first)
    assert refused.status_code == 400
    assert "The password is missing" in refused.text
    assert "<li>SMTP out.bank.test:465, as ann</li>" in refused.text
    _, second = await ended(site, await again(adam, first, password=PASSWORD))
    assert second.question.targets == first.question.targets
    assert second.question.with_credentials
    (_, shown), (_, shown_again) = site.diagnosing.investigator.asked
    assert shown == shown_again


async def test_again_is_for_those_who_see_it_and_on_somebodys_behalf(site: Site) -> None:
    olga, adam = await site.signed_in("olga"), await site.signed_in("adam")
    _, others = await ended(site, await asked(olga, application=site.other.id))
    assert (await again(adam, others)).status_code == 404
    nobody = Asker("", str(site.acme.generation), site.acme.region)
    async with site.diagnosing.running():
        nobodys = await site.diagnosing.diagnoses.carry_out(
            Ask(host=HOST), nobody, by="operator olga", tell=lambda _: None
        )
    unchosen = await again(olga, nobodys)
    assert (unchosen.status_code, "No application is chosen." in unchosen.text) == (400, True)
    assert f"?again={nobodys.id}#ask-title" in (await olga.get(f"/diagnoses/{nobodys.id}")).text
    _, found = await ended(site, await again(olga, nobodys, application=site.other.id))
    assert (found.application_id, found.question.targets) == (site.other.id, nobodys.question.targets)


async def test_the_report_is_one_page_with_a_policy_of_its_own(site: Site) -> None:
    adam = await site.signed_in("adam")
    path, found = await ended(site, await asked(adam))
    report = await adam.get(f"{path}/report.html")
    [policy] = report.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert report.headers["cache-control"] == "no-store"
    assert not re.search(r"<script|<link|<img|src=|url\(|@import", report.text)
    document = (await adam.get(f"{path}/report.json")).json()
    assert (document["schema"], document["id"]) == ("mooring.diagnosis-report", found.id)
    assert document["allow"]["addresses"] == ["203.0.113.10"]


async def test_the_picture_fills_while_it_runs_and_the_stream_ends_with_the_verdict(site: Site) -> None:
    adam = await site.signed_in("adam")
    site.diagnosing.investigator.gate.clear()
    answer = await asked(adam)
    path = answer.headers["location"].removeprefix("/dashboard")
    waiting = await adam.get(path)
    assert "It waits for its turn." in waiting.text
    assert f'sse-connect="/dashboard{path}/live' in waiting.text
    assert (await adam.get(f"{path}/report.html")).status_code == 409
    async with site.diagnosing.running():
        await site.diagnosing.until_asked()
        running = (await adam.get(path)).text
        assert "It is being found out" in running
        site.diagnosing.investigator.gate.set()
        streamed = (await adam.get(f"{path}/live")).text
    assert "event: result" in streamed
    assert "Static addresses are needed" in streamed
    assert streamed.index("event: result") < streamed.index("event: ended")


async def test_an_account_is_diagnosed_from_its_own_page(site: Site) -> None:
    adam = await site.signed_in("adam")
    assert "have not been diagnosed" in (await adam.get(f"/accounts/{site.ann.id}")).text
    path, found = await ended(site, await asked(adam, grant_id=site.ann.id, about=""))
    assert found.grant_id == site.ann.id
    account = (await adam.get(f"/accounts/{site.ann.id}")).text
    assert f'href="/dashboard{path}">Static addresses are needed</a>' in account
    assert f'href="/dashboard/accounts/{site.ann.id}"' in (await adam.get(path)).text
    assert site.ann.email not in (await adam.get(f"{path}/report.html")).text
    await site.house.placements.stop(site.acme, site.ann, by="test")
    stopped = await asked(adam, grant_id=site.ann.id, about="")
    assert stopped.status_code == 403
    assert 'role="alert"' in stopped.text


async def test_what_fails_says_why_and_can_be_asked_again(site: Site) -> None:
    adam = await site.signed_in("adam")
    site.diagnosing.investigator.error = RuntimeError("secret")
    path, _ = await ended(site, await asked(adam))
    page = (await adam.get(path)).text
    assert "Something went wrong on our side" in page
    assert "Diagnose again" in page
    assert "Download report" not in page
    assert "secret" not in page
    refused = await adam.get(f"{path}/report.json")
    assert refused.status_code == 409
    assert "has no verdict" in refused.text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"about": ""}, "Nothing is asked about."), ({"about": "10.0.0.1"}, "is not asked"),
        ({"imap_port": "x"}, "A port is a number"), ({"imap_port": "22"}, "not one that mail or calendars use"),
        ({"about": "a" * 300 + ".test"}, "host"), ({"about": "ann@"}, "email"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_told_in_place(site: Site, fields: dict[str, str], told: str) -> None:
    answer = await asked(await site.signed_in("adam"), **fields)
    assert answer.status_code == 400
    assert told in answer.text
    assert 'name="about"' in answer.text


async def test_what_is_markup_is_shown_as_text(site: Site) -> None:
    adam = await site.signed_in("adam")
    refused = (await asked(adam, about="<script>.test")).text
    assert ("&lt;script&gt;.test" in refused, "<script>" in refused) == (True, False)
    path, _ = await ended(site, await asked(adam, about="<script>@bank.test"))
    again_path = f"/diagnoses?again={path.rpartition('/')[2]}"
    for shown in (path, f"{path}/report.html", "/diagnoses", again_path):
        page = (await adam.get(shown)).text
        assert "<script>" not in page, shown
        assert "&lt;script&gt;@bank.test" in page or shown not in {path, again_path}, shown


async def test_pages_of_diagnoses(site: Site) -> None:
    adam = await site.signed_in("adam")
    for number in range(26):
        assert (await asked(adam, about=f"mail{number:02}.bank.test")).status_code == 303
    first = (await adam.get("/diagnoses")).text
    assert first.count('scope="row"') == 25
    following = re.search(r'rel="next" href="/dashboard(/diagnoses\?before=[^"]+)"', first)
    assert following
    second = (await adam.get(following[1])).text
    assert (second.count('scope="row"'), "mail00.bank.test" in second) == (1, True)
    for odd in ("x", "2026-01-31~x", f"{datetime.max.replace(tzinfo=UTC).isoformat()}-23:59~x"):
        assert (await adam.get(f"/diagnoses?before={odd}")).status_code in {200, 400}, odd
    assert (await adam.get("/diagnoses?again=nobody")).status_code == 404
    assert (await adam.get("/diagnoses/%00")).status_code == 404


class StoppedClock(SystemClock):
    """However long asking takes, no more may be asked for it."""

    def monotonic(self) -> float:
        return 7.0


async def test_who_asks_too_often_is_told_how_long_to_wait(site: Site) -> None:
    site.app = create_dashboard(replace(site.services, clock=StoppedClock()))
    adam = await site.signed_in("adam")
    for _ in range(DIAGNOSES.burst):
        assert (await asked(adam, about="10.0.0.1")).status_code == 400
    refused = await asked(adam)
    assert refused.status_code == 429
    assert f"Wait {refused.headers['retry-after']} seconds" in refused.text
    assert await site.house.db.fetchval("SELECT count(*) FROM diagnoses") == 0
    assert (await asked(await site.signed_in("olga"), application=site.acme.id)).status_code == 303
