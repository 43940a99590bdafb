"""What changes while somebody looks."""

from mooring.store import Database
from tests.browser.dashboard_house import OPERATOR, OPERATORS_PASSWORD, DashboardHouse
from tests.browser.driver import Browser
from tests.waiting import until

ROW = "[sse-swap=connections] tbody tr:first-child"


def test_a_new_connection_comes_into_the_list_and_the_picture(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/accounts/{house.ann.id}", OPERATOR, OPERATORS_PASSWORD)
    before, crosses = browser.read(ROW), len(browser.all("svg.cross"))
    house.connects(failed=True)
    until(lambda: browser.read(ROW) != before, what="the list has the new connection")
    assert "failed" in browser.read(ROW)
    assert len(browser.all("svg.cross")) == crosses + 1


def test_how_an_account_is_doing_changes_in_the_list_and_keeps_the_focus(
    house: DashboardHouse, browser: Browser
) -> None:
    browser.sign_in(f"{house.url}/applications/{house.acme.id}?q=ann", OPERATOR, OPERATORS_PASSWORD)
    assert "in step" in browser.read("#accounts tbody tr")
    browser.tab_to("#accounts a")

    async def fail(database: Database) -> None:
        await database.execute(
            "UPDATE grants SET sync_error = $2, environment = 'static' WHERE id = $1", house.ann.id, {"message": "no"}
        )

    async def recover(database: Database) -> None:
        await database.execute(
            "UPDATE grants SET sync_error = NULL, environment = 'dynamic' WHERE id = $1", house.ann.id
        )

    house.do(fail)
    browser.shows("failing")
    until(lambda: browser.read("#accounts .kind") == "static", what="the account's move is seen")
    assert browser.focused.text == "ann@example.test"
    house.do(recover)
    browser.shows("in step")


def test_what_is_paused_stays_as_it_is(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/accounts/{house.ann.id}", OPERATOR, OPERATORS_PASSWORD)
    browser.one("a[href$='live=off']").click()
    browser.shows("Paused.")
    assert browser.all("[sse-connect]") == []


def test_who_is_signed_out_elsewhere_is_told(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/accounts/{house.ann.id}", OPERATOR, OPERATORS_PASSWORD)

    async def end(database: Database) -> None:
        await database.execute("DELETE FROM operator_sessions")

    house.do(end)
    browser.shows("no longer kept up to date")


def test_pages_that_were_left_hold_no_connection(house: DashboardHouse, browser: Browser) -> None:
    """A browser has six connections for one host; a page that it keeps for the way back must not keep one of them."""
    browser.sign_in(f"{house.url}/accounts/{house.ann.id}", OPERATOR, OPERATORS_PASSWORD)
    browser.driver.set_page_load_timeout(10)
    try:
        for _ in range(8):
            for page in (f"/accounts/{house.ann.id}", f"/applications/{house.dunes.id}"):
                browser.open(f"{house.url}{page}")
                assert browser.read("h1")
        browser.driver.back()
        until(lambda: browser.path.endswith(house.ann.id), what="the page before is there")
        before = browser.read(ROW)
        house.connects()
        until(lambda: browser.read(ROW) != before, what="it is kept up to date")
    finally:
        browser.driver.set_page_load_timeout(300)
