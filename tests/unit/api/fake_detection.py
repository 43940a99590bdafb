"""Detection, in memory: what it is to answer is set."""

from mooring.applications import Application
from mooring.net import TlsMode
from mooring.providers import Detected, Origin, Proposal, Provider, Service
from tests.unit.api.things import Fake

FOUND = Detected(
    "ann@example.com",
    Provider.IMAP,
    "",
    (
        Proposal(Service.IMAP, "imap.example.com", 993, Origin.AUTOCONFIG, 0.9),
        Proposal(Service.SMTP, "smtp.example.com", 587, Origin.AUTOCONFIG, 0.9, TlsMode.STARTTLS),
        Proposal(Service.CALDAV, "dav.example.com", 443, Origin.WELL_KNOWN, 0.8, path="/dav"),
    ),
    ("imap2.example.com was not heard.",),
)


class FakeDetection(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.found = FOUND

    async def detect(self, application: Application, email: str, /) -> Detected:
        self.called("detect", application.id, email)
        return self.found.of(email)
