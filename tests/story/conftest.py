"""Fixtures of the floor on which the articles are told."""

from collections.abc import Iterator

import pytest

from tests.endpoint import Endpoint, endpoint
from tests.lab.fixtures import firewall, lab
from tests.lab.laboratory import Laboratory
from tests.running import QUICK_LEASE, Running, configuration
from tests.story.v2_customer import DELAY_S, DYNAMIC, STATIC, Customer

__all__ = ["firewall", "lab"]

V2_PORT = 18226


@pytest.fixture(scope="module")
def v2_mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("v2article")
    shown = lab.authority.good(["127.0.0.1"], label="api")
    (folder / "mooring.toml").write_text(
        configuration(
            V2_PORT, v2_static=STATIC, v2_dynamic=DYNAMIC, webhook=["127.0.1.30"], extra=QUICK_LEASE,
            server=f'tls_certificate = "{shown.chain}"\ntls_key = "{shown.key}"\n',
            policy=f'staged_delay = "{DELAY_S:.0f}s"\n',
        )
    )  # fmt: skip
    running = Running(folder, V2_PORT, lab.trust, tls=True)
    running.start()
    _ = lab.postfix
    yield running
    assert running.stop() == 0
    assert running.defects == []


@pytest.fixture
def receiver() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


@pytest.fixture
def customer(v2_mooring: Running, lab: Laboratory, receiver: Endpoint) -> Iterator[Customer]:
    """One with an application of its own, whose accounts go when the story ends: they would be seen in the next."""
    made = v2_mooring.command("app", "create", "--name", "Second", "--generation", "v2", "--region", "us")
    found = Customer(v2_mooring, lab, receiver, made["client_id"], made["client_secret"])
    yield found
    for account in found.administrate("GET", "/accounts").json():
        assert found.administrate("DELETE", f"/accounts/{account['id']}").json() == {"success": "true"}
    assert found.administrate("GET", "/accounts").json() == []
