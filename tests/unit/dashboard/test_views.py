"""What pages show: states in words, buttons by state and role, accounts without their secrets."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mooring.applications import StaticIps
from mooring.config import EnvironmentName, Generation, Kind
from mooring.dashboard.forgery import form_token, require_genuine
from mooring.dashboard.lists import purpose_of
from mooring.dashboard.views import account_view, actions_for, health_of
from mooring.errors import Forbidden
from mooring.grants import CalendarServer, Grant, GrantStatus, Server, Settings

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
GRANT = Grant(
    id="g1", application_id="acme", generation=Generation.V3, region="us", feature_on=False, provider="imap",
    email="ann@example.com", mail_domain="example.com", subject="s1", environment=Kind.DYNAMIC,
    status=GrantStatus.VALID,
    settings=Settings(
        imap=Server("imap.example.com", 993, "ann"),
        caldav=CalendarServer("https://dav.example.com/ann/?key=abc", "ann"),
    ),
    name="Ann", state="", scope=(), user_agent="", ip="", sync_error=None, synced_at=NOW, created_at=NOW,
    updated_at=NOW,
)  # fmt: skip


@pytest.mark.parametrize(
    ("state", "operators", "admins"),
    [
        (StaticIps.OFF, ["on", "request"], ["request"]),
        (StaticIps.REQUESTED, ["on", "denied"], []),
        (StaticIps.ON, ["off"], []),
        (StaticIps.DENIED, ["on", "request"], ["request"]),
    ],
)
def test_an_administrator_only_asks(state: StaticIps, operators: list[str], admins: list[str]) -> None:
    assert [action.value for action in actions_for(state, decides=True)] == operators
    assert [action.value for action in actions_for(state, decides=False)] == admins


@pytest.mark.parametrize(
    ("grant", "word"),
    [
        (GRANT, "in step"),
        (replace(GRANT, synced_at=None), "not yet in step"),
        (replace(GRANT, status=GrantStatus.INVALID), "cannot log in"),
        (replace(GRANT, stopped_at=NOW, sync_error={"message": "no"}), "stopped"),
        (replace(GRANT, sync_error={"message": "no"}, status=GrantStatus.INVALID), "failing"),
    ],
)
def test_health_is_a_word(grant: Grant, word: str) -> None:
    assert health_of(grant).word == word


def test_an_account_is_shown_with_the_source_that_it_keeps() -> None:
    kept = {("s1", "v3-us-dynamic"): ("d1", "gone"), ("s1", "v3-us-static"): ("s1",)}
    view = account_view(GRANT, kept, {"d1": "198.51.100.7"})
    assert view.source == "198.51.100.7 (d1), gone"
    assert str(view.environment) == "v3-us-dynamic"
    assert account_view(GRANT, {}, {}).source == ""


def test_of_a_calendars_address_only_where_it_is_is_shown() -> None:
    view = account_view(GRANT, {}, {})
    assert [(s.protocol, s.address) for s in view.servers] == [
        ("IMAP", "imap.example.com:993"), ("CalDAV", "https://dav.example.com/ann/"),
    ]  # fmt: skip


def test_of_a_failure_only_known_words_are_shown() -> None:
    error = {"message": "It timed out.", "stage": "connect", "port": 993, "server_said": "", "password": "hunter2"}
    failure = account_view(replace(GRANT, sync_error=error), {}, {}).failure
    assert failure == {"message": "It timed out.", "stage": "connect", "port": "993"}


def test_v3_publishes_no_dynamic_list_and_says_what_to_do_instead() -> None:
    told = purpose_of(EnvironmentName(Generation.V3, "us", Kind.DYNAMIC))
    assert "No list is published" in told
    assert "static" in told


def test_a_form_is_known_by_its_session() -> None:
    token = form_token("session one")
    assert "session one" not in token
    require_genuine(token, token, None)
    require_genuine(token, token, "same-origin")
    for shown, expected, site in (
        (token, form_token("session two"), None), ("", "", None), ("", token, None), (token, token, "cross-site"),
        (token, token, "same-site"), ("ü", token, None),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            require_genuine(shown, expected, site)
