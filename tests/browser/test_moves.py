"""Accounts are stopped, started and moved, and those that move together are paced: by keyboard, and seen live."""

from selenium.webdriver.common.keys import Keys

from mooring.moves import MoveStep
from tests.browser.dashboard_house import ADMIN, ADMINS_PASSWORD, OPERATOR, OPERATORS_PASSWORD, DashboardHouse
from tests.browser.driver import Browser
from tests.waiting import until

ROW = "[sse-swap=connections] tbody tr:first-child"


def test_an_account_is_stopped_after_plain_words_and_started_again(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/accounts/{house.eve.id}", OPERATOR, OPERATORS_PASSWORD)
    browser.tab_to("summary#stop")
    assert "Nothing is dialled for eve@borealis.test" not in browser.text
    browser.press(Keys.ENTER)
    browser.shows("Nothing is dialled for eve@borealis.test until somebody starts it again")
    browser.tab_to("button.danger", at_most=1)
    browser.press(Keys.ENTER)
    browser.shows("Sync is stopped.")
    assert "stopped" in browser.read("[sse-swap=state]")
    browser.tab_to("#start")
    browser.press(Keys.SPACE)
    browser.shows("Sync is started.")
    assert browser.all("#start") == []


def test_what_is_open_stays_open_while_the_page_is_kept_up_to_date(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/accounts/{house.ann.id}", ADMIN, ADMINS_PASSWORD)
    before = browser.read(ROW)
    browser.tab_to("summary#stop")
    browser.press(Keys.ENTER)
    house.connects()
    until(lambda: browser.read(ROW) != before, what="the list has the new connection")
    assert browser.focused.get_attribute("id") == "stop"
    assert "until somebody starts it again" in browser.text
    assert "It can move to static addresses once its application has them." in browser.text


def test_who_starts_too_early_is_told_how_long_it_takes_and_then_it_starts(
    house: DashboardHouse, browser: Browser
) -> None:
    house.can_be_started_in(house.walt, 750)
    browser.sign_in(f"{house.url}/accounts/{house.walt.id}", OPERATOR, OPERATORS_PASSWORD)
    browser.shows("Moves to static addresses; can be started in 12 min 2")
    left = browser.read("[role=timer]")
    until(lambda: browser.read("[role=timer]") != left, timeout_s=3, what="the time left is counted down")

    browser.tab_to("#start")
    browser.press(Keys.ENTER)
    browser.shows("Not started: it was too early by 12 min ")
    assert "nothing is lost" in browser.read("[role=alert]")
    browser.tab_to("#start")
    house.can_be_started_in(house.walt, 4)
    browser.shows("can be started now.")
    assert browser.all("[role=alert]") == []
    assert browser.focused.get_attribute("id") == "start"
    until(
        lambda: browser.script("return document.querySelector('#start').className") == "main",
        what="starting is what is to be done",
    )
    browser.press(Keys.ENTER)
    browser.shows("Sync is started.")
    assert "v2-us-static" in browser.read("[sse-swap=state]")
    assert "done" in browser.read("[sse-swap=moves] tbody tr")
    steps = [step.text.splitlines()[0] for step in browser.all("ol.steps li")]
    assert steps == ["Authenticated for the first time", "Stopped", "Started"]


def test_how_far_accounts_are_moves_while_one_looks_and_they_are_paused(
    house: DashboardHouse, browser: Browser
) -> None:
    browser.sign_in(f"{house.url}/applications/{house.dunes.id}", OPERATOR, OPERATORS_PASSWORD)
    browser.shows("4 of 12 ended")
    browser.tab_to("button[value=pause]")
    house.go_on(house.dunes, MoveStep.TAKEN_UP, 3)
    browser.shows("3 proving")
    house.go_on(house.dunes, MoveStep.MOVED, 3)
    browser.shows("7 of 12 ended")
    bar = browser.one("progress")
    assert (bar.get_attribute("value"), bar.get_attribute("max")) == ("7", "12")
    assert browser.focused.get_attribute("value") == "pause"
    browser.press(Keys.ENTER)
    browser.shows("The moves are paused")
    browser.tab_to("button[value=resume]")
    browser.press(Keys.ENTER)
    browser.shows("The moves go on.")


def test_accounts_that_move_together_are_rolled_back_after_plain_words(house: DashboardHouse, browser: Browser) -> None:
    house.go_on(house.estuary, MoveStep.TAKEN_UP, 1)
    house.go_on(house.estuary, MoveStep.MOVED, 1)
    browser.sign_in(f"{house.url}/applications/{house.estuary.id}", OPERATOR, OPERATORS_PASSWORD)
    browser.tab_to("ol.batches summary")
    browser.press(Keys.ENTER)
    browser.shows("those that have moved, 1 when this was drawn, move back")
    browser.tab_to("button[value=roll-back]", at_most=1)
    browser.press(Keys.ENTER)
    browser.shows("What waited is called back")
    assert [kind.text for kind in browser.all("ol.batches .kind")] == ["dynamic", "static"]
    assert "rolled back" in browser.all("ol.batches > li")[-1].text


def test_an_administrator_sees_how_accounts_move_and_does_not_steer(house: DashboardHouse, browser: Browser) -> None:
    browser.sign_in(f"{house.url}/applications/{house.acme.id}", ADMIN, ADMINS_PASSWORD)
    browser.shows("Accounts move without a gap: so the policy says for the v3 API.")
    assert browser.all("summary#mode") == []
