"""Servers that are found by an e-mail address: what detection says, and the usual names where it says nothing."""

from typing import Any, cast

from mooring.config import EnvironmentName
from mooring.diagnosis.asking.detecting import detecting
from mooring.diagnosis.asking.guessing import guessing
from mooring.diagnosis.types import Lookup, Question, Service, Target
from mooring.errors import NoSource
from mooring.providers import Detected, Origin, Proposal, Provider
from mooring.providers import Service as Detectable

OPEN = tuple(Target(service, "", 0) for service in (Service.IMAP, Service.SMTP))
QUESTION = Question("", "v3", "us", "word", OPEN, "ann@example.com")


class FakeDetection:
    def __init__(self, *servers: Proposal) -> None:
        self.servers = servers

    async def detect_from(self, application_id: str, environment: EnvironmentName, email: str) -> Detected:
        if not self.servers:
            raise NoSource("no pool", reason="unknown_pool")
        return Detected(email, Provider.IMAP, servers=self.servers)


async def found(*servers: Proposal) -> list[Target]:
    async def look_up(question: Question, host: str, port: int) -> Lookup:
        return Lookup(host, problem="mixed" if host == "smtp.example.com" else "no_such_name")

    detection, nobody = cast("Any", FakeDetection(*servers)), cast("Any", None)
    return list(await detecting(detection, nobody, guessing(look_up))(QUESTION))


async def test_who_named_the_host_and_whether_it_is_the_domains_own_is_kept() -> None:
    imap, smtp = await found(
        Proposal(Detectable.IMAP, "imap.example.com", 993, Origin.SRV, 0.9),
        Proposal(Detectable.SMTP, "mx.victim.test", 465, Origin.SRV, 0.9),
    )
    assert (imap.host, imap.is_found, imap.is_confirmed) == ("imap.example.com", True, True)
    assert (smtp.host, smtp.is_found, smtp.is_confirmed) == ("mx.victim.test", True, False)


async def test_what_detection_does_not_say_is_guessed_and_found_as_well() -> None:
    for servers in ((), (Proposal(Detectable.IMAP, "imap.example.com", 993, Origin.SRV, 0.9),)):
        imap, smtp = await found(*servers)
        assert (imap.host, imap.is_found) == ("imap.example.com", True)
        # That it leads to a private address, too, is an answer.
        assert (smtp.host, smtp.is_found) == ("smtp.example.com", True)
