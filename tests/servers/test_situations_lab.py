"""The laboratory of situations itself: plain sockets see what each story says, or its verdict is mere opinion."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mooring.config import load_config
from mooring.diagnosis.verdict.types import Code
from tests.lab.guarded import Record
from tests.lab.situations import SITUATIONS, WELL, Service, Sight, Site, Situation, Situations, configuration
from tests.lab.situations.sources import BOUND, DYNAMIC, HOLES, LOST, NO_ROUTE6, POOLS, STATIC
from tests.lab.situations.types import IMAP, SMTP

#: What "well" looks like: with credentials, and without.
_WELL = {
    "imap": ("logged in", "greeted"),
    "smtp": ("recipient accepted", "greeted"),
    "caldav": ("http 207", "http 401"),
}


@pytest.fixture(scope="module")
def sights(situations: Situations) -> dict[str, list[tuple[str, Sight]]]:
    """Of each situation what is expected and what was seen, all looked at at once."""
    situations.lose()
    looks = [
        (situation, expected, source, service)
        for situation in situations.all
        if not situation.needs_history
        for sources, told in situation.sees.items()
        for source in sources
        for service in situation.asks
        if (expected := told if isinstance(told, str) else told.get(service.kind, ""))
    ]
    found: dict[str, list[tuple[str, Sight]]] = {situation.name: [] for situation in situations.all}
    with ThreadPoolExecutor(128) as pool:
        seen = pool.map(lambda look: situations.look(look[0], look[2], look[3]), looks)
        for (situation, expected, _, _), views in zip(looks, seen, strict=True):
            found[situation.name] += [(expected, sight) for sight in views]
    return found


def is_as_told(situation: Situation, expected: str, sight: Sight) -> bool:
    if expected == WELL:
        return sight.word == well(situation, sight.service)
    return re.match(expected, sight.word) is not None


def well(situation: Situation, service: Service) -> str:
    return _WELL[service.kind][0 if situation.credentials else 1]


def test_situations_are_enough_and_apart() -> None:
    names = {situation.name for situation in SITUATIONS}
    assert len(names) == len(SITUATIONS) >= 40


def test_right_verdicts_are_verdicts() -> None:
    for situation in SITUATIONS:
        assert situation.expected
        assert all(Code(code) for code in situation.expected)


@pytest.mark.parametrize("site", Site)
def test_configurations_name_every_pool(tmp_path: Path, site: Site) -> None:
    file = tmp_path / "mooring.toml"
    file.write_text(configuration(site, 8025))
    pools = load_config(file, {}).egress.pools
    assert [str(pool.environment) for pool in pools] == [pool.environment for pool in POOLS[site]]
    asked = {(s.region, "static") for s in SITUATIONS if s.site is site}
    assert asked <= {(pool.environment.region, str(pool.environment.kind)) for pool in pools}


def test_broken_exits_are_never_called_a_filter() -> None:
    ours = [situation for situation in SITUATIONS if situation.site is Site.BROKEN]
    assert ours
    assert all(not code.startswith("needed") for situation in ours for code in situation.expected)


def test_everyone_reaches_the_control_target_but_through_a_broken_exit(situations: Situations) -> None:
    with ThreadPoolExecutor(64) as pool:
        seen = dict(zip(BOUND, pool.map(situations.look_at_control, BOUND), strict=True))
    broken = {*HOLES, NO_ROUTE6, LOST}
    assert {source for source, word in seen.items() if word != "greeted"} - {LOST} == broken - {LOST}


@pytest.mark.parametrize("name", [s.name for s in SITUATIONS if s.sees and not s.needs_history])
def test_plain_sockets_see_what_the_story_says(
    situations: Situations, sights: dict[str, list[tuple[str, Sight]]], name: str
) -> None:
    situation = situations[name]
    assert sights[name], "nobody looked"
    assert [(e, s) for e, s in sights[name] if not is_as_told(situation, e, s)] == []


def test_ban_falls_on_one_that_worked_and_on_it_alone(situations: Situations) -> None:
    banned, other = situations["banned"], situations["guarded-open"]
    before = [sight.word for source in DYNAMIC for sight in situations.look(banned, source, IMAP)]
    situations.ban()
    first, *rest = [sight.word for source in DYNAMIC for sight in situations.look(banned, source, IMAP)]
    assert before == ["logged in"] * len(DYNAMIC)
    assert first.startswith("icmp 3/3")
    assert rest == ["logged in"] * (len(DYNAMIC) - 1)
    assert [sight.word for sight in situations.look(banned, STATIC[0], IMAP)] == ["logged in"]
    assert [sight.word for sight in situations.look(other, DYNAMIC[0], IMAP)] == ["greeted"]


async def test_guard_counts_and_forgets_nobody(situations: Situations) -> None:
    """Of a look without credentials, Dovecot's end counts and Postfix's does not; a login counts on neither side."""
    guarded = situations.servers.guarded["guarded-open"]
    for service in situations["guarded-open"].asks:
        situations.look(situations["guarded-open"], DYNAMIC[1], service)
    for service in situations["guarded-filtered"].asks:
        situations.look(situations["guarded-filtered"], STATIC[1], service)
    await guarded.dovecot.server.line(f"Disconnected.*rip={DYNAMIC[1]}")
    await guarded.postfix.server.line(rf"disconnect from unknown\[{DYNAMIC[1]}\]")
    assert (await guarded.records())[DYNAMIC[1]] == Record(dovecot=1)
    assert STATIC[1] not in await situations.servers.guarded["guarded-filtered"].records()


async def test_tallies_are_kept_for_each_server_apart(situations: Situations) -> None:
    since = situations.marks()
    wanted = [("all-open-unasked", STATIC[2], IMAP), ("all-open", STATIC[2], IMAP), ("wrong-password", STATIC[3], SMTP)]
    for name, source, service in wanted:
        situations.look(situations[name], source, service)
    await situations.servers.dovecot.server.line(f"Disconnected.*rip={STATIC[2]}", since=since.dovecot)
    await situations.servers.postfix.server.line(rf"disconnect from unknown\[{STATIC[3]}\]", since=since.postfix)
    assert {(tally.situation, tally.source, tally.jail, tally.lines) for tally in situations.tallies(since)} == {
        ("all-open-unasked", STATIC[2], "dovecot", 1),
        # The refused login, and that there was one, in the words of the farewell.
        ("wrong-password", STATIC[3], "postfix", 2),
    }
