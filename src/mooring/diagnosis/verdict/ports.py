"""Ports that nobody named: where the first usual one is closed and another serves, that one is asked about."""

import msgspec

from mooring.diagnosis.types import Evidence, Observation, Outcome, Target, Vantage
from mooring.diagnosis.verdict.rows import RELAY_PORT


def with_served_ports(evidence: Evidence) -> Evidence:
    """The evidence, with each port that was only usual replaced by the one that serves a static address."""
    targets = tuple(_served(evidence, target) for target in evidence.question.targets)
    if targets == evidence.question.targets:
        return evidence
    moved = {(t.service, t.host, t.port) for t in targets} - {
        (t.service, t.host, t.port) for t in evidence.question.targets
    }
    observations = tuple(
        msgspec.structs.replace(o, is_alternative=False) if (o.service, o.host, o.port) in moved else o
        for o in evidence.observations
    )
    question = msgspec.structs.replace(evidence.question, targets=targets)
    return msgspec.structs.replace(evidence, question=question, observations=observations)


def _served(evidence: Evidence, target: Target) -> Target:
    if not target.is_usual_port:
        return target
    own = [o for o in evidence.observations if (o.service, o.host) == (target.service, target.host)]
    serving = [o for o in own if o.vantage is Vantage.STATIC and _let_in(o)]
    if not serving or any(o.port == target.port for o in serving):
        return target
    best = min(serving, key=lambda o: o.probe)
    return msgspec.structs.replace(target, port=best.port, tls=best.tls, is_usual_port=False)


def _let_in(observation: Observation) -> bool:
    return observation.outcome in {Outcome.REACHED, Outcome.CERTIFICATE} and observation.port != RELAY_PORT
