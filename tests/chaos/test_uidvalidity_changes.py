"""A folder gets another UIDVALIDITY, as a restored mailbox has: every message keeps its id and its thread."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.looking import facts, look_again
from tests.running import Running
from tests.waiting import until

COUNT = 240


def test_uidvalidity_changes(mooring: Running, lab: Laboratory) -> None:
    user = lab.user("restored")
    lab.dovecot.create(user.address, "Projekte")
    for folder, seed in (("INBOX", 31), ("Projekte", 32)):
        lab.dovecot.append_many(user.address, folder, mails(COUNT, seed=seed))
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    old = _grown_old(mooring, lab, user.address, grant)
    before = _described(mooring, grant)
    assert len(before) == 2 * COUNT + 1
    fetched = facts(mooring, grant)

    for folder in ("INBOX", "Projekte"):
        lab.dovecot.change_uidvalidity(user.address, folder)
    look_again(mooring, grant)

    values = {
        row["path"]: row["uid_validity"]
        for row in mooring.rows("SELECT path, uid_validity FROM folders WHERE grant_id = $1", grant)
    }
    assert values["INBOX"] == lab.dovecot.uidvalidity(user.address, "INBOX")
    assert values["Projekte"] == lab.dovecot.uidvalidity(user.address, "Projekte")
    after = _described(mooring, grant)
    assert after == before
    assert old in after
    assert facts(mooring, grant) - fetched <= {("message.updated", identity) for identity in before}

    arrived = lab.dovecot.append(user.address, "INBOX", next(mails(1, seed=33)).raw)
    assert arrived
    until(lambda: len(_described(mooring, grant)) == 2 * COUNT + 2, timeout_s=20, what="news still arrive")


def _grown_old(mooring: Running, lab: Laboratory, user: str, grant: str) -> str:
    """A message that is stored, and has left the window since; its id."""
    long_ago = datetime.now(UTC) - timedelta(days=200)
    raw = f"Date: {format_datetime(long_ago)}\r\nMessage-ID: <old@lab.test>\r\nSubject: old\r\n\r\nold\r\n".encode()
    lab.dovecot.append(user, "INBOX", raw, date=long_ago)
    return until(
        lambda: next((m["id"] for m in mooring.listed(grant, subject="old") if m["subject"] == "old"), None),
        timeout_s=20,
        what="what arrives is stored, however old it is",
    )


def _described(mooring: Running, grant: str) -> dict[str, tuple[str, tuple[str, ...], bool, bool]]:
    return {m["id"]: (m["thread_id"], tuple(m["folders"]), m["unread"], m["starred"]) for m in mooring.listed(grant)}
