"""A diagnosis in a browser: asked for by keyboard, watched while it runs, read, and handed on."""

import os
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from mooring.diagnosis import Code, Evidence, Observation, Outcome, Question, Reader, Service, Stage, Vantage, Verdict
from mooring.diagnosis.repository import diagnoses
from mooring.diagnosis.types import Lookup, Target
from mooring.ids import new_id
from mooring.store import Database
from tests.browser.dashboard_house import ADMIN, ADMINS_PASSWORD, DashboardHouse
from tests.browser.driver import DESK, PHONE, Browser
from tests.browser.mail_host import MAIL_HOST
from tests.browser.serving import DYNAMIC, STATIC
from tests.browser.test_looks import CONTRAST, OUTSIDE
from tests.waiting import until

PATIENCE_S = 60.0
LONG = f"{'a-very-long-name-of-a-mail-server.' * 5}{'x' * 60}.test"


async def concluded(database: Database, application_id: str) -> str:
    """A diagnosis of a server with a long name and many words, that was concluded before it was asked for."""
    question = Question(application_id, "v3", "us", "word", (Target(Service.IMAP, LONG, 993),))
    seen = Observation(
        1, datetime(2026, 1, 31, tzinfo=UTC), Vantage.STATIC, "v3-us-static", "v3-us-static-1", STATIC[0],
        Service.IMAP, LONG, 993, "2001:db8:1111:2222:3333:4444:5555:6666", Outcome.POLICY, Stage.GREETING,
        said=f"* BYE {'word' * 100} {'<b>more</b> words ' * 10}",
    )  # fmt: skip
    evidence = Evidence(question, (), (Lookup(LONG, (seen.address,)),), (seen,))
    steps = {reader: [f"Ask {LONG}."] for reader in Reader}
    verdict = Verdict(Code.ALLOWLIST_MISSING, 0.8, f"{LONG} lets nobody in.", steps, row="row", proof=(1,))
    identity = new_id()
    await diagnoses.insert(
        database, identity, by="application", scope="v3-us", question=question, sealed=None, holder="h"
    )
    claim = await diagnoses.begin(database, "h", identity)
    assert claim is not None
    assert await diagnoses.conclude(database, claim, [], evidence=evidence, verdict=verdict)
    return identity


def ask(house: DashboardHouse, browser: Browser) -> None:
    """Ask about the mail host, with the account's login, by keys alone."""
    browser.sign_in(f"{house.url}/diagnoses", ADMIN, ADMINS_PASSWORD)
    browser.tab_to("#about")
    browser.press(str(MAIL_HOST))
    browser.tab_to("input[name=smtp]")
    browser.press(Keys.SPACE)
    browser.tab_to("details > summary")
    browser.press(Keys.ENTER, Keys.TAB, house.mail_host.email, Keys.TAB, house.mail_host.password, Keys.TAB)
    browser.press(str(house.mail_host.imap_port), Keys.ENTER)
    until(lambda: len(browser.path) > len("dashboard/diagnoses/"), what="the diagnosis has its page")


@pytest.fixture(scope="module")
def path(furnished: DashboardHouse, window: Browser) -> str:
    """The page of a diagnosis that has ended: one of two static addresses is missing."""
    window.forget()
    ask(furnished, window)
    window.shows("The allowlist is incomplete", timeout_s=PATIENCE_S)
    return window.path.removeprefix("dashboard")


def test_the_picture_fills_and_then_there_is_the_verdict(house: DashboardHouse, browser: Browser) -> None:
    ask(house, browser)
    until(lambda: browser.all("td.mark.under_way") != [], what="a probe is seen under way", timeout_s=20)
    assert "under way." in browser.read("[sse-swap=counts]")
    assert browser.read("[sse-swap=progress]") == "It is being found out."
    assert "Download report" not in browser.text
    browser.shows("The allowlist is incomplete", timeout_s=PATIENCE_S)
    assert f"and not these: {STATIC[1]}." in browser.text
    assert browser.read("[sse-swap=progress]") == "Done: The allowlist is incomplete."
    assert browser.one("[sse-swap=progress]").get_attribute("role") == "status"
    rows = browser.script("return [...document.querySelectorAll('.matrix tbody tr')].map(r => r.innerText)")
    by_source = {address: next(row for row in rows if address in row) for address in (*STATIC, *DYNAMIC)}
    assert "got through" in by_source[STATIC[0]]
    for address in (STATIC[1], *DYNAMIC):
        assert "no answer within" in by_source[address]
    assert "proof" in by_source[STATIC[1]]
    source = browser.driver.page_source
    assert house.mail_host.password not in source
    until(
        lambda: browser.script("return document.querySelector('[sse-connect]')['htmx-internal-data']"
                               ".sseEventSource?.readyState ?? 2") == 2,
        what="the stream has ended",
    )  # fmt: skip
    assert house.mail_host.password not in house.log


def test_the_report_is_downloaded_as_one_page_and_opens_from_a_disk(
    house: DashboardHouse, browser: Browser, path: str, tmp_path: Path
) -> None:
    browser.sign_in(f"{house.url}{path}", ADMIN, ADMINS_PASSWORD)
    link = browser.one("a[download$='.html']").get_attribute("href")
    assert link is not None
    session = browser.driver.get_cookie("mooring_session")
    assert session is not None
    answer = httpx.get(link, cookies={"mooring_session": session["value"]})
    kept = tmp_path / "report.html"
    kept.write_bytes(answer.content)
    for address in (link, kept.as_uri()):
        browser.open(address)
        browser.shows("For the mail administrator")
        assert STATIC[1] in browser.text
        assert f"tcpdump -n -i any '(host {STATIC[0]}" in browser.text
        # Its own style is there, though nothing else may be.
        assert browser.script("return getComputedStyle(document.querySelector('.card')).borderTopStyle") == "solid"
        for secret in (house.mail_host.password, house.mail_host.email, "mooring.key"):
            assert secret not in browser.driver.page_source


def test_an_account_page_has_the_button(house: DashboardHouse, browser: Browser) -> None:
    server = {"host": str(MAIL_HOST), "port": house.mail_host.imap_port, "username": "ann", "tls": "implicit"}

    async def here(database: Database) -> None:
        await database.execute("UPDATE grants SET settings = $2 WHERE id = $1", house.failing.id, {"imap": server})

    house.do(here)
    browser.sign_in(f"{house.url}/accounts/{house.failing.id}", ADMIN, ADMINS_PASSWORD)
    button = browser.tab_to("[name=grant_id] ~ button")
    assert button.text == "Diagnose this account"
    browser.press(Keys.ENTER)
    until(lambda: "dashboard/diagnoses/" in browser.path, what="the diagnosis has its page")
    assert house.failing.email in browser.text
    browser.shows("Done:", timeout_s=PATIENCE_S)
    title = browser.read("#verdict-title")
    browser.open(f"{house.url}/accounts/{house.failing.id}")
    assert title in browser.text


def test_without_scripts_it_is_reloaded(house: DashboardHouse, browser: Browser, path: str) -> None:
    page = httpx.get(f"{house.url}{path}", follow_redirects=True)
    assert "sign in" in page.text.lower()
    browser.sign_in(f"{house.url}{path}", ADMIN, ADMINS_PASSWORD)
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(f"{house.url}{path}")
        assert "The allowlist is incomplete" in browser.driver.page_source
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", ["page", "report", "long"])
def test_it_fits_and_can_be_read(
    house: DashboardHouse, browser: Browser, path: str, name: str, size: tuple[int, int], scheme: str
) -> None:
    browser.sign_in(f"{house.url}/lists", ADMIN, ADMINS_PASSWORD)
    browser.in_scheme(scheme)
    browser.as_wide_as(size)
    if name == "long":
        path = f"/diagnoses/{house.do(lambda database: concluded(database, house.acme.id))}"
    browser.open(f"{house.url}{path}{'/report.html' if name == 'report' else ''}")
    if folder := os.environ.get("MOORING_SCREENSHOTS"):
        Path(folder, f"diagnosis-{name}-{scheme}-{size[0]}.png").write_bytes(browser.picture(height=size[1] * 3))
        browser.as_wide_as(size)
    assert browser.script("return document.documentElement.scrollWidth") <= size[0]
    assert browser.script(OUTSIDE) == []
    assert browser.script(CONTRAST) == []
    assert len(browser.all("h1")) == 1
    doubled = "const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.length - new Set(ids).size"
    assert browser.script(doubled) == 0
