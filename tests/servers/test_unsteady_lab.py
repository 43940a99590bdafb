"""The laboratory's unsteady servers: fifty at once, of which half come and go, and half are reached if one insists."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab import Laboratory
from tests.lab.situations import Situation, Situations, unsteady
from tests.lab.situations.sources import DYNAMIC, STATIC
from tests.lab.situations.types import IMAP


@pytest.fixture(scope="module")
def standing(lab: Laboratory) -> Iterator[Situations]:
    lab.firewall.open()
    with Situations(lab, unsteady(50)) as situations:
        yield situations


def words(standing: Situations, wanted: list[Situation]) -> dict[str, set[str]]:
    """What is seen of each, from a static and a dynamic address at once."""
    looks = [(situation, source) for situation in wanted for source in (STATIC[0], DYNAMIC[0])]
    with ThreadPoolExecutor(len(looks)) as pool:
        sights = pool.map(lambda look: standing.look(look[0], look[1], IMAP), looks)
        found: dict[str, set[str]] = {}
        for (situation, _), [sight] in zip(looks, sights, strict=True):
            found.setdefault(situation.name, set()).add(sight.word)
    return found


def test_lost_syns_are_made_good_by_the_next(standing: Situations) -> None:
    losing = [situation for situation in standing.all if not situation.flaps_s]
    assert len(losing) == 25
    assert set().union(*words(standing, losing).values()) == {"greeted"}


def test_flapping_servers_are_up_and_down_by_turns(standing: Situations) -> None:
    flapping = [situation for situation in standing.all if situation.flaps_s]
    assert len(flapping) == 25
    seen = set[str]()
    for _ in range(20):
        seen |= set().union(*words(standing, flapping).values())
        if seen == {"greeted", "silent"}:
            return
    pytest.fail(f"only this was seen: {seen}")
