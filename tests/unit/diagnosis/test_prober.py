"""What a probe may be sent to, wherever a name leads by now: nobody dials in these tests."""

from ipaddress import ip_network
from typing import Any

import pytest

from mooring.clock import SystemClock
from mooring.diagnosis.probes.prober import NetworkProber
from mooring.diagnosis.types import Depth, Outcome, Probe, Question, Secrets, Service, Target
from tests.unit.diagnosis.worlds import exits_of

QUESTION = Question("app", "v3", "us", "word", ())


@pytest.mark.parametrize(
    ("address", "port", "outcome"),
    [
        ("192.0.2.1", 6379, Outcome.SPARED),
        ("2001:db8::1", 8080, Outcome.SPARED),
        # These may be asked; that this process has no such source is another matter.
        ("192.0.2.1", 993, Outcome.OURS),
        ("10.1.2.3", 6379, Outcome.OURS),
    ],
)
async def test_an_unusual_port_is_asked_on_private_networks_alone(address: str, port: int, outcome: Outcome) -> None:
    nobody: Any = None
    prober = NetworkProber(nobody, nobody, SystemClock(), [], private=(ip_network("10.0.0.0/8"),))
    probe = Probe(1, exits_of()[0], Target(Service.IMAP, "rebound.test", port), address, Depth.GREETING)
    seen = await prober.observe(QUESTION, probe, Secrets(), may_login=nobody, tell=lambda _: None)
    assert (seen.outcome, seen.steps) == (outcome, ())
