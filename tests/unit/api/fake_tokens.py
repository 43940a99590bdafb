"""Access tokens and codes, in memory."""

from datetime import datetime

from mooring.applications import Application
from mooring.errors import InvalidRequest, NotFound, Unauthorized
from mooring.grants import Grant
from tests.unit.api.things import GRANT, NOW, V2_GRANT, V2_TOKEN, V3_TOKEN, Fake


class FakeTokens(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.v3, self.v2 = GRANT, V2_GRANT

    async def issue(self, grant: Grant, /) -> str:
        self.called("issue", grant.id)
        return V2_TOKEN

    async def grant_of(self, token: str, /) -> Grant:
        self.called("grant_of", token)
        if token not in {V2_TOKEN, V3_TOKEN}:
            raise Unauthorized("Nobody has this access token.")
        return self.v2 if token == V2_TOKEN else self.v3

    async def issued_at(self, grant: Grant, token: str, /) -> datetime:
        self.called("issued_at", grant.id, token)
        if token != V2_TOKEN:
            raise NotFound("The account has no such token.")
        return NOW

    async def revoke(self, token: str, /) -> None:
        self.called("revoke", token)

    async def revoke_all(self, grant: Grant, /, *, keep: str | None) -> None:
        self.called("revoke_all", grant.id, keep)

    async def issue_code(self, grant: Grant, /) -> str:
        self.called("issue_code", grant.id)
        return "code-1"

    async def redeem_code(self, application: Application, code: str, /) -> Grant:
        self.called("redeem_code", application.id, code)
        if code != "code-1":
            raise InvalidRequest("This code is not good any more.")
        return V2_GRANT
