"""A source's address vanishes from the host: its dials fail closed and say so; nothing leaves from anywhere else."""

from collections.abc import Iterator

import httpx
import pytest
from nylas.models.errors import NylasApiError

from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.running import Running
from tests.waiting import until


@pytest.fixture
def user(mooring: Running, lab: Laboratory) -> Iterator[User]:
    _ = lab.postfix
    mooring.static_ips("on")
    yield lab.user("unplumbed")
    mooring.static_ips("off")


def test_source_lost(mooring: Running, lab: Laboratory, firewall: Firewall, user: User) -> None:
    grant = mooring.connect(user)
    mooring.synced(grant)
    lab.dovecot.kick(user.address)
    for address in at.STATIC:
        lab.network.unplumb(address)
    try:
        _assert_nothing_leaves(mooring, firewall, user, grant)
    finally:
        for address in at.STATIC:
            lab.network.plumb(address)

    assert mooring.connect(user) == grant
    mooring.synced(grant)
    assert firewall.sources() <= set(at.STATIC)


def _assert_nothing_leaves(mooring: Running, firewall: Firewall, user: User, grant: str) -> None:
    firewall.forget()
    error = until(
        lambda: mooring.get(f"/v3/grants/{grant}")["data"]["sync"]["error"], timeout_s=20, what="the failure is told"
    )
    while error["stage"] != "egress":
        error = until(
            lambda: mooring.get(f"/v3/grants/{grant}")["data"]["sync"]["error"], timeout_s=20, what="it dials again"
        )
    assert error["reason"] == "unplumbed"
    for attempt in (
        lambda: mooring.connect(user),
        lambda: mooring.sdk.messages.send(grant, request_body={"to": [{"email": user.address}], "subject": "no"}),
    ):
        with pytest.raises(NylasApiError) as failure:
            attempt()
        assert (failure.value.status_code, failure.value.type) == (503, "api.egress_error")
        assert any(address in str(failure.value) for address in at.STATIC)
    assert httpx.get(f"{mooring.url}/readyz").status_code == 200
    assert mooring.listed(grant) == []

    undialled = [
        c for c in mooring.get(f"/v3/grants/{grant}/connections", limit=50)["data"] if c["outcome"] == "not_dialled"
    ]
    assert {"auth", "send", "sync"} <= {c["class"] for c in undialled}
    assert {c["reason"] for c in undialled} == {"unplumbed"}
    assert {c["source"] for c in undialled} <= set(at.STATIC)
    assert firewall.sources() == set()
