"""S9, S10, S12: a mail server that admits only static addresses, and an administrator who starts the account there."""

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.driver import Browser, browser_started
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running, configuration
from tests.story.test_v2 import V2, V2_DYNAMIC, V2_STATIC
from tests.waiting import until

PORT = 18228
OPERATOR, PASSWORD = "olga@operator.test", "nine grey herons"
HISTORY, NEWS = 6, 2


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("v2-dashboard")
    (folder / "mooring.toml").write_text(
        configuration(PORT, v2_static=V2_STATIC, v2_dynamic=V2_DYNAMIC, policy='staged_delay = "5s"\n')
    )
    running = Running(folder, PORT, lab.trust)
    running.start()
    _ = lab.postfix
    yield running
    assert running.stop() == 0
    assert running.defects == []


@pytest.fixture
def browser() -> Iterator[Browser]:
    with browser_started() as browser:
        yield browser
        assert browser.complaints == []


def test_s9_s10_s12_an_administrator_starts_the_account_in_the_dashboard(
    mooring: Running, lab: Laboratory, firewall: Firewall, browser: Browser
) -> None:
    app, user = V2(mooring), lab.user("dorav2")
    mooring.command("app", "set-static-ips", app.id, "on")
    mooring.command("operator", "create", OPERATOR, "--password-stdin", said=PASSWORD)
    arriving = list(mails(HISTORY + NEWS, seed=96))
    lab.dovecot.append_many(user.address, "INBOX", arriving[:HISTORY])
    firewall.admit_only(V2_STATIC)
    firewall.forget()
    browser.sign_in(f"{mooring.url}/dashboard/applications/{app.id}", OPERATOR, PASSWORD)

    # S9: the first authentication leaves by static addresses; the server would not have let another one in.
    connected = app.exchange(app.authorize(user).json()["code"])
    assert connected.status_code == 200, connected.text
    account, token = connected.json()["account_id"], connected.json()["access_token"]
    assert firewall.sources() <= set(V2_STATIC)
    firewall.forget()

    # S10: it has stopped, and is still placed where ordinary accounts are.
    browser.open(f"{mooring.url}/dashboard/accounts/{account}")
    state = browser.read("[sse-swap=state]")
    assert "v2-us-dynamic" in state
    assert "stopped" in state
    assert browser.read("#wait").startswith("Moves to static addresses; can be started in ")
    assert int(browser.read("[role=timer]").removesuffix(" s")) <= 5

    # S12: too early, which loses nothing.
    browser.tab_to("#start")
    browser.press(Keys.ENTER)
    browser.shows("Not started: it was too early by ")
    assert "nothing is lost" in browser.read("[role=alert]")
    lab.dovecot.append_many(user.address, "INBOX", arriving[HISTORY:])
    assert app.get("/account", token).json()["sync_state"] == "stopped"

    # S12: the delay has passed, and nothing was dialled meanwhile.
    browser.shows("can be started now.")
    assert firewall.sources() == set()
    browser.tab_to("#start")
    browser.press(Keys.ENTER)
    browser.shows("Sync is started.")
    until(lambda: "v2-us-static" in browser.read("[sse-swap=state]"), what="the page shows where it runs")
    until(lambda: app.get("/account", token).json()["sync_state"] == "running", timeout_s=30, what="it runs")
    in_step = "return [...document.querySelectorAll('.sign.good')].some(sign => sign.textContent === 'in step')"
    until(lambda: browser.script(in_step), what="the page shows it in step")

    assert firewall.sources()
    assert firewall.sources() <= set(V2_STATIC)
    ledger = mooring.command("grant", "connections", account)
    assert {entry["traffic"] for entry in ledger} >= {"auth", "sync"}
    assert {entry["source_address"] for entry in ledger} <= set(V2_STATIC)

    listed = {message["id"] for message in app.get("/messages", token, limit=100).json()}
    assert len(listed) == HISTORY + NEWS
    announced = mooring.rows("SELECT data FROM outbox WHERE grant_id = $1 AND type = 'message.created'", account)
    raws = {app.get(f"/messages/{row['data']['id']}", token, accept="message/rfc822").content for row in announced}
    assert raws == {mail.raw for mail in arriving[HISTORY:]}
