"""However often somebody asks, nobody is banned: measured by a real fail2ban over the logs of real servers."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.lab.guarded import Record
from tests.lab.laboratory import Laboratory
from tests.lab.situations import Site, Situations
from tests.lab.situations.outages import GUARDED
from tests.running import Running
from tests.servers.asking import code_of, diagnosed_at_once, keys_for, started

TIMES = 6
"""One more than fail2ban counts until it bans."""
BAN = 5

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def guarded(lab: Laboratory) -> Iterator[Situations]:
    lab.firewall.open()
    with Situations(lab, GUARDED) as standing:
        yield standing


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, guarded: Situations, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = started(lab, Site.WHOLE, tmp_path_factory.mktemp("gentle"))
    yield running
    assert running.stop() == 0
    assert running.defects == []


def test_asking_again_and_again_gets_nobody_banned(mooring: Running, guarded: Situations) -> None:
    sites = {Site.WHOLE: mooring}
    keys = keys_for(sites, [guarded.question(situation) for situation in guarded.all])
    codes: dict[str, list[str]] = {situation.name: [] for situation in guarded.all}
    for _ in range(TIMES):
        for name, diagnosis in asyncio.run(diagnosed_at_once(sites, keys, guarded, guarded.all)).items():
            codes[name].append(code_of(diagnosis))
    heaviest: dict[str, Record] = {}
    for situation in guarded.all:
        records = asyncio.run(guarded.servers.guarded[situation.name].records())
        for address, record in records.items():
            print(f"  {situation.name:24} {address:14} {record}")
            heaviest[f"{situation.name} {address}"] = record
    # What is asked for the sixth time is known from before; a password that was refused often is shown to nobody.
    assert [{*codes["guarded-open"]}, {*codes["guarded-filtered"]}] == [{"not_needed"}, {"needed"}]
    refused = codes["guarded-wrong-password"]
    assert (refused[0], refused[-1]) == ("wrong_credentials", "inconclusive")
    assert [name for name, record in heaviest.items() if record.banned] == []
    assert max(max(record.dovecot, record.postfix) for record in heaviest.values()) < BAN
    # Dovecot makes an address wait 15 seconds from the fourth refusal on.
    assert max(record.penalty for record in heaviest.values()) <= 2
