"""What is shown of a fact: of every one that there is something, whatever has become of its account."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from mooring.calendars import CalendarReader
from mooring.events import EventType, Recorded
from mooring.grants import Keys
from mooring.mail import MailReader
from mooring.webhooks import CATALOGUE
from mooring.webhooks.objects import Objects

OBJECTS = Objects(cast("MailReader", None), cast("CalendarReader", None), cast("Keys", None))
DATA = {"id": "x", "calendar_id": "c", "thread_id": "t", "stage": "send", "reason": "r", "message": "m"}

CODES = {
    EventType.GRANT_CREATED: 25012,
    EventType.GRANT_UPDATED: 25014,
    EventType.GRANT_EXPIRED: 25009,
    EventType.GRANT_DELETED: 25013,
}


async def shown(kind: EventType, **data: Any) -> dict[str, Any]:
    fact = Recorded("app", "g1", 1, kind, datetime(2026, 1, 1, tzinfo=UTC), {**DATA, **data})
    return (await OBJECTS.shown(None, [fact]))[0]


@pytest.mark.parametrize("kind", CATALOGUE)
async def test_every_fact_can_be_told(kind: EventType) -> None:
    assert (await shown(kind))["object"]


@pytest.mark.parametrize("kind", [kind for kind in CATALOGUE if kind.startswith("grant.")])
async def test_accounts_have_the_codes_that_clients_know_and_no_others(kind: EventType) -> None:
    if kind is not EventType.SYNC_COMPLETED:
        assert (await shown(kind))["object"].get("code") == CODES.get(kind)


async def test_an_authentication_anew_has_a_code_of_its_own() -> None:
    assert (await shown(EventType.GRANT_UPDATED, reauthentication_flag=True))["object"]["code"] == 25027
