"""In a browser as it is: a forged form does nothing, and an application's administrator sees one application."""

from tests.browser.dashboard_house import ADMIN, ADMINS_PASSWORD, OPERATOR, OPERATORS_PASSWORD, SECRETS, DashboardHouse
from tests.browser.driver import Browser


def test_a_form_without_its_token_is_refused(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/applications/{house.acme.id}", OPERATOR, OPERATORS_PASSWORD)
    browser.script("document.querySelector('.decide [name=form_token]').remove()")
    browser.one(".decide button[value=on]").click()
    browser.shows("nothing was done")
    browser.open(f"{house.url}/applications/{house.acme.id}")
    assert "requested" in browser.read("#static-ips")


def test_an_administrator_cannot_see_another_application(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(house.url, ADMIN, ADMINS_PASSWORD)
    browser.shows("Acme Calendar")
    assert "Borealis" not in browser.text
    for path in (f"/applications/{house.other.id}", f"/accounts/{house.eve.id}"):
        browser.open(house.url + path)
        assert "There is nothing here" in browser.text
        assert "eve@" not in browser.text
    browser.open(f"{house.url}/applications/{house.acme.id}")
    assert "Requested. The operator decides." in browser.text
    assert browser.all(".decide") == []


def test_no_page_holds_a_secret(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(house.url, OPERATOR, OPERATORS_PASSWORD)
    for path in ("/applications", f"/applications/{house.acme.id}", f"/accounts/{house.ann.id}", "/lists"):
        browser.open(house.url + path)
        source = browser.driver.page_source
        assert not [secret for secret in SECRETS if secret in source], path
        assert browser.script("return document.cookie") == ""
        # htmx notes where it is, and nothing of what it sees.
        assert browser.script("return localStorage.length") == 0
        assert set(browser.script("return Object.keys(sessionStorage)")) <= {"htmx-current-path-for-history"}
