"""kill -9 of whatever delivers, or takes what is delivered, at any moment: every fact arrives, in order, once or more.

MOORING_CHAOS_S=600 scripts/in-namespace .venv/bin/python -m pytest tests/chaos/test_webhooks_killed.py -rP
"""

import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import pytest
from nylas.models.webhooks import WebhookTriggers

from mooring.webhooks import notice_id
from tests.chaos.accepting import Accepted, Receiver
from tests.chaos.changing import Changes
from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.running import Running, started
from tests.waiting import until

PORT = 18128
ENDPOINT = ("127.0.4.1", 18129)
SOURCE = "127.0.1.30"
SEED = 20_250_102
"""Of everything random here; a failure names it by naming this file."""

CHAOS_S = float(os.environ.get("MOORING_CHAOS_S", "25"))
"""Seconds in which processes are killed; longer when somebody has the time."""
CALM_S = 60 + CHAOS_S / 10
"""Seconds in which what was missed must be made up for: an endpoint that was away is not asked at once."""

VICTIMS = ("worker", "deliverer", "api", "up", "postgres", "receiver")
TRIGGERS = [
    WebhookTriggers.GRANT_CREATED,
    WebhookTriggers.MESSAGE_CREATED,
    WebhookTriggers.MESSAGE_UPDATED,
    WebhookTriggers.MESSAGE_DELETED,
]

Place = tuple[str, int]
"""Of a fact: its grant, and its sequence there."""


@pytest.fixture
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("told")
    with started(folder, PORT, lab.trust, webhook=[SOURCE]) as running:
        yield running


@pytest.fixture
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    found = Receiver(*ENDPOINT, tmp_path_factory.mktemp("receiver") / "accepted")
    found.start()
    yield found
    found.kill()


@pytest.mark.timeout(CHAOS_S + CALM_S + 240)
def test_every_fact_arrives_in_order(
    mooring: Running, lab: Laboratory, receiver: Receiver, record_property: Callable[[str, object], None]
) -> None:
    users = [lab.user(f"told-{number}") for number in range(3)]
    mooring.sdk.webhooks.create({"trigger_types": TRIGGERS, "webhook_url": receiver.url})
    grants = {user: mooring.connect_to_read(user) for user in users}
    for grant in grants.values():
        mooring.synced(grant)
    with Changes(lab, users, seed=SEED) as changes:
        killed = _kill_at_random(mooring, receiver, changes)
    assert set(killed) == set(VICTIMS)

    until(mooring.is_ready, timeout_s=60, what="Mooring is ready again")
    until(lambda: _is_in_step(mooring, grants, changes), timeout_s=CALM_S, what="the copies are as the mailboxes")
    until(lambda: not _missing(mooring, receiver), timeout_s=CALM_S, what="every fact is accepted")
    facts, accepted = _facts(mooring), receiver.accepted()
    _assert_in_order(facts, accepted)
    _assert_every_message_is_a_fact(mooring)
    duplicates = len(accepted) - len(facts)
    for name, value in (("kills", dict(killed)), ("facts", len(facts)), ("duplicates", duplicates)):
        record_property(name, value)
        print(f"{name}: {value}")


def _kill_at_random(mooring: Running, receiver: Receiver, changes: Changes) -> Counter[str]:
    """Kill one after the other, everybody as often, until the time is over; returns who was killed how often."""
    chance = random.Random(SEED)
    killed: Counter[str] = Counter()
    ends_at = time.monotonic() + CHAOS_S
    while time.monotonic() < ends_at or len(killed) < len(VICTIMS):
        for victim in chance.sample(VICTIMS, len(VICTIMS)):
            _wait_for(changes, chance.randint(1, 15))
            _kill(mooring, receiver, victim, changes, chance)
            killed[victim] += 1
    return killed


def _wait_for(changes: Changes, more: int) -> None:
    """Return after so many changes of the mailboxes, which no process that is killed here has a part in."""
    wanted = changes.made + more
    until(lambda: changes.made >= wanted, timeout_s=60, what="the mailboxes go on changing")


def _kill(mooring: Running, receiver: Receiver, victim: str, changes: Changes, chance: random.Random) -> None:
    match victim:
        case "receiver":
            receiver.kill()
            _wait_for(changes, chance.randint(0, 10))
            receiver.start()
        case "up":
            mooring.kill_one("up")
            mooring.start()
        case _:
            # It may be about to be started again after the kill before, or have been killed with its supervisor.
            until(lambda: victim in mooring.pids(), timeout_s=60, what=f"there is a {victim} to be killed")
            mooring.kill_one(victim)


def _is_in_step(mooring: Running, grants: dict[User, str], changes: Changes) -> bool:
    rows = mooring.rows("SELECT grant_id, count(*) AS n FROM placements GROUP BY grant_id")
    return {row["grant_id"]: row["n"] for row in rows} == {grants[user]: changes.count(user) for user in grants}


def _facts(mooring: Running) -> dict[str, Place]:
    """Every fact that is to be told, by the id that it is told with."""
    rows = mooring.rows(
        "SELECT grant_id, sequence FROM outbox WHERE type = ANY ($1) ORDER BY grant_id, sequence",
        [str(trigger.value) for trigger in TRIGGERS],
    )
    return {notice_id(row["grant_id"], row["sequence"]): (row["grant_id"], row["sequence"]) for row in rows}


def _missing(mooring: Running, receiver: Receiver) -> set[str]:
    return _facts(mooring).keys() - {told.id for told in receiver.accepted()}


def _assert_in_order(facts: dict[str, Place], accepted: list[Accepted]) -> None:
    """Nothing was told that is no fact, and of each grant the facts came for the first time as they happened."""
    firsts: dict[str, list[int]] = defaultdict(list)
    for identity in dict.fromkeys(told.id for told in accepted):
        assert identity in facts, f"{identity} was told, and is not in the outbox"
        grant, sequence = facts[identity]
        firsts[grant].append(sequence)
    for sequences in firsts.values():
        assert sequences == sorted(sequences)


def _assert_every_message_is_a_fact(mooring: Running) -> None:
    """Whatever lies in a mailbox arrived after it was connected, and that was written down once."""
    created = "SELECT grant_id, data ->> 'id' AS id FROM outbox WHERE type = 'message.created'"
    assert mooring.rows(f"SELECT grant_id, message_id FROM placements EXCEPT {created}") == []
    assert mooring.rows(f"SELECT grant_id, id FROM ({created}) c GROUP BY 1, 2 HAVING count(*) > 1") == []
