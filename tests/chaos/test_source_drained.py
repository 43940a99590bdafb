"""A source is drained while its accounts are synchronised: they leave it one by one, without a gap; nobody comes."""

from collections.abc import Iterator

import pytest

from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running, configuration, run_mooring
from tests.waiting import until

PORT = 18131
ACCOUNTS = 8
SOURCES = ("v3-us-static-1", "v3-us-static-2")


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With the feature on, and a static pool of two sources."""
    folder = tmp_path_factory.mktemp("drained")
    (folder / "mooring.toml").write_text(configuration(PORT))
    running = Running(folder, PORT, lab.trust)
    running.start()
    running.static_ips("on")
    yield running
    assert running.stop() == 0
    assert running.defects == []


def test_accounts_leave_a_source_one_by_one(mooring: Running, lab: Laboratory, firewall: Firewall) -> None:
    users = [lab.user(f"drained{number}") for number in range(ACCOUNTS)]
    for user in users:
        lab.dovecot.append_many(user.address, "INBOX", mails(2, seed=3))
    grants = {user: mooring.connect_to_read(user) for user in users}
    for grant in grants.values():
        mooring.synced(grant)
    sources = {user: _source(lab, user) for user in users}
    assert set(sources.values()) == set(at.STATIC)

    mark = lab.dovecot.server.mark()
    drained = mooring.command("egress", "drain", SOURCES[0], "--follow")
    leavers = [user for user, source in sources.items() if source == at.STATIC[0]]
    assert drained == {"source": SOURCES[0], "begun": len(leavers), "left": 0, "moving": 0, "why_not": []}
    for user in users:
        until(lambda user=user: _source(lab, user) == at.STATIC[1], timeout_s=10, what=f"{user.address} has left")
    for user in leavers:
        lines = [line for line in lab.dovecot.server.log(since=mark) if user.address in line]
        login = next(i for i, line in enumerate(lines) if "Login: " in line and f"rip={at.STATIC[1]}" in line)
        assert login < next(i for i, line in enumerate(lines) if "Disconnected" in line), lines
    stayed = [user for user in users if user not in leavers]
    assert not [line for line in lab.dovecot.server.log(since=mark) for u in stayed if f"user=<{u.address}>" in line]

    late = lab.user("late")
    firewall.forget()
    grant = mooring.connect_to_read(late)
    mooring.synced(grant)
    assert firewall.sources() == {at.STATIC[1]}
    lab.dovecot.append_many(users[0].address, "INBOX", mails(1, seed=4))
    until(lambda: len(mooring.listed(grants[users[0]])) == 3, timeout_s=20, what="news come")
    assert mooring.command("egress", "drain", SOURCES[0], "--undo")["left"] == 0


def test_who_is_not_let_in_elsewhere_stays(mooring: Running, lab: Laboratory, firewall: Firewall) -> None:
    user = lab.user("stays")
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    kept = _source(lab, user)
    other = next(address for address in at.STATIC if address != kept)
    firewall.drop([other])
    name = SOURCES[at.STATIC.index(kept)]
    drained = mooring.command("egress", "drain", name, "--follow")
    assert (drained["moving"], len(drained["why_not"])) == (0, 1)
    assert drained["left"] >= 1
    assert _source(lab, user) == kept
    assert mooring.get(f"/v3/grants/{grant}")["data"]["sync"]["state"] == "ok"


def test_an_unknown_source_is_said(mooring: Running) -> None:
    done = run_mooring("egress", "drain", "nobody", "--json", folder=mooring.folder, environment=mooring.environment())
    assert done.returncode == 1
    assert "no source 'nobody'" in done.stdout


def _source(lab: Laboratory, user: User) -> str:
    """Where this user is logged in from just now, when that is one address."""
    lines = lab.dovecot.doveadm("-f", "tab", "who", "-1", user.address).splitlines()[1:]
    found = {line.split("\t")[-1] for line in lines}
    return found.pop() if len(found) == 1 else ""
