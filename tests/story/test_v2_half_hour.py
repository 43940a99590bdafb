"""S9 to S13 with the half hour of the article, on a clock that the test moves, by both official SDKs of v2."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.agents import Refused, node_sdk, python_sdk
from tests.endpoint import Endpoint
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.running import Running, configuration
from tests.story.moved_clock import MovedClock
from tests.story.v2_customer import DONE, DYNAMIC, STATIC, Customer
from tests.waiting import until

PORT = 18229
HALF_HOUR = timedelta(minutes=30)
NEARLY = timedelta(minutes=29, seconds=30)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> MovedClock:
    return MovedClock(tmp_path_factory.mktemp("clock") / "ahead")


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, clock: MovedClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("halfhour")
    shown = lab.authority.good(["127.0.0.1"], label="halfhour")
    tls = f'tls_certificate = "{shown.chain}"\ntls_key = "{shown.key}"\n'
    (folder / "mooring.toml").write_text(configuration(PORT, v2_static=STATIC, v2_dynamic=DYNAMIC, server=tls))
    running = Running(folder, PORT, lab.trust, tls=True, more=clock.environment)
    running.start()
    _ = lab.postfix
    yield running
    assert running.stop() == 0
    assert running.defects == []


@pytest.fixture
def customer(mooring: Running, lab: Laboratory, receiver: Endpoint) -> Customer:
    made = mooring.command("app", "create", "--name", "Half", "--generation", "v2", "--region", "us")
    found = Customer(mooring, lab, receiver, made["client_id"], made["client_secret"])
    found.switch_on()
    return found


def test_s11_s13_authenticated_again_after_half_an_hour_by_python(
    mooring: Running, customer: Customer, clock: MovedClock, firewall: Firewall
) -> None:
    user = customer.user("half-python")
    firewall.admit_only(STATIC)
    firewall.forget()
    with python_sdk(mooring, customer.id, customer.secret) as sdk:
        token = sdk("client().token_for_code({code})", code=customer.authorize(user).json()["code"])
        account = sdk("client({token}).account.id", token=token)
        assert customer.state(account) == "stopped"
        assert 1780 < _left(customer, user) <= 1800
        clock.pass_by(NEARLY)
        assert 0 < _left(customer, user) <= 30
        assert mooring.stop() == 0
        mooring.start()
        assert customer.state(account) == "stopped"
        clock.pass_by(HALF_HOUR - NEARLY)
        again = sdk("client().token_for_code({code})", code=customer.authorize(user).json()["code"])
        customer.running(account)
        assert len(sdk("[m.id for m in client({token}).messages.all()]", token=again)) == 12
        assert customer.authorize(user).status_code == 200
        customer.running(account)
    assert {source for _, source in customer.dials(account)} | firewall.sources() <= set(STATIC)


def test_s12_started_after_half_an_hour_by_node(
    mooring: Running, customer: Customer, clock: MovedClock, firewall: Firewall
) -> None:
    user = customer.user("half-node")
    firewall.admit_only(STATIC)
    firewall.forget()
    assert customer.authorize(user).status_code == 200
    [account] = [found["id"] for found in customer.administrate("GET", "/accounts").json()]
    with node_sdk(mooring, customer.id, customer.secret) as sdk:
        upgrade = "return await (await nylas.accounts.find({account})).upgrade()"
        clock.pass_by(NEARLY)
        with pytest.raises(Refused, match="seconds") as early:
            sdk(upgrade, account=account)
        assert early.value.status == 409
        clock.pass_by(HALF_HOUR - NEARLY)
        assert sdk(upgrade, account=account) == DONE
        until(lambda: customer.state(account) == "running", timeout_s=60, what="it runs")
    assert {source for _, source in customer.dials(account)} | firewall.sources() <= set(STATIC)


def _left(customer: Customer, user: User) -> int:
    """The seconds left that a second authentication is answered with."""
    early = customer.authorize(user)
    assert early.status_code == 409, early.text
    return int(early.headers["Retry-After"])
