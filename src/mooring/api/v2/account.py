"""The account that an access token speaks for."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_grant_of
from mooring.api.doors import Req, door
from mooring.api.v2.views import AccountView, account_view


@door("GET", "/account", answer=AccountView)
async def own_account(request: Req) -> ASGIResponse:
    """The account of this access token."""
    return encoded(account_view(await v2_grant_of(request)))


ROUTES = (own_account,)
