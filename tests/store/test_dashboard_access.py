"""Who gets in to the dashboard, which forms are taken, and what is whose to see."""

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from mooring.applications import StaticIps
from mooring.dashboard import create_dashboard
from mooring.store import Database
from tests.store.dashboard_site import HERONS, Site, opened_site


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncGenerator[Site]:
    async with opened_site(database, tmp_path) as site:
        yield site


async def test_who_is_not_signed_in_is_led_to_signing_in_and_then_back(site: Site) -> None:
    browser, path = site.browser(), f"/accounts/{site.ann.id}?live=off"
    led = await browser.get(path)
    assert led.status_code == 303
    assert led.headers["location"] == f"/dashboard/sign-in?next=%2Fdashboard%2Faccounts%2F{site.ann.id}%3Flive%3Doff"
    signed = await browser.sign_in("olga", HERONS, next=f"/dashboard{path}")
    assert (signed.status_code, signed.headers["location"]) == (303, f"/dashboard{path}")
    assert "ann@example.test" in (await browser.get(path)).text


@pytest.mark.parametrize(
    "after", ["https://evil.test/", "//evil.test", "/dashboard\\@evil.test", "/v3", "/dashboard/\r\nX: y"]
)
async def test_signing_in_leads_nowhere_else(site: Site, after: str) -> None:
    signed = await site.browser().sign_in("olga", HERONS, next=after)
    assert (signed.status_code, signed.headers["location"]) == (303, "/dashboard/applications")


async def test_a_session_is_a_cookie_that_no_script_reads(site: Site) -> None:
    browser = site.browser()
    signed = await browser.sign_in("olga", HERONS)
    [cookie] = [c for c in signed.headers.get_list("set-cookie") if c.startswith("mooring_session=")]
    assert {"HttpOnly", "SameSite=lax", "Path=/dashboard"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert HERONS not in cookie


async def test_where_people_come_by_https_cookies_travel_no_other_way(site: Site) -> None:
    site.app = cast("Any", create_dashboard(replace(site.services, secure=True)))
    browser = site.browser()
    browser.client.base_url = httpx.URL("https://dashboard.test")
    form = await browser.get("/sign-in")
    signed = await browser.sign_in("olga", HERONS)
    assert signed.status_code == 303
    for cookie in (*form.headers.get_list("set-cookie"), *signed.headers.get_list("set-cookie")):
        assert "Secure" in cookie


async def test_nobody_learns_from_an_answer_which_names_there_are(site: Site) -> None:
    answers = [await site.browser().sign_in(name, "wrong password") for name in ("olga", "Olgb")]
    assert [answer.status_code for answer in answers] == [401, 401]
    texts = [re.sub(r'(?<=value=")[^"]*', "", answer.text) for answer in answers]
    assert texts[0] == texts[1]
    assert "Nobody has this name and this password." in texts[0]
    assert "wrong password" not in answers[0].text


async def test_who_guesses_is_told_how_long_to_wait(site: Site) -> None:
    browser = site.browser()
    for _ in range(5):
        assert (await browser.sign_in("olga", "wrong")).status_code == 401
    refused = await browser.sign_in("olga", HERONS)
    assert refused.status_code == 429
    assert f"Wait {refused.headers['retry-after']} seconds" in refused.text


async def test_signing_out_ends_the_session_everywhere(site: Site) -> None:
    browser = await site.signed_in("olga")
    stolen = site.browser()
    stolen.client.cookies.set("mooring_session", browser.client.cookies["mooring_session"], path="/dashboard")
    assert (await stolen.get("/applications")).status_code == 200
    out = await browser.post("/sign-out", form_token=await browser.token("/lists"))
    assert out.status_code == 303
    assert "mooring_session" not in browser.client.cookies
    for one in (browser, stolen):
        assert (await one.get("/applications")).status_code == 303


@pytest.mark.parametrize("token", [None, "", "0" * 64])
async def test_a_form_that_is_none_of_ours_is_refused(site: Site, token: str | None) -> None:
    browser = await site.signed_in("olga")
    fields = {"wanted": "on"} | ({"form_token": token} if token is not None else {})
    for path in (f"/applications/{site.acme.id}/static-ips", "/sign-out"):
        refused = await browser.post(path, **fields)
        assert refused.status_code == 403
        assert "nothing was done" in refused.text
    assert (await site.house.application_now()).static_ips is StaticIps.OFF
    assert (await browser.get("/applications")).status_code == 200


async def test_a_form_of_another_session_or_another_site_is_refused(site: Site) -> None:
    olga, adam = await site.signed_in("olga"), await site.signed_in("adam")
    path = f"/applications/{site.acme.id}/static-ips"
    assert (await olga.post(path, wanted="on", form_token=await adam.token("/lists"))).status_code == 403
    olga.client.headers["Sec-Fetch-Site"] = "cross-site"
    assert (await olga.decide(site.acme, "on")).status_code == 403
    assert (await site.house.application_now()).static_ips is StaticIps.OFF


async def test_a_sign_in_form_needs_the_cookie_that_came_with_it(site: Site) -> None:
    browser = site.browser()
    form_token = await browser.token("/sign-in")
    for fields in ({}, {"form_token": ""}, {"form_token": "x" * 43}):
        assert (await browser.post("/sign-in", name="olga", password=HERONS, **fields)).status_code == 403
    without = await site.browser().post("/sign-in", name="olga", password=HERONS, form_token=form_token)
    assert without.status_code == 403
    assert (await browser.post("/sign-in", name="olga", password=HERONS, form_token=form_token)).status_code == 303


@pytest.mark.parametrize("wanted", ["on", "off", "denied"])
async def test_an_administrator_cannot_decide(site: Site, wanted: str) -> None:
    adam = await site.signed_in("adam")
    await adam.decide(site.acme, "request")
    refused = await adam.decide(site.acme, wanted)
    assert refused.status_code == 403
    assert "the operator decides" in refused.text
    assert (await site.house.application_now()).static_ips is StaticIps.REQUESTED


async def test_an_administrator_sees_one_application_and_nothing_of_another(site: Site) -> None:
    adam, olga = await site.signed_in("adam"), await site.signed_in("olga")
    hidden = (
        f"/applications/{site.other.id}", f"/applications/{site.other.id}?q=eve", f"/accounts/{site.eve.id}",
        "/applications/nobody", "/accounts/nobody", "/applications/a%00b", "/accounts/%ff", "/accounts/%2f..%2f",
    )  # fmt: skip
    for path in hidden:
        answer = await adam.get(path)
        assert answer.status_code == 404, path
        assert not re.search("Borealis|eve@", answer.text)
    for path in hidden[:3]:
        assert (await olga.get(path)).status_code == 200, path
    for path in ("/applications", f"/applications/{site.acme.id}", f"/accounts/{site.ann.id}", "/lists"):
        answer = await adam.get(path)
        assert answer.status_code == 200, path
        assert not re.search("Borealis|eve@", answer.text)
    assert "Borealis" in (await olga.get("/applications")).text
    for wanted in ("request", "on"):
        assert (await adam.decide(site.other, wanted)).status_code == 404
    assert (await site.house.applications.get(site.other.id)).static_ips is StaticIps.OFF


@pytest.mark.parametrize("path", ["/applications/{other}/live", "/accounts/{eve}/live"])
async def test_a_stream_ends_at_once_for_whom_it_is_not(site: Site, path: str) -> None:
    path = path.format(other=site.other.id, eve=site.eve.id)
    for browser, told in ((await site.signed_in("adam"), "not yours to see"), (site.browser(), "not signed in")):
        answer = await browser.get(path)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert told in answer.text
        assert "event: ended" in answer.text
        assert "eve@" not in answer.text


@pytest.mark.parametrize(
    "path", ["/sign-in", "/applications", "/nothing", "/static/dashboard.css", "/accounts/nobody/live"]
)
async def test_every_answer_says_what_a_browser_must_not_do(site: Site, path: str) -> None:
    headers = (await site.browser().get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    kept = {"public, max-age=31536000, immutable"} if path.startswith("/static") else {"no-store", "no-cache"}
    assert headers["cache-control"] in kept
