"""The feature in memory: whoever asks has asked."""

from datetime import UTC, datetime

from mooring.applications import Application, StaticIps, StaticIpsChange
from mooring.config import Generation
from mooring.moves import Batch

AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class FakeFeature:
    """Remembers who asked, with which words."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def ask(self, application_id: str, /, *, note: str) -> Application:
        self.asked.append((application_id, note))
        return Application(
            id=application_id, organisation_id="default", name="Acme", generation=Generation.V3, region="us",
            static_ips=StaticIps.REQUESTED, created_at=AT, updated_at=AT,
        )  # fmt: skip

    async def ask_for_all(self, application_id: str, /, *, note: str) -> Application:
        return await self.ask(f"{application_id} and its organisation's", note=note)

    async def changes(self, application_id: str, /) -> list[StaticIpsChange]:
        return [StaticIpsChange(AT, StaticIps.OFF, StaticIps.REQUESTED, "application", "why")]

    async def batches(self, application_id: str, /) -> list[Batch]:
        return []
