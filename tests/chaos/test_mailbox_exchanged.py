"""A grant is led to another mailbox, whose folders happen to count as the first one's do: none of the old mail stays.

And to the same mailbox by another name of its server: nothing happens.
"""

from tests.lab.dovecot import Dovecot
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.looking import facts, look_again
from tests.running import Running
from tests.waiting import until

COUNT = 30


def test_another_server_with_the_same_counters(mooring: Running, lab: Laboratory) -> None:
    moved = lab.another_dovecot("moved")
    user = lab.user("moving")
    moved.set_user(user)
    for server, seed in ((lab.dovecot, 71), (moved, 72)):
        server.append_many(user.address, "INBOX", mails(COUNT, seed=seed))
        server.change_uidvalidity(user.address, "INBOX", 777_777)
    shared = next(mails(1, seed=73))
    for server in (lab.dovecot, moved):
        assert server.append_many(user.address, "INBOX", [shared]) == [COUNT + 1]
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    before = _ids(mooring, grant)
    told = facts(mooring, grant)

    mooring.sdk.grants.update(grant, {"settings": {"imap_host": "moved.lab.test"}})
    until(lambda: "moved.lab.test" in _origin(mooring, grant), timeout_s=60, what="the inbox has been read anew")
    look_again(mooring, grant)
    assert _raw(mooring, grant) == _held(moved, user.address)
    after = _ids(mooring, grant)
    assert len(before & after) == 1, "the message that both hold keeps its id"
    messages = {fact for fact in facts(mooring, grant) - told if fact[0].startswith("message.")}
    assert messages == {("message.deleted", identity) for identity in before - after}


def test_another_name_of_the_same_server(mooring: Running, lab: Laboratory) -> None:
    user = lab.user("renamed")
    lab.dovecot.append_many(user.address, "INBOX", mails(COUNT, seed=74))
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    before = _ids(mooring, grant)
    told = facts(mooring, grant)

    mooring.sdk.grants.update(grant, {"settings": {"imap_host": "mail.lab.test"}})
    until(lambda: "mail.lab.test" in _origin(mooring, grant), timeout_s=60, what="the inbox has been read anew")
    look_again(mooring, grant)
    assert _ids(mooring, grant) == before
    assert facts(mooring, grant) == told


def _ids(mooring: Running, grant: str) -> set[str]:
    return {message["id"] for message in mooring.listed(grant)}


def _raw(mooring: Running, grant: str) -> list[bytes]:
    return sorted(mooring.raw(grant, identity) for identity in _ids(mooring, grant))


def _held(server: Dovecot, user: str) -> list[bytes]:
    return sorted(stored.raw for stored in server.messages(user, "INBOX"))


def _origin(mooring: Running, grant: str) -> str:
    [row] = mooring.rows("SELECT origin FROM folders WHERE grant_id = $1 AND path = 'INBOX'", grant)
    return row["origin"]
