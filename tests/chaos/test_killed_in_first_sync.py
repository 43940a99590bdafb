"""kill -9 at any moment of the first sync, then start: nothing lost, nothing doubled, nothing announced."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.lab.mails import Mail, mails
from tests.running import Running, is_alive, started
from tests.waiting import until

PORT = 18126
SEED = 20_250_101
"""Of everything random here; a failure names it by naming this file."""

FOLDERS = {"INBOX": 1500, "Sent": 600, "Archive": 900, "Projekte": 500, "Projekte/H&AOQ-fen": 600, "Trash": 400}
"""How many messages lie where; by the names that go over the wire."""

SHOWN = {"Projekte/H&AOQ-fen": "Projekte/Häfen"}

KILLED = ("worker", "postgres", "worker", "everything", "up", "postgres", "worker")
"""Who is killed, one after the other."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What is on the server, by folder."""

    user: User
    held: dict[str, list[Mail]]

    @property
    def count(self) -> int:
        return sum(len(mails) for mails in self.held.values())


@pytest.fixture(scope="module")
def mailbox(lab: Laboratory) -> Mailbox:
    user = lab.user("killed")
    held: dict[str, list[Mail]] = {}
    for number, (folder, count) in enumerate(FOLDERS.items()):
        if folder.startswith("Projekte"):
            lab.dovecot.create(user.address, SHOWN.get(folder, folder))
        held[folder] = list(mails(count, seed=700 + number))
        lab.dovecot.append_many(user.address, folder, held[folder])
    # One content in two folders: one message.
    both = held["INBOX"][-1]
    lab.dovecot.append(user.address, "Archive", both.raw, date=both.date)
    held["Archive"].append(both)
    return Mailbox(user, held)


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("killed")
    with started(folder, PORT, lab.trust) as running:
        yield running


@pytest.mark.timeout(240)
def test_nothing_is_lost_doubled_or_announced(mooring: Running, mailbox: Mailbox, lab: Laboratory) -> None:
    chance = random.Random(SEED)
    grant = mooring.connect_to_read(mailbox.user)
    unfinished = 0
    for victim in KILLED:
        _at_a_random_moment(mooring, grant, mailbox, chance)
        unfinished += stored(mooring, grant) < mailbox.count
        _kill(mooring, victim)
    assert unfinished >= 6, f"only {unfinished} of {len(KILLED)} kills came before the end of the first sync"

    mooring.synced(grant)
    _assert_same_as_server(mooring, grant, mailbox, lab)
    _assert_raw_bytes(mooring, grant, mailbox, chance)
    facts = mooring.rows("SELECT type, count(*) AS n FROM outbox WHERE grant_id = $1 GROUP BY type", grant)
    assert {fact["type"]: fact["n"] for fact in facts} == {"grant.created": 1, "grant.imap_sync_completed": 1}
    _assert_no_stray_packs(mooring, grant)


def test_a_killed_supervisor_leaves_nobody_behind(mooring: Running, mailbox: Mailbox) -> None:
    grant = mooring.get(f"/v3/grants/{mailbox.user.address}")["data"]["id"]
    before = mooring.pids()
    mooring.kill_one("up")
    for name in ("api", "worker", "postgres"):
        until(lambda name=name: not is_alive(before[name]), timeout_s=30, what=f"{name} ends by itself")
    mooring.start()
    assert len(mooring.listed(grant)) == mailbox.count - 1


def test_the_database_that_everybody_left_behind_is_adopted(mooring: Running, mailbox: Mailbox) -> None:
    grant = mooring.get(f"/v3/grants/{mailbox.user.address}")["data"]["id"]
    database = mooring.pids()["postgres"]
    mooring.kill()
    assert is_alive(database)
    mooring.start()
    assert mooring.pids()["postgres"] == database
    assert len(mooring.listed(grant)) == mailbox.count - 1


@pytest.mark.timeout(60)
def test_a_database_that_dies_again_while_it_recovers_comes_back_all_the_same(mooring: Running) -> None:
    for _ in range(3):
        killed = mooring.kill_one("postgres")
        until(_another(mooring, "postgres", killed), timeout_s=20, what="PostgreSQL is started again")
    until(mooring.is_ready, timeout_s=30, what="the API answers again")


def _another(mooring: Running, name: str, killed: int) -> Callable[[], bool]:
    return lambda: mooring.pids().get(name, killed) != killed


def _at_a_random_moment(mooring: Running, grant: str, mailbox: Mailbox, chance: random.Random) -> None:
    """Return when the synchronisation, as it goes on, has written one or two packs more, or a moment after that.

    On a fast machine it may be over before; then there is nothing to wait for, and the caller counts that.
    """
    folder = mooring.folder / "data" / "objects" / "grants" / grant
    seen, wanted = _packs(folder), chance.randint(1, 2)
    fresh: set[Path] = set()
    looks = itertools.count(1)

    def enough() -> bool:
        fresh.update(_packs(folder) - seen)
        return len(fresh) >= wanted or (next(looks) % 50 == 0 and stored(mooring, grant) == mailbox.count)

    until(enough, timeout_s=40, what="the synchronisation goes on")
    for _ in range(chance.randint(0, 200)):
        _packs(folder)


def _packs(folder: Path) -> set[Path]:
    try:
        return {path for path in folder.iterdir() if "#" not in path.name}
    except FileNotFoundError:
        return set()


def _kill(mooring: Running, victim: str) -> None:
    match victim:
        case "everything":
            mooring.kill()
            mooring.start()
        case "up":
            mooring.kill_one("up")
            mooring.start()
        case _:
            killed = mooring.kill_one(victim)
            until(_another(mooring, victim, killed), timeout_s=30, what=f"{victim} is started again")


def stored(mooring: Running, grant: str) -> int:
    """How many places of messages are known."""
    return mooring.rows("SELECT count(*) AS n FROM placements WHERE grant_id = $1", grant)[0]["n"]


def _assert_same_as_server(mooring: Running, grant: str, mailbox: Mailbox, lab: Laboratory) -> None:
    folders = mooring.folders(grant)
    everything = mooring.listed(grant, fields="include_headers")
    assert len(everything) == len({m["id"] for m in everything})
    assert Counter(map(_message_id, everything)) == Counter(
        {mail.message_id for held in mailbox.held.values() for mail in held}
    )
    for wire, held in mailbox.held.items():
        folder = folders[SHOWN.get(wire, wire)]
        on_server = lab.dovecot.messages(mailbox.user.address, wire)
        assert len(on_server) == len(held) == folder["total_count"]
        assert folder["unread_count"] == sum("\\Seen" not in message.flags for message in on_server)
        there = [m for m in everything if folder["id"] in m["folders"]]
        assert Counter(map(_message_id, there)) == Counter(mail.message_id for mail in held)
        assert {m["id"] for m in mooring.listed(grant, **{"in": folder["id"]})} == {m["id"] for m in there}


def _message_id(message: dict[str, object]) -> str:
    headers = message["headers"]
    assert isinstance(headers, list)
    return next(h["value"] for h in headers if h["name"].lower() == "message-id")


def _assert_raw_bytes(mooring: Running, grant: str, mailbox: Mailbox, chance: random.Random) -> None:
    originals = {mail.message_id: mail.raw for held in mailbox.held.values() for mail in held}
    for message in chance.sample(mooring.listed(grant, fields="include_headers"), 60):
        assert mooring.raw(grant, message["id"]) == originals[_message_id(message)]


def _assert_no_stray_packs(mooring: Running, grant: str) -> None:
    known = {row["id"] for row in mooring.rows("SELECT id FROM packs WHERE grant_id = $1", grant)}
    assert {path.name for path in _packs(mooring.folder / "data" / "objects" / "grants" / grant)} == known
