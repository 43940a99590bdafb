"""What the pages of the dashboard show and do, and what is never in one."""

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from mooring.config import Kind
from mooring.dashboard import create_dashboard
from mooring.grants import Feature
from mooring.store import Database
from tests.store.dashboard_site import HERONS, PROXYS, Site, opened_site
from tests.store.grant_house import PASSWORD


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncGenerator[Site]:
    async with opened_site(database, tmp_path) as site:
        yield site


async def test_a_request_is_approved_and_who_did_it_and_why_is_kept(site: Site) -> None:
    adam, olga = await site.signed_in("adam"), await site.signed_in("olga")
    assert (await adam.decide(site.acme, "request", "bank.example <filters>")).status_code == 303
    approved = await olga.decide(site.acme, "on", "contract 8")
    assert approved.headers["location"] == f"/dashboard/applications/{site.acme.id}?done=on"
    page = (await olga.get(f"/applications/{site.acme.id}?done=on")).text
    for told in ("Static IPs are on.", "admin adam", "bank.example &lt;filters&gt;", "operator olga", "contract 8"):
        assert told in page
    [move] = await site.house.placements.moves(site.ann)
    assert (move.target, move.by) == (Kind.STATIC, "operator olga")
    assert (await olga.decide(site.acme, "off")).status_code == 303
    denied = await olga.decide(site.acme, "denied")
    assert denied.status_code == 409
    assert "There is no request to deny" in denied.text


async def test_accounts_are_searched_and_paged(site: Site) -> None:
    for number in range(27):
        await site.house.connect(email=f"p{number:02}@x_y.test")
    olga, path = await site.signed_in("olga"), f"/applications/{site.acme.id}"
    first, second = (await olga.get(path)).text, (await olga.get(f"{path}?page=2")).text
    assert [page.count('scope="row"') for page in (first, second)] == [25, 3]
    assert 'rel="next"' in first
    assert 'rel="next"' not in second
    found = (await olga.get(f"{path}?q=P07@")).text
    assert "p07@x_y.test" in found
    assert "p08@x_y.test" not in found
    assert "No account of this application has “%_%”" in (await olga.get(f"{path}?q=%25_%25")).text
    piece = await olga.get(f"{path}?q=p07", **{"HX-Target": "accounts"})
    assert piece.text.startswith('<div id="accounts"')
    for odd in ("page=-1", "page=x", "page=99999999999999999999", "page=²", "q=%00", "q=%ff"):
        assert (await olga.get(f"{path}?{odd}")).status_code == 200, odd


async def test_an_account_shows_its_connections_as_a_list_and_a_picture(site: Site) -> None:
    olga = await site.signed_in("olga")
    page = (await olga.get(f"/accounts/{site.ann.id}")).text
    for told in ("203.0.113.10", "v3-us-static-1", "imap.of-ann@example.test:993", "198.51.100.7 (v3-us-dynamic-1)"):
        assert told in page
    assert re.search(r'<svg role="img" aria-labelledby="picture-title" aria-describedby="picture-words"', page)
    assert "From 203.0.113.10, static: 1 connection" in page
    assert "of-eve" not in page
    for odd in ("before=x", "before=2026-01-31T12:00:00~x", "before=0001-01-01T00:00:00%2b23:59~" + "0" * 32):
        assert (await olga.get(f"/accounts/{site.ann.id}?{odd}")).status_code == 400, odd
    older = await olga.get(f"/accounts/{site.ann.id}?before=2020-01-31T12:00:00%2b00:00~{'0' * 32}")
    assert "Nothing was dialled" in older.text


async def test_no_page_holds_a_secret(site: Site) -> None:
    olga = await site.signed_in("olga")
    sealed = await site.house.db.fetchrow("SELECT credentials, data_key FROM grants WHERE id = $1", site.ann.id)
    assert sealed is not None
    secrets = [PASSWORD, HERONS, PROXYS, olga.client.cookies["mooring_session"], *(v.hex() for v in sealed.values())]
    pages = (
        "/applications",
        f"/applications/{site.acme.id}",
        f"/accounts/{site.ann.id}",
        "/lists",
        "/nothing",
        "/sign-in",
    )
    for path in pages:
        text = (await olga.get(path)).text
        assert not [secret for secret in secrets if secret in text], path


async def test_lists_are_shown_with_version_and_date_and_v3s_dynamic_one_is_not(site: Site) -> None:
    page = (await (await site.signed_in("adam")).get("/lists")).text
    assert "203.0.113.10" in page
    assert re.search(r"Version 1, since <time", page)
    assert "198.51.100.7" not in page
    assert "No list is published" in page


async def test_pages_hold_no_script_of_their_own_and_everything_they_name_is_there(site: Site) -> None:
    olga = await site.signed_in("olga")
    for path in ("/sign-in", "/applications", f"/applications/{site.acme.id}", f"/accounts/{site.ann.id}", "/lists"):
        page = (await olga.get(path)).text
        assert not re.search(r"<script(?![^>]* src=)|\son\w+=|\sstyle=|javascript:|<style", page), path
        for name in set(re.findall(r'(?:src|href)="(/dashboard/static/[^"]+)"', page)):
            assert (await olga.client.get(name)).status_code == 200, name


async def test_what_goes_wrong_is_a_page_with_what_to_do(site: Site) -> None:
    olga = await site.signed_in("olga")
    nothing = await olga.get("/nothing")
    assert (nothing.status_code, "What to do:" in nothing.text) == (404, True)
    assert (await olga.client.delete("/dashboard/lists")).status_code == 405
    assert (await olga.decide(site.acme, "everything")).status_code == 400
    assert (await olga.decide(site.acme, "on", "x" * 501)).status_code == 400
    assert (await olga.decide(site.acme, "on", "x" * 20_000)).status_code == 413
    assert (await olga.get("/static/nothing.css")).status_code == 404
    head = await olga.client.head("/dashboard/lists")
    assert (head.status_code, head.content) == (200, b"")
    by_script = await site.browser().get("/applications", **{"HX-Request": "true"})
    assert (by_script.status_code, by_script.headers["hx-redirect"]) == (401, "/dashboard/sign-in")


async def test_a_defect_says_nothing_of_the_inside(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    olga = await site.signed_in("olga")
    await site.house.db.execute("ALTER TABLE assignments RENAME TO elsewhere")
    answer = await olga.get(f"/accounts/{site.ann.id}")
    assert answer.status_code == 500
    assert "assignments" not in answer.text
    number = re.search(r"look for (\w{32})", answer.text)
    assert number
    assert number[1] in capsys.readouterr().out


async def test_the_overview_tells_what_waits_and_what_is_not_in_step(site: Site) -> None:
    await site.house.feature.ask(site.other.id, note="soon")
    await site.house.db.execute("UPDATE grants SET status = 'invalid' WHERE id = $1", site.ann.id)
    page = (await (await site.signed_in("olga")).get("/applications")).text
    assert page.index("Borealis") < page.index(f"/dashboard/applications/{site.acme.id}")
    assert re.findall(r"(\d+) account|(\d+) not in step", page) == [("1", ""), ("1", ""), ("", "1")]


async def test_where_asking_is_having_that_is_what_is_told(site: Site) -> None:
    feature = Feature(site.house.db, site.house.applications, site.house.placements, self_serve=True)
    site.app = cast("Any", create_dashboard(replace(site.services, feature=feature)))
    asked = await (await site.signed_in("adam")).decide(site.acme, "request")
    assert asked.headers["location"].endswith("?done=on")
