"""The user changes the password: the grant becomes invalid, and valid again by authenticating, under the same id."""

from dataclasses import replace

import pytest
from nylas.models.errors import NylasApiError

from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running
from tests.waiting import until


def test_a_changed_password_invalidates_the_grant_until_it_is_told(mooring: Running, lab: Laboratory) -> None:
    user = lab.user("changing")
    lab.dovecot.append_many(user.address, "INBOX", mails(5, seed=61))
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)

    changed = lab.dovecot.set_user(replace(user, password="another-secret-41"))
    lab.dovecot.kick(user.address)
    until(lambda: _status(mooring, grant) == "invalid", timeout_s=30, what="the grant becomes invalid")
    error = mooring.get(f"/v3/grants/{grant}")["data"]["sync"]["error"]
    assert (error["stage"], error["reason"]) == ("login", "authentication")
    assert user.password not in str(error)
    assert len(mooring.listed(grant)) == 5

    _assert_refused(mooring, user)
    assert _status(mooring, grant) == "invalid"

    assert mooring.connect_to_read(changed) == grant
    assert _status(mooring, grant) == "valid"
    _assert_news_arrive(mooring, lab, user.address, grant, seed=62)
    told = [row["type"] for row in mooring.rows("SELECT type FROM outbox WHERE grant_id = $1 ORDER BY sequence", grant)]
    assert [t for t in told if t.startswith(("grant.", "sync."))] == [
        "grant.created", "grant.imap_sync_completed", "grant.expired", "grant.updated",
    ]  # fmt: skip
    assert user.password not in mooring.log
    assert changed.password not in mooring.log


def test_a_failed_reauthentication_changes_nothing(mooring: Running, lab: Laboratory) -> None:
    user = lab.user("mistaken")
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    before = mooring.get(f"/v3/grants/{grant}")["data"]

    _assert_refused(mooring, replace(user, password="not-the-password"))
    with pytest.raises(NylasApiError) as failure:
        mooring.sdk.grants.update(grant, {"settings": {"imap_password": "not-the-password"}})
    assert failure.value.status_code == 400

    after = mooring.get(f"/v3/grants/{grant}")["data"]
    assert {k: v for k, v in after.items() if k != "sync"} == {k: v for k, v in before.items() if k != "sync"}
    assert after["sync"]["state"] == "ok"
    mark = lab.dovecot.server.mark()
    lab.dovecot.kick(user.address)
    _assert_news_arrive(mooring, lab, user.address, grant, seed=63)
    assert all(login.ok for login in lab.dovecot.logins(since=mark) if login.user == user.address)


def _status(mooring: Running, grant: str) -> str:
    return mooring.get(f"/v3/grants/{grant}")["data"]["grant_status"]


def _assert_refused(mooring: Running, user: User) -> None:
    with pytest.raises(NylasApiError) as failure:
        mooring.connect_to_read(user)
    assert failure.value.status_code == 400
    assert failure.value.type == "api.provider_error"
    told = failure.value.provider_error
    assert told is not None
    assert told["stage"] == "login"
    assert user.password not in str(told) + str(failure.value)


def _assert_news_arrive(mooring: Running, lab: Laboratory, user: str, grant: str, *, seed: int) -> None:
    count = len(mooring.listed(grant))
    lab.dovecot.append_many(user, "INBOX", mails(1, seed=seed))
    until(lambda: len(mooring.listed(grant)) == count + 1, timeout_s=30, what="news arrive")
