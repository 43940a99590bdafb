"""What the dashboard's forms do about moves, who may send which, and where a refusal is told."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from mooring.applications import StaticIps
from mooring.config import Generation, Kind, MigrationMode
from mooring.grants import Grant
from mooring.moves import MoveState
from mooring.store import Database
from tests.store.dashboard_site import Browser, Site, opened_site
from tests.store.grant_house import STAGED_DELAY


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncGenerator[Site]:
    async with opened_site(database, tmp_path) as site:
        yield site


async def sent(browser: Browser, path: str, **fields: str) -> httpx.Response:
    """The answer to a genuine form."""
    return await browser.post(path, form_token=await browser.token("/lists"), **fields)


async def waiting(site: Site) -> Grant:
    """An account of a v2 application after its first authentication."""
    made = await site.house.applications.create(name="V2", generation=Generation.V2, region="us")
    await site.house.feature.decide(made.application.id, StaticIps.ON, by="operator")
    return (await site.house.connect(application=made.application, email="vera@example.test"))[0]


async def test_an_administrator_stops_and_starts_accounts_of_the_application(site: Site) -> None:
    adam, path = await site.signed_in("adam"), f"/accounts/{site.ann.id}"
    stopped = await sent(adam, f"{path}/stop")
    assert (stopped.status_code, stopped.headers["location"]) == (303, f"/dashboard{path}?done=stopped")
    assert (await site.house.grants.get(site.ann.id)).stopped_at is not None
    assert "Sync is stopped." in (await adam.get(f"{path}?done=stopped")).text
    assert (await sent(adam, f"{path}/stop")).status_code == 303
    assert (await sent(adam, f"{path}/start")).headers["location"].endswith("?done=started")
    assert (await site.house.grants.get(site.ann.id)).stopped_at is None
    by = await site.house.db.fetch("SELECT data FROM outbox WHERE type = 'grant.stopped'")
    assert [row["data"]["by"] for row in by] == ["admin adam"]


@pytest.mark.parametrize("action", ["stop", "start", "moves"])
async def test_nobody_handles_what_is_not_theirs_and_no_form_is_forged(site: Site, action: str) -> None:
    adam, fields = await site.signed_in("adam"), {"to": "dynamic", "how": "direct"}
    assert (await sent(adam, f"/accounts/{site.eve.id}/{action}", **fields)).status_code == 404
    assert (await adam.post(f"/accounts/{site.ann.id}/{action}", **fields)).status_code == 403
    nobody = await site.browser().post(f"/accounts/{site.ann.id}/{action}", **fields)
    assert nobody.status_code == 401
    assert await site.house.placements.moves(site.ann) == []
    for grant in (site.ann, site.eve):
        assert (await site.house.grants.get(grant.id)).stopped_at is None


async def test_who_starts_too_early_is_told_in_place_how_long_it_takes(site: Site) -> None:
    vera, olga = await waiting(site), await site.signed_in("olga")
    page = (await olga.get(f"/accounts/{vera.id}")).text
    assert "Moves to static addresses; can be started in" in page
    assert '<strong role="timer" sse-swap="left">30 min</strong>' in page
    site.house.clock.pass_by(STAGED_DELAY - timedelta(seconds=90))
    early = await sent(olga, f"/accounts/{vera.id}/start")
    assert (early.status_code, early.headers["retry-after"]) == (409, "90")
    assert "Not started: it was too early by 1 min 30 s." in early.text
    assert "nothing is lost" in early.text
    assert 'id="start"' in early.text
    assert (await site.house.grants.get(vera.id)).stopped_at is not None
    site.house.clock.pass_by(timedelta(seconds=90))
    assert (await sent(olga, f"/accounts/{vera.id}/start")).status_code == 303
    started = await site.house.grants.get(vera.id)
    assert (started.environment, started.stopped_at) == (Kind.STATIC, None)


async def test_an_account_is_moved_directly_in_two_steps_or_only_tried(site: Site) -> None:
    await site.house.switch(StaticIps.ON)
    async with site.house.moving():
        pass
    adam, path = await site.signed_in("adam"), f"/accounts/{site.ann.id}"
    assert (await sent(adam, f"{path}/moves", to="dynamic", how="try")).headers["location"].endswith("?done=trying")
    taken = await sent(adam, f"{path}/moves", to="dynamic", how="try")
    assert taken.status_code == 409
    assert "is being moved to v3-us-dynamic already" in taken.text
    async with site.house.moving():
        pass
    assert (await sent(adam, f"{path}/moves", to="dynamic", how="staged")).headers["location"].endswith("?done=moving")
    moves = [(m.mode, m.dry_run, m.state, m.by) for m in await site.house.placements.moves(site.ann)]
    assert moves[:2] == [
        (MigrationMode.STAGED, False, MoveState.STOPPED, "admin adam"),
        (MigrationMode.DIRECT, True, MoveState.DONE, "admin adam"),
    ]
    page = (await adam.get(path)).text
    for told in ("in two steps", "dry run", "Asked for", "Moves to dynamic addresses"):
        assert told in page


async def test_what_cannot_be_is_told_in_place_with_what_to_do(site: Site) -> None:
    olga, path = await site.signed_in("olga"), f"/accounts/{site.ann.id}/moves"
    refused = await sent(olga, path, to="static", how="direct")
    assert refused.status_code == 403
    assert "none of its accounts can move there" in refused.text
    assert 'role="alert"' in refused.text
    assert "ann@example.test" in refused.text
    there = await sent(olga, path, to="dynamic", how="direct")
    assert there.status_code == 409
    assert "in the dynamic environment already" in there.text
    for fields in ({"to": "moon", "how": "direct"}, {"to": "static", "how": "fast"}, {}):
        assert (await sent(olga, path, **fields)).status_code == 400, fields


async def test_an_operator_paces_accounts_that_move_together_and_an_administrator_looks(site: Site) -> None:
    await site.house.switch(StaticIps.ON)
    [batch] = await site.house.feature.batches(site.acme.id)
    olga, adam, page = await site.signed_in("olga"), await site.signed_in("adam"), f"/applications/{site.acme.id}"
    path = f"{page}/batches/{batch.id}"
    seen = (await adam.get(page)).text
    assert "0 of 1 ended" in seen
    assert "Roll back" not in seen
    forbidden = await sent(adam, path, do="pause")
    assert forbidden.status_code == 403
    assert "Only the operator" in forbidden.text
    for do, words in (("pause", "The moves are paused"), ("resume", "The moves go on"), ("roll-back", "called back")):
        answer = await sent(olga, path, do=do)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/dashboard{page}?done={do}#moves")
        assert words in (await olga.get(f"{page}?done={do}")).text
    again = await sent(olga, path, do="pause")
    assert again.status_code == 409
    assert f"The batch {batch.id} was rolled back." in again.text
    assert 'id="accounts"' in again.text
    assert (await sent(olga, f"{page}/batches/none", do="pause")).status_code == 404
    assert (await sent(olga, path, do="dance")).status_code == 400


async def test_an_operator_says_how_accounts_move(site: Site) -> None:
    olga, adam, page = await site.signed_in("olga"), await site.signed_in("adam"), f"/applications/{site.acme.id}"
    assert "Accounts move <strong>without a gap</strong>: so the policy says" in (await adam.get(page)).text
    assert (await sent(adam, f"{page}/migration-mode", mode="staged")).status_code == 403
    assert (await sent(olga, f"{page}/migration-mode", mode="staged")).status_code == 303
    assert (await site.house.application_now()).migration_mode is MigrationMode.STAGED
    assert "in two steps, 30 min apart</strong>: so it was said for this application" in (await adam.get(page)).text
    assert (await sent(olga, f"{page}/migration-mode", mode="policy")).status_code == 303
    assert (await site.house.application_now()).migration_mode is None
    assert (await sent(olga, f"{page}/migration-mode", mode="walk")).status_code == 400


async def test_static_ips_are_requested_for_the_whole_organisation(site: Site) -> None:
    adam, path = await site.signed_in("adam"), f"/applications/{site.acme.id}/static-ips"
    asked = await sent(adam, path, wanted="request", note="both", all="yes")
    assert asked.headers["location"].endswith("?done=requested-all")
    for application in (site.acme, site.other):
        assert (await site.services.applications.get(application.id)).static_ips is StaticIps.REQUESTED
        [change] = await site.house.feature.changes(application.id)
        assert (change.by, change.note) == ("admin adam", "both")
    olga = await site.signed_in("olga")
    assert (await sent(olga, path, wanted="on", all="yes")).status_code == 400
    assert (await site.house.application_now()).static_ips is StaticIps.REQUESTED
