"""Pages about applications: their static addresses, their accounts, and those of them that move together."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from litestar import Response
from litestar.response.sse import ServerSentEvent
from markupsafe import Markup, escape

from mooring.applications import Application, StaticIps
from mooring.dashboard.batches import batches_of
from mooring.dashboard.doors import Req, Visit, identifier, page, route
from mooring.dashboard.move_views import Refusal, modes_of
from mooring.dashboard.pages import drawn, html, moment, see_other, shown
from mooring.dashboard.services import Services
from mooring.dashboard.streams import Glance, Pieces, seen, stream
from mooring.dashboard.views import AccountView, ApplicationRow, account_view, actions_for, static_ips_sign
from mooring.errors import InvalidRequest
from mooring.grants import GrantQuery, Tally
from mooring.operators import may_decide, require_decision, require_sight, scope_of

ACCOUNTS = 25
"""Accounts on a page."""
LAST_PAGE = 4000
"""Nobody turns so many pages; who looks for somebody searches."""
LONGEST_NOTE = 500
"""Characters."""


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some accounts of an application.

    Attributes:
        search: what is anywhere in their addresses; "" for all.
        number: from 1.
        more: whether there is a page after it.
    """

    application: Application
    accounts: Sequence[AccountView]
    search: str
    number: int
    more: bool


@page("GET", "/dashboard/applications")
async def applications(visit: Visit) -> Response[bytes]:
    services, scope = visit.services, scope_of(visit.operator)
    last, tallies = await services.applications.last_static_ips_changes(), await services.grants.tallies()
    rows = [
        ApplicationRow(
            application=found,
            sign=static_ips_sign(found.static_ips),
            last=last.get(found.id),
            tally=tallies.get(found.id, Tally()),
            actions=actions_for(found.static_ips, decides=may_decide(visit.operator)),
        )
        for found in await services.applications.every()
        if scope is None or found.id == scope
    ]
    # What waits for somebody comes first.
    rows.sort(key=lambda row: row.application.static_ips is not StaticIps.REQUESTED)
    return shown(visit, "applications.html", rows=rows)


@page("GET", "/dashboard/applications/{application_id:str}")
async def application(visit: Visit) -> Response[bytes]:
    found = await application_of(visit)
    if visit.request.headers.get("hx-target") == "accounts":
        return html(drawn("_accounts.html", **await _accounts(visit, found)))
    return await application_page(visit, found)


async def application_page(
    visit: Visit, found: Application, refusal: Refusal | None = None, status: int = HTTPStatus.OK
) -> Response[bytes]:
    """The application's page.

    Args:
        refusal: why what was just asked for about its moves was not done.
    """
    batches = await batches_of(visit, found)
    return shown(
        visit,
        "application.html",
        status=status,
        application=found,
        sign=static_ips_sign(found.static_ips),
        changes=list(reversed(await visit.services.feature.changes(found.id))),
        actions=actions_for(found.static_ips, decides=may_decide(visit.operator)),
        **await _accounts(visit, found),
        modes=modes_of(found, visit.services.placements.policy),
        batches=batches,
        batches_seen=seen(batches.pieces),
        refusal=refusal,
        done=visit.request.query_params.get("done", ""),
    )


@route("GET", "/dashboard/applications/{application_id:str}/live")
async def live_accounts(request: Req) -> ServerSentEvent:
    """How the accounts of a page are doing."""

    async def look(visit: Visit) -> Glance:
        return Glance(_pieces(await account_page(visit.services, await application_of(visit), request)))

    return stream(request, look)


@page("POST", "/dashboard/applications/{application_id:str}/static-ips")
async def static_ips(visit: Visit) -> Response[bytes]:
    """Ask for static addresses, or decide about them; who did, and why, is kept."""
    found = await application_of(visit)
    wanted, note, by = visit.form.get("wanted", ""), visit.form.get("note", "").strip(), visit.operator.signature
    for_all = "all" in visit.form
    if len(note) > LONGEST_NOTE or "\0" in note:
        raise InvalidRequest(f"A note has at most {LONGEST_NOTE} characters.", hint="Write a shorter one.")
    if for_all and wanted != "request":
        raise InvalidRequest(
            "Only a request is for all applications of an organisation; each is decided by itself.",
            hint="Go back, and clear that box.",
        )
    match wanted:
        case "request":
            ask = visit.services.feature.ask_for_all if for_all else visit.services.feature.ask
            changed = await ask(found.id, by=by, note=note)
        case StaticIps.ON | StaticIps.OFF | StaticIps.DENIED:
            require_decision(visit.operator)
            changed, _ = await visit.services.feature.decide(found.id, StaticIps(wanted), by=by, note=note)
        case _:
            raise InvalidRequest("The form says nothing of what to do.", hint="Use one of its buttons.")
    return see_other(f"/dashboard/applications/{found.id}?done={changed.static_ips}{'-all' if for_all else ''}")


async def application_of(visit: Visit) -> Application:
    """The application that the path names.

    Raises:
        NotFound: there is none, or it is not this person's to see.
    """
    application_id = identifier(visit.request, "application_id")
    require_sight(visit.operator, application_id)
    return await visit.services.applications.get(application_id)


async def account_page(services: Services, found: Application, request: Req) -> AccountPage:
    """The page of accounts that a query asks for."""
    search = request.query_params.get("q", "").replace("\0", "").strip()[:254]
    asked = request.query_params.get("page", "1")
    number = min(max(int(asked), 1), LAST_PAGE) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 1
    query = GrantQuery(limit=ACCOUNTS + 1, offset=(number - 1) * ACCOUNTS, part=search or None)
    grants = await services.grants.list(found, query)
    kept = await services.sources([grant.subject for grant in grants])
    accounts = [account_view(grant, kept, services.addresses) for grant in grants[:ACCOUNTS]]
    return AccountPage(found, accounts, search, number, more=len(grants) > ACCOUNTS)


async def _accounts(visit: Visit, found: Application) -> dict[str, Any]:
    """What the list of accounts is drawn from."""
    listed = await account_page(visit.services, found, visit.request)
    pieces = _pieces(listed)
    return {"page": listed, "pieces": pieces, "seen": seen(pieces)}


def _pieces(listed: AccountPage) -> Pieces:
    """What of a page of accounts changes while somebody looks at it: cells of each row, and never its link."""
    pieces: dict[str, Markup] = {}
    for account in listed.accounts:
        pieces |= {
            f"placed-{account.id}": drawn("_kind.html", kind=account.kind),
            f"source-{account.id}": escape(account.source or "none yet"),
            f"health-{account.id}": drawn("_sign.html", sign=account.health),
            f"synced-{account.id}": moment(account.synced_at),
        }
    return pieces


ROUTES = (applications, application, live_accounts, static_ips)
