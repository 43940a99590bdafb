"""The dashboard by keyboard alone: signing in, approving a request, looking for an account, signing out."""

import pytest
from selenium.webdriver.common.keys import Keys

from mooring.applications import StaticIps
from mooring.store import Database
from tests.browser.dashboard_house import ADMIN, ADMINS_PASSWORD, OPERATOR, OPERATORS_PASSWORD, DashboardHouse
from tests.browser.driver import Browser
from tests.waiting import until


def static_ips(house: DashboardHouse) -> str:
    """The state of Acme's static IPs, as the database has it."""

    async def work(database: Database) -> str:
        return await database.fetchval("SELECT static_ips FROM applications WHERE id = $1", house.acme.id)

    return house.do(work)


def test_signing_in_and_approving_a_request_changes_the_state(house: DashboardHouse, browser: Browser) -> None:
    browser.open(house.url)
    assert browser.path == "dashboard/sign-in?next=%2Fdashboard"
    browser.focus_comes_to("name")
    browser.press(OPERATOR, Keys.TAB, "not the password", Keys.ENTER)
    browser.shows("Nobody has this name and this password.")
    browser.focus_comes_to("password")
    browser.press(OPERATORS_PASSWORD, Keys.ENTER)
    browser.shows("Acme Calendar")

    first = browser.one("ul.cards > li:first-child")
    assert "requested" in first.text
    assert "mail.bank.test drops what it does not know" in first.text
    note = browser.tab_to(f"#note-{house.acme.id}")
    browser.press("contract 8")
    approve = browser.tab_to("button[value=on]", at_most=1)
    assert approve.text.startswith("Approve")
    assert note.get_attribute("value") == "contract 8"
    browser.press(Keys.ENTER)
    browser.shows("Static IPs are on.")
    assert f"operator {OPERATOR}" in browser.text
    assert "“contract 8”" in browser.text
    assert static_ips(house) == StaticIps.ON


def test_an_account_is_found_by_typing_and_opened(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/applications/{house.acme.id}", OPERATOR, OPERATORS_PASSWORD)
    assert len(browser.all("#accounts tbody tr")) == 25
    browser.tab_to("#q")
    browser.press("PERSON28")
    until(lambda: len(browser.all("#accounts tbody tr")) == 1, what="one account is left")
    assert browser.focused.get_attribute("id") == "q"
    assert browser.path.endswith("?q=PERSON28")
    browser.tab_to("#accounts a")
    browser.press(Keys.ENTER)
    browser.shows("What stops it: imap.example.test did not answer from 127.0.22.1.")


def test_the_first_stop_leads_past_the_menu_and_every_stop_is_seen(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/applications/{house.acme.id}", OPERATOR, OPERATORS_PASSWORD)
    stops: list[str] = []
    for _ in range(10):
        browser.press(Keys.TAB)
        stops.append(str(browser.script("return document.activeElement.innerText.trim() || document.activeElement.id")))
        width, style = browser.script(
            "const s = getComputedStyle(document.activeElement); return [parseFloat(s.outlineWidth), s.outlineStyle]"
        )
        assert width >= 2, stops
        assert style != "none", stops
    assert stops[:5] == ["Skip to the content", "Mooring", "Applications", "Diagnoses", "Address lists"]
    assert stops[5:9] == ["Sign out", "Applications", f"note-{house.acme.id}", "Approve\nstatic IPs of Acme Calendar"]
    browser.open(f"{house.url}/lists")
    browser.press(Keys.TAB, Keys.ENTER)
    assert browser.focused.get_attribute("id") == "main"


def test_signing_out(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/lists", ADMIN, ADMINS_PASSWORD)
    browser.shows("127.0.21.1")
    browser.tab_to(".who button")
    browser.press(Keys.ENTER)
    until(lambda: browser.path == "dashboard/sign-in", what="one is signed out")
    browser.open(f"{house.url}/lists")
    assert browser.path.startswith("dashboard/sign-in")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/lists",
        "/diagnoses",
        "/applications/{acme}",
        "/accounts/{ann}",
        "/accounts/{vera}",
        "/applications/{dunes}",
    ],
)
def test_everything_that_is_filled_in_has_a_label_and_every_page_one_heading(
    house: DashboardHouse, browser: Browser, path: str
) -> None:
    browser.sign_in(house.url + house.path(path), OPERATOR, OPERATORS_PASSWORD)
    assert len(browser.all("h1")) == 1
    assert browser.script("return document.documentElement.lang") == "en"
    fields = "[...document.querySelectorAll('input:not([type=hidden]), select')]"
    assert browser.script(f"return {fields}.filter(i => !i.labels.length).length") == 0
    doubled = "const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.length - new Set(ids).size"
    assert browser.script(doubled) == 0
