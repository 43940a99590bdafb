"""The article on v3 as a story, told by both official SDKs: S14, S15, S18 to S21."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import SERVERS, Running, configuration, credentials
from tests.servers.test_calendar_job import person
from tests.story.tellers import Node, Python, Teller
from tests.waiting import until

PORT = 18227
IMAP, SMTP, DAV = (993,), (587,), (443,)


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("v3")
    (folder / "mooring.toml").write_text(configuration(PORT))
    running = Running(folder, PORT, lab.trust)
    running.start()
    _ = lab.postfix, lab.radicale
    yield running
    assert running.stop() == 0
    assert running.defects == []


@pytest.fixture(params=[Python, Node], ids=["python", "node"])
def sdk(mooring: Running, request: pytest.FixtureRequest) -> Teller:
    mooring.static_ips("off")
    return request.param(mooring)


@pytest.fixture
def people(lab: Laboratory) -> tuple[User, dict[str, Any], User]:
    """Somebody with mail and calendars, what they connect with, and a friend."""
    number = len(lab.dovecot.users())
    user, caldav = person(lab, f"story{number}")
    lab.dovecot.append_many(user.address, "INBOX", mails(3, seed=number))
    return user, {**credentials(user), **SERVERS, **caldav}, lab.user(f"friend{number}")


def test_s15_no_address_is_admitted_and_no_grant_is_made(
    mooring: Running, sdk: Teller, people: tuple[User, dict[str, Any], User], firewall: Firewall
) -> None:
    user, settings, _ = people
    firewall.close()
    refused = sdk.connect(settings)
    assert (refused.status, refused.type) == (504, "api.provider_error")
    told = refused.provider_error
    assert (told["stage"], told["reason"], told["environment"]) == ("connect", "timeout", "static")
    assert told["source"] in at.STATIC
    assert user.address not in {g.email for g in mooring.sdk.grants.list(query_params={"limit": 200}).data}


def test_s14_s18_imap_is_filtered_and_the_feature_brings_it(
    mooring: Running, sdk: Teller, people: tuple[User, dict[str, Any], User], firewall: Firewall
) -> None:
    _, settings, friend = people
    firewall.admit_only(at.STATIC)
    firewall.forget()
    connected = sdk.connect(settings)
    assert connected.status == 200
    grant = connected.data["id"]
    for failed in (sdk.read(grant), sdk.calendars(grant), sdk.send(grant, friend.address)):
        assert (failed.status, failed.type) == (504, "api.provider_error")
        told = failed.provider_error
        assert (told["stage"], told["environment"], told["source"] in at.DYNAMIC) == ("connect", "dynamic", True)

    mooring.static_ips("on")
    until(lambda: _placed(mooring, grant) == "static", timeout_s=25, what="the account has moved")
    firewall.forget()
    until(lambda: sdk.read(grant).status == 200, timeout_s=40, what="it can be read")
    assert len(sdk.read(grant).data) == 3
    until(lambda: sdk.calendars(grant).status == 200, timeout_s=40, what="its calendars can be read")
    assert sdk.send(grant, friend.address).status == 200
    until(lambda: mooring.get(f"/v3/grants/{grant}")["data"]["sync"]["state"] == "ok", timeout_s=60, what="in step")
    assert firewall.sources() <= set(at.STATIC)


def test_s20_smtp_is_filtered_alone(
    mooring: Running, sdk: Teller, people: tuple[User, dict[str, Any], User], firewall: Firewall
) -> None:
    _, settings, friend = people
    firewall.open()
    firewall.drop(at.DYNAMIC, SMTP)
    grant = sdk.connect(settings).data["id"]
    assert len(sdk.read(grant).data) == 3
    failed = sdk.send(grant, friend.address)
    assert failed.status == 504
    told = failed.provider_error
    assert (told["stage"], told["reason"], told["port"]) == ("connect", "timeout", 587)
    mooring.static_ips("on")
    until(lambda: _placed(mooring, grant) == "static", timeout_s=25, what="the account has moved")
    assert sdk.send(grant, friend.address).status == 200


def test_s18_caldav_is_filtered_alone(
    mooring: Running, sdk: Teller, people: tuple[User, dict[str, Any], User], firewall: Firewall
) -> None:
    _, settings, _ = people
    firewall.open()
    firewall.drop(at.DYNAMIC, DAV)
    grant = sdk.connect(settings).data["id"]
    assert len(sdk.read(grant).data) == 3
    failed = sdk.calendars(grant)
    assert (failed.status, failed.provider_error["stage"]) == (504, "connect")
    mooring.static_ips("on")
    until(lambda: _placed(mooring, grant) == "static", timeout_s=25, what="the account has moved")
    until(lambda: sdk.calendars(grant).status == 200, timeout_s=40, what="its calendars can be read")
    assert len(sdk.calendars(grant).data) == 1


def test_s21_all_works_and_the_feature_is_not_needed(
    mooring: Running, sdk: Teller, people: tuple[User, dict[str, Any], User], firewall: Firewall
) -> None:
    _, settings, friend = people
    firewall.open()
    firewall.forget()
    grant = sdk.connect(settings).data["id"]
    assert len(sdk.read(grant).data) == 3
    assert sdk.calendars(grant).status == 200
    assert sdk.send(grant, friend.address).status == 200
    connections = mooring.get(f"/v3/grants/{grant}/connections", limit=200)["data"]
    assert {(c["class"], c["environment"]) for c in connections} >= {("auth", "static"), ("send", "dynamic")}
    assert {c["environment"] for c in connections if c["class"] != "auth"} == {"dynamic"}


def _placed(mooring: Running, grant: str) -> str:
    return mooring.get(f"/v3/grants/{grant}")["data"]["environment"]
