"""The server drops the connection in the middle of a fetch, again and again; then it dies; then it lives."""

from collections import Counter
from typing import Any

import pytest

from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running
from tests.waiting import until

COUNT = 8000
"""Messages: some seconds of fetching, so that there is a middle to be interrupted in."""


@pytest.mark.timeout(120)
def test_drops_mid_fetch(mooring: Running, lab: Laboratory) -> None:
    user = lab.user("dropped")
    held = list(mails(COUNT, seed=51))
    originals = {mail.message_id: mail.raw for mail in held}
    lab.dovecot.append_many(user.address, "INBOX", held)
    grant = mooring.connect_to_read(user)

    seen = 0
    for drop in (lambda: lab.dovecot.kick(user.address), lab.dovecot.server.kill):
        seen = until(lambda seen=seen: _more(mooring, grant, seen), timeout_s=40, what="messages come in")
        assert seen < COUNT
        drop()
        error = until(lambda: _error(mooring, grant), timeout_s=20, what="the failure is told")
        assert error["host"] == "imap.lab.test"
        assert (error["class"], error["reason"]) in {("sync", "closed"), ("sync", "bye"), ("sync", "refused")}
        assert _more(mooring, grant, seen - 1), "what was stored stays stored"
        lab.dovecot.server.start()

    mooring.synced(grant)
    listed = mooring.listed(grant)
    assert len(listed) == len({m["id"] for m in listed}) == COUNT
    known = Counter(
        row["message_id_header"]
        for row in mooring.rows("SELECT message_id_header FROM messages WHERE grant_id = $1", grant)
    )
    assert known == Counter(identity.strip("<>") for identity in originals)
    raws = {mooring.raw(grant, message["id"]) for message in listed[::200]}
    assert raws <= set(originals.values())
    told = mooring.rows("SELECT DISTINCT type FROM outbox WHERE grant_id = $1", grant)
    assert {row["type"] for row in told} == {
        "grant.created", "sync.failed", "sync.recovered", "grant.imap_sync_completed",
    }  # fmt: skip


def _more(mooring: Running, grant: str, than: int) -> int | None:
    count = mooring.rows("SELECT count(*) AS n FROM placements WHERE grant_id = $1", grant)[0]["n"]
    return count if count > than else None


def _error(mooring: Running, grant: str) -> dict[str, Any] | None:
    return mooring.get(f"/v3/grants/{grant}")["data"]["sync"]["error"]
