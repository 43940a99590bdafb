"""Static addresses are switched on and off while mail flows: the other ones are left within 25 s (spec §6.12)."""

import time
from collections.abc import Sequence

from tests.lab import addresses as at
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.looking import look_again
from tests.running import Running
from tests.waiting import until

CEASE_S = 25.0


def test_feature_switched(mooring: Running, lab: Laboratory, firewall: Firewall) -> None:
    mooring.static_ips("off")
    users = [lab.user(f"switched{number}") for number in range(3)]
    for number, user in enumerate(users):
        lab.dovecot.append_many(user.address, "INBOX", mails(3, seed=70 + number))
    grants = [mooring.connect_to_read(user) for user in users]
    for grant in grants:
        mooring.synced(grant)
    _assert_sessions_from(lab, [user.address for user in users], at.DYNAMIC)

    for state, addresses in (("on", at.STATIC), ("off", at.DYNAMIC)):
        switched = time.monotonic()
        mooring.static_ips(state)
        kind = "static" if state == "on" else "dynamic"
        for user, grant in zip(users, grants, strict=True):
            until(
                lambda user=user, addresses=addresses: (
                    _sessions(lab, user.address) and _sessions(lab, user.address) <= set(addresses)
                ),
                timeout_s=CEASE_S,
                what=f"{user.address} is held from {kind} addresses alone",
            )
            assert mooring.get(f"/v3/grants/{grant}")["data"]["environment"] == kind
        assert time.monotonic() - switched < CEASE_S

        firewall.forget()
        for user, grant in zip(users, grants, strict=True):
            lab.dovecot.kick(user.address)
            until(lambda user=user: _sessions(lab, user.address), timeout_s=20, what="it comes back")
            look_again(mooring, grant)
            assert len(mooring.listed(grant)) == 3
        assert firewall.sources() <= set(addresses)
        newest = [mooring.get(f"/v3/grants/{grant}/connections", limit=1)["data"][0] for grant in grants]
        assert {(c["environment"], c["class"], c["outcome"]) for c in newest} == {(kind, "sync", "opened")}
        assert {c["source"] for c in newest} <= set(addresses)


def _sessions(lab: Laboratory, user: str) -> set[str]:
    """Where this user is logged in from just now, by the server's own word."""
    lines = lab.dovecot.doveadm("-f", "tab", "who", "-1", user).splitlines()[1:]
    return {line.split("\t")[-1] for line in lines}


def _assert_sessions_from(lab: Laboratory, users: Sequence[str], addresses: Sequence[str]) -> None:
    for user in users:
        until(lambda user=user: _sessions(lab, user), timeout_s=20, what=f"{user} is logged in")
        assert _sessions(lab, user) <= set(addresses)
