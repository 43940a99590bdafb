"""Endpoints that mean no good: each is contained, what it did is said, and the one beside it hears at once."""

import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from nylas.models.errors import NylasApiError
from nylas.models.webhooks import WebhookTriggers

from tests.endpoint import Endpoint, endpoint
from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running, started
from tests.servers.hostile import (
    HOST,
    Behaviour,
    Hostile,
    answers_without_end,
    breaks_off,
    drips,
    greets_without_end,
    hostile,
    is_silent,
    redirects_to,
)
from tests.waiting import until

PORT = 18028
SOURCE = "127.0.1.30"
INSIDE = "127.0.5.1"
"""Allowed to nobody: ``allow_private_targets`` has 127.0.4.0/24 alone."""
MOVES = "moves.hooks.test"
EXPIRED, SELF_SIGNED, WRONG_NAME = at.BADLY_CERTIFIED
MAILS = 20
WITHOUT_DELAY_S = 3.0
"""Seconds from a mail's arrival to its delivery, on a busy machine; whoever waited for a silent endpoint takes ten."""
BUFFERED = 16_000_000
"""Bytes that the system takes from a sender and gives to nobody, with room to spare."""
GROWS_BY_MAX = 40_000
"""KiB that the deliverer may weigh more after 3 GB have been sent to it several times."""

PLAIN: dict[str, Behaviour] = {
    "answers without end": answers_without_end,
    "greets without end": greets_without_end,
    "is silent": is_silent,
    "drips": drips,
    "breaks off": breaks_off,
}


@dataclass
class Siege:
    """A healthy endpoint among hostile ones, and mails that all of them were to be told of.

    Attributes:
        target: where one of them sends everybody.
        hostile, webhooks: by what they do.
        delays_s: from a mail's arrival until the healthy one knew.
        grown_by_kib: what the deliverer weighs more by now.
    """

    mooring: Running
    healthy: Endpoint
    target: Endpoint
    hostile: dict[str, Hostile] = field(default_factory=dict[str, Hostile])
    webhooks: dict[str, str] = field(default_factory=dict[str, str])
    delays_s: list[float] = field(default_factory=list[float])
    grown_by_kib: int = 0

    def failed(self, name: str) -> dict[str, Any]:
        """The first attempt that did not count, as the API shows it."""

        def shown() -> list[dict[str, Any]]:
            return self.mooring.get(f"/v3/webhooks/{self.webhooks[name]}/attempts", failed="true")["data"]

        return until(shown, timeout_s=30, what=f"an attempt that {name} is shown")[-1]


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("hostile")
    with started(folder, PORT, lab.trust, webhook=[SOURCE]) as running:
        yield running


@pytest.fixture(scope="module")
def siege(mooring: Running, lab: Laboratory) -> Iterator[Siege]:
    user = lab.user("besieged")
    mooring.synced(mooring.connect_to_read(user))
    with ExitStack() as stack:
        healthy, target = stack.enter_context(endpoint()), stack.enter_context(endpoint())
        found = Siege(mooring, healthy, target)
        for name, behave in {**PLAIN, "redirects": redirects_to(target.url)}.items():
            found.hostile[name] = stack.enter_context(hostile(behave))
        contexts = enter_by_names(found, lab, stack)
        found.webhooks = {name: hook(mooring, one.url) for name, one in found.hostile.items()}
        healthy_webhook = hook(mooring, healthy.url)
        change_for_the_worse(lab, contexts)
        weight_kib = deliverer_kib(mooring)
        found.delays_s = arrive(lab, user, found)
        for name in found.hostile.keys() - {"answers without end"}:
            found.failed(name)
        found.grown_by_kib = deliverer_kib(mooring) - weight_kib
        yield found
        for webhook in (*found.webhooks.values(), healthy_webhook):
            mooring.sdk.webhooks.destroy(webhook)
    lab.names.update(at.HOSTS)


def hook(mooring: Running, url: str) -> str:
    """A webhook for new messages; its id."""
    return mooring.sdk.webhooks.create({"trigger_types": [WebhookTriggers.MESSAGE_CREATED], "webhook_url": url}).data.id


def enter_by_names(siege: Siege, lab: Laboratory, stack: ExitStack) -> dict[str, ssl.SSLContext]:
    """Endpoints at names that lead to them, with certificates that are good so far."""
    good = lab.authority.good(at.BADLY_CERTIFIED, label="hooks")
    lab.names.update(dict.fromkeys((*at.BADLY_CERTIFIED, MOVES), (HOST,)))
    contexts: dict[str, ssl.SSLContext] = {}
    for name in at.BADLY_CERTIFIED:
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(good.chain, good.key)
        siege.hostile[name] = stack.enter_context(hostile(is_silent, name=name, tls=contexts[name]))
    siege.hostile[MOVES] = stack.enter_context(hostile(is_silent, name=MOVES))
    return contexts


def change_for_the_worse(lab: Laboratory, contexts: dict[str, ssl.SSLContext]) -> None:
    """After the challenge: the certificates go bad, and a name leads to where nobody may call."""
    for name, context in contexts.items():
        bad = lab.bad_certificates[name]
        context.load_cert_chain(bad.chain, bad.key)
    lab.names.set(MOVES, INSIDE)


def arrive(lab: Laboratory, user: User, siege: Siege) -> list[float]:
    """Let mails arrive once everybody misbehaves, one by one; seconds until each was told to the healthy one."""
    first, *others = mails(1 + MAILS, seed=51, to=user.address)
    lab.dovecot.append(user.address, "INBOX", first.raw)
    until(lambda: all(siege.hostile[name].asked for name in PLAIN), timeout_s=20, what="everybody has been told")
    delays_s: list[float] = []
    for count, mail in enumerate(others, start=2):
        lab.dovecot.append(user.address, "INBOX", mail.raw)
        arrived_at = time.time()
        until(lambda count=count: len(siege.healthy.told) == count, timeout_s=20, what=f"mail {count} is told")
        delays_s.append(siege.healthy.told[-1].at - arrived_at)
    return delays_s


def deliverer_kib(mooring: Running) -> int:
    """What the process that delivers weighs."""
    status = Path(f"/proc/{mooring.pids()['deliverer']}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def test_the_healthy_endpoint_is_told_without_delay(siege: Siege) -> None:
    print(f"slowest of {MAILS}: {max(siege.delays_s):.3f} s")
    assert len(siege.delays_s) == MAILS
    assert max(siege.delays_s) < WITHOUT_DELAY_S


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("redirects", 307, "answered 307, and redirects are not followed"),
        ("is silent", None, "no answer within 10 s"),
        ("drips", None, "no answer within 10 s"),
        ("breaks off", None, "the endpoint broke off, or speaks no HTTP"),
        ("greets without end", None, "the endpoint broke off, or speaks no HTTP"),
        (EXPIRED, None, "certificate has expired"),
        (SELF_SIGNED, None, "self-signed certificate"),
        (WRONG_NAME, None, "Hostname mismatch"),
        (MOVES, None, "not a target that is dialled"),
    ],
)
def test_what_it_did_is_said(siege: Siege, name: str, status: int | None, said: str) -> None:
    attempt = siege.failed(name)
    assert (attempt["attempt"], attempt["status"]) == (1, status)
    assert said in attempt["reason"]
    assert attempt["reason"].startswith("tls: ") == (name in at.BADLY_CERTIFIED)
    assert attempt["duration_ms"] < 11_000


def test_a_redirect_is_not_followed(siege: Siege) -> None:
    assert siege.hostile["redirects"].asked
    assert siege.target.told == []
    assert siege.target.challenges == 0


def test_nothing_is_told_to_whom_a_certificate_or_an_address_disowns(siege: Siege) -> None:
    assert [siege.hostile[name].asked for name in (*at.BADLY_CERTIFIED, MOVES)] == [0, 0, 0, 0]


def test_who_is_silent_or_drips_is_hung_up_on(siege: Siege) -> None:
    for name in ("is silent", "drips"):
        until(lambda name=name: siege.hostile[name].hung_up, timeout_s=20, what=f"one that {name} is hung up on")


def test_three_gigabytes_are_not_read(siege: Siege) -> None:
    for name in ("answers without end", "greets without end"):
        one = siege.hostile[name]
        until(lambda one=one: one.hung_up, what="it is hung up on")
        assert one.sent < BUFFERED * one.asked
    # Its status was said, and it took the delivery with it.
    attempts = siege.mooring.get(f"/v3/webhooks/{siege.webhooks['answers without end']}/attempts")["data"]
    assert {(a["status"], a["reason"]) for a in attempts} == {(200, "")}
    print(f"the deliverer grew by {siege.grown_by_kib} KiB")
    assert siege.grown_by_kib < GROWS_BY_MAX


@pytest.mark.parametrize("url", [f"http://{INSIDE}:8080/", "http://inside.hooks.test/", "http://169.254.169.254/"])
def test_an_endpoint_at_a_private_address_is_no_webhook(mooring: Running, lab: Laboratory, url: str) -> None:
    lab.names.set("inside.hooks.test", INSIDE)
    with pytest.raises(NylasApiError) as caught:
        hook(mooring, url)
    assert caught.value.status_code == 400
    assert caught.value.type == "api.target_not_allowed"
    lab.names.set("inside.hooks.test")


def test_an_endpoint_with_a_bad_certificate_is_no_webhook(mooring: Running, lab: Laboratory) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.bad_certificates[EXPIRED].chain, lab.bad_certificates[EXPIRED].key)
    lab.names.set(EXPIRED, HOST)
    with (
        hostile(is_silent, name=EXPIRED, tls=context) as one,
        pytest.raises(NylasApiError, match=r"did not pass the challenge: tls: .*certificate has expired"),
    ):
        hook(mooring, one.url)
