"""Whoever has it asked once more has the same asked: the same servers, ports, modes, paths and users."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from mooring.dashboard.again import again_of, ask_again
from mooring.diagnosis import Ask, Asker, Diagnosis, Service
from mooring.diagnosis.asking.question import filled, question_of
from mooring.diagnosis.types import Question, Secrets, Target
from mooring.errors import InvalidRequest
from mooring.grants import TlsMode
from tests.unit.dashboard.test_diagnosis_views import DONE
from tests.unit.diagnosis.worlds import PASSWORD

ASKER = Asker("app", "v3", "us")
EMAIL = "ann@example.com"
TWO_HOSTS = {"imap_host": "in.example.com", "smtp_host": "out.example.net", "smtp_port": 587}
EVERYTHING = {
    "imap_host": "2001:db8::1", "imap_port": 143, "imap_tls": "starttls", "imap_username": "ann",
    "smtp_host": "192.0.2.7", "smtp_port": 2525, "smtp_tls": "implicit", "smtp_username": "ann-out",
    "caldav_url": "https://[2001:db8::2]:8443/dav/an%20n/?x", "caldav_username": "ann-cal",
}  # fmt: skip
PASSWORDS = {"imap_password": PASSWORD}
FOUND = (
    Target(Service.IMAP, "imap.example.com", 993, TlsMode.IMPLICIT, "ann", is_found=True),
    Target(Service.SMTP, "smtp.elsewhere.test", 587, TlsMode.STARTTLS, "ann", is_found=True, is_confirmed=False),
    Target(Service.CALDAV, "dav.example.com", 443, TlsMode.IMPLICIT, "ann", "/dav", is_found=True),
)


def ended(ask: Ask) -> tuple[Diagnosis, Secrets]:
    """The diagnosis that comes of it, with what is found by its address; and the passwords, which are kept nowhere."""
    question, secrets = question_of(ask, ASKER, "word")
    question = msgspec.structs.replace(filled(question, FOUND), passive=ask.passive)
    return replace(DONE, question=question), secrets


@pytest.mark.parametrize(
    "ask",
    [
        Ask(host="mail.example.com"),
        Ask(host="mail.example.com", email=EMAIL, services=(Service.SMTP,)),
        Ask(host="mail.example.com", services=(Service.CALDAV, Service.IMAP), passive=True),
        Ask(settings=TWO_HOSTS),
        Ask(settings={**TWO_HOSTS, **PASSWORDS}, email=EMAIL),
        Ask(settings=EVERYTHING),
        Ask(settings={**EVERYTHING, **PASSWORDS}, email=EMAIL),
        Ask(email=EMAIL),
        Ask(email=EMAIL, settings=PASSWORDS, services=tuple(Service)),
        Ask(email=EMAIL, settings={"imap_host": "in.example.com", "imap_tls": "starttls"}, services=tuple(Service)),
        Ask(email=EMAIL, settings={"imap_port": 143, "imap_tls": "starttls", "imap_username": "me", **PASSWORDS}),
    ],
)
def test_the_same_is_asked(ask: Ask) -> None:
    first, secrets = ended(ask)
    asked = ask_again(first, PASSWORD if secrets.passwords else "")
    again, secrets_again = ended(asked)
    assert again.question == first.question
    assert (asked.passive, secrets_again) == (ask.passive, secrets)
    # What was found is looked for again, and no password goes where nobody but the name servers said so.
    opened, _ = question_of(asked, ASKER, "word")
    assert {t.service for t in opened.targets if not t.host} == {
        t.service for t in first.question.targets if t.is_found
    }


def test_an_account_is_asked_with_its_own_password() -> None:
    question = Question("app", "v3", "us", "word", FOUND[:1], EMAIL, "g1", with_credentials=True, passive=True)
    of_grant = replace(DONE, grant_id="g1", question=question)
    assert ask_again(of_grant) == Ask(grant_id="g1", services=(Service.IMAP,), passive=True)
    assert (again_of(of_grant).at_once, again_of(of_grant).needs_password) == (True, False)


def test_what_was_asked_with_passwords_needs_them_again() -> None:
    found, _ = ended(Ask(settings={**TWO_HOSTS, "imap_username": "ann", **PASSWORDS}))
    again = again_of(found)
    assert (again.id, again.at_once, again.needs_password) == ("d1", False, True)
    assert again.servers == ("IMAP in.example.com:993, as ann", "SMTP out.example.net:587, as ann")
    with pytest.raises(InvalidRequest, match="password is missing"):
        ask_again(found)


def test_what_nobody_asked_for_needs_an_application() -> None:
    nobodys = replace(DONE, application_id="")
    assert again_of(DONE).at_once
    assert (again_of(nobodys).at_once, again_of(nobodys).needs_password) == (False, False)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"imap_host": "a.test", "imap_port": 143, "imap_tls": "starttls"}, "IMAP a.test:143 (STARTTLS)"),
        ({"caldav_url": "https://[2001:db8::2]/dav"}, "CalDAV https://[2001:db8::2]:443/dav"),
    ],
)
def test_a_server_in_a_line(settings: dict[str, Any], line: str) -> None:
    assert again_of(ended(Ask(settings=settings))[0]).servers == (line,)


def test_a_server_that_is_found_is_not_named() -> None:
    found, _ = ended(Ask(email=EMAIL, services=(Service.IMAP,)))
    assert again_of(found).servers == ("IMAP of ann@example.com, wherever it is found, as ann",)
