"""Hosted authentication of v2: whom it leads where, and what keeps others from using it."""

import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mooring.errors import ProviderFailure
from mooring.grants import TooEarly
from tests.unit.api.fakes import PASSWORD, World

CALLBACK = "https://app.example/callback?keep=1"
QUERY = {"client_id": "app-v2", "redirect_uri": CALLBACK, "response_type": "code", "state": "s & t"}
TYPED = {
    "email": "ann@example.com", "password": PASSWORD, "imap_host": "imap.example.com", "imap_port": "993",
    "smtp_host": "smtp.example.com", "smtp_port": "465", "username": "",
}  # fmt: skip


@pytest.fixture
def browser(world: World, anybody: httpx.AsyncClient) -> httpx.AsyncClient:
    world.applications.v2 = replace(world.applications.v2, name="<Acme>", redirect_uris=(CALLBACK, "app.x:/back"))
    return anybody


async def opened(browser: httpx.AsyncClient, **changes: str) -> httpx.Response:
    return await browser.get("/oauth/authorize", params={**QUERY, **changes})


async def submitted(browser: httpx.AsyncClient, *, csrf: str | None = None, **changes: str) -> httpx.Response:
    shown = await opened(browser)
    word = re.search(r'name="csrf" value="([^"]+)"', shown.text)
    assert word is not None
    data = {**TYPED, "csrf": word[1] if csrf is None else csrf, **changes}
    return await browser.post("/oauth/authorize", params=QUERY, data=data)


def told(answer: httpx.Response) -> dict[str, list[str]]:
    """What the redirect URI is told, which is reached unchanged."""
    assert answer.status_code == 302
    target = urlsplit(answer.headers["location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == "https://app.example/callback"
    return parse_qs(target.query)


async def test_the_page_asks_for_the_mailbox(browser: httpx.AsyncClient) -> None:
    page = await opened(browser, login_hint='a"b@example.com')
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "&lt;Acme&gt;" in page.text
    assert "<Acme>" not in page.text
    assert 'value="a&quot;b@example.com"' in page.text
    assert "error=access_denied" in page.text
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' https://app.example;" in policy
    assert "script" not in policy
    assert "SameSite=Lax" in page.headers["set-cookie"]


async def test_an_app_is_led_back_to_by_its_own_scheme(browser: httpx.AsyncClient) -> None:
    page = await opened(browser, redirect_uri="app.x:/back")
    assert "form-action 'self' app.x:;" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"redirect_uri": "https://app.example/callback"}, 400),
        ({"redirect_uri": "https://evil.example/"}, 400),
        ({"redirect_uri": ""}, 400),
        ({"client_id": "app-v3"}, 401),
        ({"client_id": "nobody"}, 401),
        ({"client_id": ""}, 400),
    ],
)
async def test_nobody_is_led_elsewhere(browser: httpx.AsyncClient, changes: dict[str, str], status: int) -> None:
    answer = await opened(browser, **changes)
    assert (answer.status_code, answer.json().keys()) == (status, {"message", "type"})
    posted = await browser.post("/oauth/authorize", params={**QUERY, **changes}, data=TYPED)
    assert posted.status_code == status


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"response_type": "token"}, "unsupported_response_type"), ({"provider": "gmail"}, "invalid_request")],
)
async def test_what_cannot_be_asked_for_is_told_to_the_application(
    browser: httpx.AsyncClient, changes: dict[str, str], word: str
) -> None:
    said = told(await opened(browser, **changes))
    assert (said["error"], said["state"], said["keep"]) == ([word], ["s & t"], ["1"])


async def test_the_mailbox_is_connected_and_the_code_handed_over(world: World, browser: httpx.AsyncClient) -> None:
    assert told(await submitted(browser)) == {"keep": ["1"], "code": ["code-1"], "state": ["s & t"]}
    [request] = world.grants.connected
    assert (request.email, request.settings.imap.username) == ("ann@example.com", "ann@example.com")
    assert request.credentials.imap_password == PASSWORD
    assert request.settings.smtp is not None


async def test_the_login_may_be_another_and_sending_left_out(world: World, browser: httpx.AsyncClient) -> None:
    told(await submitted(browser, username="ann", smtp_host=""))
    [request] = world.grants.connected
    assert (request.settings.imap.username, request.settings.smtp) == ("ann", None)


async def test_another_site_cannot_send_the_form(world: World, browser: httpx.AsyncClient) -> None:
    assert (await submitted(browser, csrf="guessed")).status_code == 403
    assert (await submitted(browser, csrf="")).status_code == 403
    browser.cookies.clear()
    assert (await browser.post("/oauth/authorize", params=QUERY, data={**TYPED, "csrf": ""})).status_code == 403
    assert world.grants.connected == []


async def test_a_failure_is_shown_on_the_page_and_no_password(world: World, browser: httpx.AsyncClient) -> None:
    world.grants.connecting_error = ProviderFailure(
        "imap.example.com <refused>", stage="login", reason="authentication", host="imap.example.com", port=993,
        source="203.0.113.10", environment="static", traffic="auth", refused=True,
    )  # fmt: skip
    page = await submitted(browser)
    assert page.status_code == 400
    assert "imap.example.com &lt;refused&gt;" in page.text
    assert 'value="ann@example.com"' in page.text
    assert PASSWORD not in page.text


async def test_too_early_is_shown_with_the_seconds_left(world: World, browser: httpx.AsyncClient) -> None:
    world.grants.error = TooEarly(1234)
    page = await submitted(browser)
    assert (page.status_code, page.headers["retry-after"]) == (409, "1234")
    assert "1234 seconds" in page.text


async def test_an_application_that_wants_to_know_of_failures_is_told(world: World, browser: httpx.AsyncClient) -> None:
    shown = await opened(browser)
    word = re.search(r'name="csrf" value="([^"]+)"', shown.text)
    assert word is not None
    world.grants.error = TooEarly(7)
    answer = await browser.post(
        "/oauth/authorize", params={**QUERY, "redirect_on_error": "true"}, data={**TYPED, "csrf": word[1]}
    )
    said = told(answer)
    assert said["error"] == ["temporarily_unavailable"]
    assert "7 seconds" in said["error_description"][0]


async def test_what_is_missing_is_said(browser: httpx.AsyncClient) -> None:
    page = await submitted(browser, imap_host="")
    assert (page.status_code, "imap_host" in page.text) == (400, True)
