"""What can be asked, and a clear answer to what cannot."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from mooring.diagnosis.asking.guessing import guessing
from mooring.diagnosis.asking.question import (
    Ask,
    Asker,
    filled,
    is_open,
    question_of,
    question_of_grant,
    require_allowed,
    secrets_of_grant,
)
from mooring.diagnosis.types import Lookup, Question, Secrets, Service, Target
from mooring.errors import InvalidRequest, MooringError, TargetNotAllowed
from mooring.grants import CalendarServer, Credentials, TlsMode
from tests.unit.api.things import GRANT

ASKER = Asker("app", "v3", "us")
PASSWORD = "correct-horse"


def asked(**about: Any) -> tuple[Question, Secrets]:
    return question_of(Ask(**about), ASKER, "word")


def places(question: Question) -> list[tuple[str, str, int]]:
    return [(str(t.service), t.host, t.port) for t in question.targets]


def test_a_host_alone_is_asked_as_a_mailbox() -> None:
    question, secrets = asked(host="Mail.Example.COM.")
    assert places(question) == [("imap", "mail.example.com", 993), ("smtp", "mail.example.com", 465)]
    assert all(target.is_usual_port for target in question.targets)
    assert (question.application_id, question.generation, question.subject) == ("app", "v3", "word")
    assert (question.with_credentials, secrets.passwords, question.email) == (False, {}, "")


@pytest.mark.parametrize(
    ("about", "where"),
    [
        ({"host": "bücher.example"}, [("imap", "xn--bcher-kva.example", 993), ("smtp", "xn--bcher-kva.example", 465)]),
        ({"host": "xn--bcher-kva.example", "services": (Service.IMAP,)}, [("imap", "xn--bcher-kva.example", 993)]),
        ({"host": "[2001:DB8::1]", "services": (Service.SMTP,)}, [("smtp", "2001:db8::1", 465)]),
        ({"host": "dav.test", "services": (Service.CALDAV,)}, [("caldav", "dav.test", 443)]),
        ({"settings": {"smtp_host": "s.test", "smtp_port": "587"}}, [("smtp", "s.test", 587)]),
        ({"settings": {"caldav_url": "https://d.test:8443/dav/"}}, [("caldav", "d.test", 8443)]),
        ({"settings": {"caldav_url": "https://kalénder.test/é?x=1"}}, [("caldav", "xn--kalnder-dya.test", 443)]),
        ({"settings": {"caldav_url": "https://fa\u00df.test/"}}, [("caldav", "xn--fa-hia.test", 443)]),
        ({"settings": {"caldav_url": "https://d.test:\u0664\u0664\u0663/"}}, [("caldav", "d.test", 443)]),
        ({"settings": {"caldav_url": "HTTPS://[2001:DB8::1]/"}}, [("caldav", "2001:db8::1", 443)]),
        ({"settings": {"imap_host": "i.test"}, "email": "ann@x.test"}, [("imap", "i.test", 993)]),
        ({"host": "h.test", "settings": {"smtp_host": "s.test"}}, [("imap", "h.test", 993), ("smtp", "s.test", 465)]),
        ({"host": "h.test", "settings": {"imap_port": 143}}, [("imap", "h.test", 143), ("smtp", "h.test", 465)]),
    ],
)
def test_what_is_named_is_asked(about: dict[str, Any], where: list[tuple[str, str, int]]) -> None:
    assert places(asked(**about)[0]) == where


def test_passwords_are_taken_along_and_apart() -> None:
    settings = {
        "imap_host": "i.test", "imap_username": "ann", "imap_password": PASSWORD, "smtp_host": "s.test",
        "smtp_password": "other", "imap_tls": "starttls", "imap_port": 143,
    }  # fmt: skip
    question, secrets = asked(settings=settings)
    assert secrets.passwords == {Service.IMAP: PASSWORD, Service.SMTP: "other"}
    assert question.with_credentials
    assert question.targets[0] == Target(Service.IMAP, "i.test", 143, TlsMode.STARTTLS, "ann")
    assert question.targets[1].username == "ann"
    assert PASSWORD not in repr((question, secrets, Ask(settings=settings)))


def test_the_servers_of_an_address_have_yet_to_be_found() -> None:
    question, secrets = asked(email="Ann@Example.COM", settings={"imap_password": PASSWORD})
    assert is_open(question)
    assert question.email == "ann@example.com"
    assert [(t.host, t.username) for t in question.targets] == [("", "")] * 2
    assert set(secrets.passwords) == {Service.IMAP, Service.SMTP}
    found = [Target(Service.IMAP, "i.test", 993, TlsMode.IMPLICIT), Target(Service.IMAP, "late.test", 143)]
    whole = filled(question, found)
    assert whole.targets == (
        Target(Service.IMAP, "i.test", 993, TlsMode.IMPLICIT, "ann@example.com", is_usual_port=True),
    )
    local = filled(question, [Target(Service.IMAP, "i.test", 993, username="ann"), Target(Service.SMTP, "s.test", 465)])
    assert [target.username for target in local.targets] == ["ann", "ann@example.com"]
    own = asked(email="ann@example.com", settings={"imap_username": "a.b", "imap_password": PASSWORD})[0]
    assert [target.username for target in filled(own, local.targets).targets] == ["a.b", "a.b"]
    named = asked(email="ann@example.com", settings={"imap_port": 143, "imap_tls": "starttls"})[0]
    assert filled(named, found).targets[0] == Target(Service.IMAP, "i.test", 143, TlsMode.STARTTLS, "ann@example.com")


async def test_as_long_as_nobody_knows_better_names_are_guessed() -> None:
    there = {"mail.xn--bcher-kva.example": Lookup("mail.xn--bcher-kva.example", problem="private")}

    async def look_up(question: Question, host: str, port: int) -> Lookup:
        return there.get(host, Lookup(host, problem="no_such_name"))

    question = asked(email="ann@bücher.example", services=(Service.IMAP,))[0]
    assert places(filled(question, await guessing(look_up)(question))) == [
        ("imap", "mail.xn--bcher-kva.example", 993)
    ]  # fmt: skip
    there.clear()
    assert places(filled(question, await guessing(look_up)(question))) == [
        ("imap", "imap.xn--bcher-kva.example", 993)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({}, "Nothing is asked"),
        ({"host": "https://mail.example.com/"}, "host is a URL"),
        ({"host": "ann@example.com"}, "host is an e-mail address"),
        ({"host": "mail.example.com:993"}, "host holds a port"),
        ({"host": "a" * 300 + ".test"}, "longer than a host name"),
        ({"host": "a..test"}, "not a host name"),
        ({"host": "."}, "not a host name"),
        ({"host": "a b.test"}, "not a host name"),
        ({"host": "-\u200d-.test"}, "not a host name"),
        ({"email": "ann"}, "email is not an e-mail address"),
        ({"email": "ann@"}, "email is not an e-mail address"),
        ({"email": "@example.com"}, "email is not an e-mail address"),
        ({"email": "ann@" + "b" * 300 + ".com"}, "domain of the e-mail address is longer"),
        ({"email": "ann@exa mple.com"}, "not an e-mail address"),
        ({"email": "ann@example..com"}, "domain of the e-mail address is not a host name"),
        ({"settings": {"imap_host": 7}}, "settings.imap_host must be a string"),
        ({"settings": {"imap_host": "i.test", "imap_port": 0}}, "settings.imap_port must be a number"),
        ({"settings": {"imap_host": "i.test", "imap_password": PASSWORD}}, "settings.imap_username is missing"),
        ({"settings": {"imap_username": "ann"}}, "settings.imap_host is missing"),
        ({"settings": {"caldav_url": "ftp://x"}}, "caldav_url must be an https"),
        ({"settings": {"caldav_url": "https://a b/"}}, "caldav_url"),
        ({"settings": {"caldav_url": "https://a%2eb.com/"}}, "caldav_url"),
        ({"settings": {"caldav_url": "https://'\"<>.com/"}}, "caldav_url"),
        ({"host": "'\"<>.com"}, "not a host name"),
        ({"settings": {"imap_host": "i.test", "imap_username": "a" * 1025}}, "imap_username has more than 1024"),
        ({"host": "h.test", "services": ()}, "services is empty"),
    ],
)
def test_what_cannot_be_meant_is_told_clearly(about: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        asked(**about)
    assert PASSWORD not in refused.value.message


def test_a_grants_own_servers() -> None:
    settings = GRANT.settings
    grant = replace(
        GRANT,
        settings=type(settings)(settings.imap, settings.smtp, CalendarServer("https://dav.example.com/c/ann/", "ann")),
    )
    question = question_of_grant(Ask(grant_id="g1"), ASKER, grant)
    assert places(question) == [
        ("imap", "imap.example.com", 993), ("smtp", "smtp.example.com", 465), ("caldav", "dav.example.com", 443),
    ]  # fmt: skip
    assert (question.targets[2].path, question.subject, question.grant_id) == ("/c/ann/", "s1", "g1")
    only = question_of_grant(Ask(grant_id="g1", services=(Service.SMTP,)), ASKER, grant)
    assert places(only) == [("smtp", "smtp.example.com", 465)]
    assert secrets_of_grant(only, Credentials(PASSWORD, "other")).passwords == {Service.SMTP: "other"}
    with pytest.raises(InvalidRequest, match="no caldav"):
        question_of_grant(Ask(grant_id="g1", services=(Service.CALDAV,)), ASKER, GRANT)
    with pytest.raises(InvalidRequest, match="stands alone"):
        question_of_grant(Ask(grant_id="g1", host="h.test"), ASKER, grant)


@pytest.mark.parametrize(
    ("host", "port", "error"),
    [
        ("9.9.9.9", 993, None),
        ("9.9.9.9", 4190, InvalidRequest),
        ("9.9.9.9", 22, TargetNotAllowed),
        ("2620:fe::9", 8443, None),
        ("10.1.0.1", 993, TargetNotAllowed),
        ("10.0.0.1", 993, None),
        ("10.0.0.1", 10993, None),
        ("::ffff:10.1.0.1", 993, TargetNotAllowed),
        ("169.254.169.254", 443, TargetNotAllowed),
        ("name.test", 4190, None),
    ],
)
def test_where_may_be_asked(host: str, port: int, error: type[MooringError] | None) -> None:
    target = Target(Service.IMAP, host, port)
    allow = (ip_network("10.0.0.0/24"),)
    if error is None:
        doubtful = require_allowed([target], allow=allow, forbidden=frozenset())
        assert doubtful == ([target] if host == "name.test" else [])
    else:
        with pytest.raises(error):
            require_allowed([target], allow=allow, forbidden=frozenset())
    if host == "name.test":
        with pytest.raises(InvalidRequest, match="4190"):
            require_allowed([target], allow=(), forbidden=frozenset())
