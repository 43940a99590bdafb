"""Calendars, end to end, by the official SDK: Radicale behind nftables, real ``mooring up``."""

import ssl
import time
from collections.abc import Iterator

import httpx
import pytest
from nylas.models.errors import NylasApiError
from nylas.models.events import ListEventQueryParams

from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.running import Running, configuration
from tests.unit.calendars.objects import at as moment
from tests.unit.calendars.objects import ics
from tests.waiting import until

PORT = 18026
JUNE: ListEventQueryParams = {"calendar_id": "primary", "start": moment(2026, 6, 1), "end": moment(2026, 7, 1)}


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("mooring")
    (folder / "mooring.toml").write_text(configuration(PORT))
    running = Running(folder, PORT, lab.trust)
    running.start()
    yield running
    assert running.stop() == 0


def person(lab: Laboratory, name: str) -> tuple[User, dict[str, str]]:
    """Somebody with a calendar of two events, and what they connect it with."""
    user = lab.user(name)
    _ = lab.postfix, lab.radicale
    with (lab.root / "radicale" / "users").open("a") as known:
        known.write(f"{user.address}:{user.password}\n")
    home = f"https://dav.lab.test/{user.address}"
    objects = {
        "once": "UID:once|DTSTAMP:20260101T000000Z|DTSTART:20260602T090000Z|DURATION:PT1H|SUMMARY:Budget",
        "week": "UID:w|DTSTAMP:20260101T000000Z|DTSTART:20260603T090000Z|DURATION:PT1H|SUMMARY:Sync|RRULE:FREQ=WEEKLY",
    }
    trust = ssl.create_default_context(cafile=lab.trust)
    with httpx.Client(verify=trust, auth=(user.address, user.password), trust_env=False) as http:
        http.request("MKCALENDAR", f"{home}/tides/").raise_for_status()
        for uid, one in objects.items():
            http.put(f"{home}/tides/{uid}.ics", content=ics(one)).raise_for_status()
    return user, {
        "caldav_url": "https://dav.lab.test/",
        "caldav_username": user.address,
        "caldav_password": user.password,
    }


def test_calendars_are_read_from_static_addresses_only(mooring: Running, lab: Laboratory, firewall: Firewall) -> None:
    user, caldav = person(lab, "kalle")
    firewall.admit_only(at.STATIC)
    firewall.forget()
    mark = lab.radicale.server.mark()
    mooring.static_ips("on")
    sdk = mooring.sdk
    grant = mooring.connect(user, **caldav)

    listed = sdk.events.list(grant, query_params=JUNE).data
    assert [event.title for event in listed] == ["Budget", "Sync", "Sync", "Sync", "Sync"]
    until(
        lambda: (
            "x-mooring-synced-at" in {name.lower() for name in sdk.events.list(grant, query_params=JUNE).headers or {}}
        ),
        timeout_s=30,
        what="the calendar is stored",
    )
    stored = sdk.events.list(grant, query_params=JUNE).data
    assert [event.id for event in stored] == [event.id for event in listed]
    occurrence = sdk.events.find(grant, stored[1].id, query_params={"calendar_id": "primary"}).data
    assert occurrence.master_event_id
    master = sdk.events.find(grant, occurrence.master_event_id, query_params={"calendar_id": "primary"}).data
    assert master.recurrence == ["RRULE:FREQ=WEEKLY"]
    [calendar] = sdk.calendars.list(grant).data
    assert calendar.is_primary
    assert sdk.calendars.find(grant, "primary").data.id == calendar.id

    assert firewall.sources() <= set(at.STATIC)
    assert lab.radicale.remote_addresses(since=mark)
    assert lab.radicale.remote_addresses(since=mark) <= set(at.STATIC)


def test_a_calendar_server_that_filters_us_is_said_and_no_empty_list(
    mooring: Running, lab: Laboratory, firewall: Firewall
) -> None:
    user, caldav = person(lab, "lena")
    firewall.admit_only(at.STATIC)
    mooring.static_ips("off")
    grant = mooring.connect(user, **caldav)
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(NylasApiError) as failure:
            mooring.sdk.events.list(grant, query_params=JUNE)
        assert failure.value.status_code == 504
        assert failure.value.type == "api.provider_error"
        told = failure.value.provider_error
        assert told is not None
        assert (told["stage"], told["class"], told["environment"]) == ("connect", "live", "dynamic")
    assert time.monotonic() - began < 40


def test_a_grant_without_calendars_says_so(mooring: Running, lab: Laboratory) -> None:
    user = lab.user("mia")
    _ = lab.postfix
    grant = mooring.connect(user)
    with pytest.raises(NylasApiError) as failure:
        mooring.sdk.events.list(grant, query_params=JUNE)
    assert failure.value.status_code == 400
    assert "no calendar server" in str(failure.value)
