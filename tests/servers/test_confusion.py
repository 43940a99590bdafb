"""Every situation of the laboratory, asked about at once: is the verdict right, and was anybody too forward?

The confusion matrix is printed (``-s`` shows it).
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.lab.laboratory import Laboratory
from tests.lab.situations import Site, Situation, Situations
from tests.lab.situations.tallies import Tally
from tests.running import Running
from tests.servers.asking import code_of, diagnosed_at_once, keys_for, seen, started

NEEDED = {"needed", "needed_for_sending_only"}
BAN = 5
"""Lines at which fail2ban bans, by its defaults."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def sites(
    lab: Laboratory, situations: Situations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Site, Running]]:
    running = {site: started(lab, site, tmp_path_factory.mktemp(str(site))) for site in Site}
    situations.lose()
    yield running
    for one in running.values():
        assert one.stop() == 0
        assert one.defects == []


@pytest.fixture(scope="module")
def asked(sites: dict[Site, Running], situations: Situations) -> tuple[dict[str, dict[str, Any]], list[Tally]]:
    """Each situation's diagnosis, all of them under way at the same time; and what fail2ban would hold against us."""
    keys = keys_for(sites, [situations.question(situation) for situation in situations.all])
    since = situations.marks()
    found = asyncio.run(diagnosed_at_once(sites, keys, situations, situations.all))
    return found, situations.tallies(since)


def test_every_verdict_is_right(asked: tuple[dict[str, dict[str, Any]], list[Tally]], situations: Situations) -> None:
    verdicts, _ = asked
    judged = [situation for situation in situations.all if not situation.needs_history]
    told = {situation.name: code_of(verdicts[situation.name]) for situation in judged}
    show_matrix(judged, told)
    wrong = [situation for situation in judged if told[situation.name] not in situation.expected]
    for situation in wrong:
        print(
            "WRONG",
            situation.name,
            situation.expected,
            told[situation.name],
            *seen(verdicts[situation.name]),
            sep="\n  ",
        )
    assert [(s.name, told[s.name], s.expected) for s in wrong] == []


def test_needed_is_never_said_where_our_own_exit_is_broken(
    asked: tuple[dict[str, dict[str, Any]], list[Tally]], situations: Situations
) -> None:
    verdicts, _ = asked
    broken = [situation for situation in situations.all if situation.site is Site.BROKEN]
    assert broken
    assert [s.name for s in broken if code_of(verdicts[s.name]) in NEEDED and not NEEDED & set(s.expected)] == []


def test_nobody_would_be_banned(asked: tuple[dict[str, dict[str, Any]], list[Tally]], situations: Situations) -> None:
    _, tallies = asked
    print("\nlines that fail2ban counts in its aggressive mode, the heaviest:", *tallies[:5], sep="\n  ")
    assert tallies
    assert [tally for tally in tallies if tally.lines >= BAN] == []
    for name, guarded in situations.servers.guarded.items():
        records = asyncio.run(guarded.records())
        assert all(not record.banned and max(record.dovecot, record.postfix) < BAN for record in records.values()), name


def test_what_worked_and_is_banned_is_called_so(
    asked: tuple[dict[str, dict[str, Any]], list[Tally]], sites: dict[Site, Running], situations: Situations
) -> None:
    banned = situations["banned"]
    assert code_of(asked[0]["banned"]) == "not_needed"
    situations.ban()
    keys = keys_for(sites, [situations.question(banned)])
    again = asyncio.run(diagnosed_at_once(sites, keys, situations, [banned]))["banned"]
    assert code_of(again) in banned.expected, seen(again)


def show_matrix(judged: Sequence[Situation], told: dict[str, str]) -> None:
    right = sum(told[situation.name] in situation.expected for situation in judged)
    print(f"\n{len(judged)} situations at once, {right} verdicts right")
    for (expected, code), count in sorted(Counter((s.expected[0], told[s.name]) for s in judged).items()):
        print(f"  {expected:36} {code:36} {count:3}")
