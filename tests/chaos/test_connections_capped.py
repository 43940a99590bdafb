"""A server admits few connections from an address: mailboxes take turns, people get in, and nobody is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.crowd import VISITED_S, Crowd, asked, gathered, policy
from tests.lab import addresses as at
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import Mail, mails
from tests.running import Running, configuration
from tests.waiting import until

PORT = 18127
MAILBOXES = 24
CAP = 5
VISITS = 2


@pytest.fixture
def mooring(lab: Laboratory, tmp_path: Path) -> Iterator[Running]:
    settings = configuration(
        PORT, static=at.STATIC[:1], dynamic=at.DYNAMIC[:1], extra=policy(subset=1, connections=CAP)
    )
    (tmp_path / "mooring.toml").write_text(settings)
    running = Running(tmp_path, PORT, lab.trust)
    running.start()
    yield running
    assert running.stop() == 0
    assert running.defects == []


@pytest.mark.timeout(300)
def test_connections_capped(mooring: Running, lab: Laboratory, firewall: Firewall) -> None:
    firewall.cap(CAP)
    with asked(mooring) as rows:
        crowd = gathered(mooring, rows, lab, MAILBOXES, name="capped")
        told = len(crowd.facts())
        delivered: list[list[Mail]] = []
        for number in range(VISITS):
            delivered.append(list(mails(MAILBOXES, seed=number)))
            for user, mail in zip(crowd.users, delivered[-1], strict=True):
                lab.dovecot.deliver(user.address, mail.raw)
            crowd.visited()
        # A message that came while its mailbox was looked at is found at the next visit.
        until(lambda: len(_created(crowd)) == MAILBOXES * VISITS, timeout_s=VISITED_S, what="all mail has been told")
        assert len(crowd.facts()) == told + MAILBOXES * VISITS
        for place, grant in enumerate(crowd.grants):
            subjects = [subject for of, subject in _created(crowd) if of == grant]
            assert subjects == [mails_of[place].subject for mails_of in delivered]

        grant = mooring.connect_to_read(lab.user("capped-live"))
        assert mooring.get(f"/v3/grants/{grant}/folders")["data"]
        assert firewall.over_cap() == 0
        assert rows("SELECT traffic, source, cause FROM ledger WHERE outcome <> 'opened'") == []


def _created(crowd: Crowd) -> list[tuple[str, str]]:
    """The grant and the subject of every message that was told of, in the order of each grant."""
    told = crowd.rows(
        """SELECT o.grant_id, m.subject FROM outbox o
           JOIN messages m ON m.grant_id = o.grant_id AND m.id = o.data ->> 'id'
           WHERE o.type = 'message.created' ORDER BY o.grant_id, o.sequence"""
    )
    return [(row["grant_id"], row["subject"]) for row in told]
