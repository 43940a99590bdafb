"""Where the server of an e-mail address is: by settings detection; where that knows nothing, by the usual names."""

from mooring.applications import Applications
from mooring.config import EnvironmentName, Generation, Kind
from mooring.diagnosis.asking.guessing import Detect, domain_of
from mooring.diagnosis.asking.question import PORTS
from mooring.diagnosis.types import Question, Service, Target
from mooring.errors import MooringError
from mooring.grants import mail_domain
from mooring.providers import Detected, Detection, Origin, Proposal


def detecting(detection: Detection, applications: Applications, otherwise: Detect) -> Detect:
    """A detection that asks the domain first, and guesses what it does not say.

    Args:
        otherwise: asked for the services that were not found.
    """

    async def detect(question: Question) -> list[Target]:
        try:
            found = _targets(await _detected(question, detection, applications))
        except MooringError:
            # Whatever kept us from asking, the diagnosis itself finds out.
            found = []
        known = {target.service for target in found}
        if all(target.host or target.service in known for target in question.targets):
            return found
        return [*found, *(target for target in await otherwise(question) if target.service not in known)]

    return detect


async def _detected(question: Question, detection: Detection, applications: Applications) -> Detected:
    if question.application_id:
        return await detection.detect(await applications.get(question.application_id), question.email)
    kind = Kind.STATIC if question.generation == Generation.V3 else Kind.DYNAMIC
    environment = EnvironmentName(Generation(question.generation), question.region, kind)
    return await detection.detect_from("", environment, question.email)


def _targets(detected: Detected) -> list[Target]:
    """The servers, the best of each service in front; of Exchange's own protocol nothing is asked."""
    services = {str(service): service for service in Service}
    return [
        Target(
            services[p.service], p.host, p.port, p.tls, p.login_of(detected.email), p.path,
            is_confirmed=_is_confirmed(p, detected.email), is_found=True,
        )
        for p in detected.servers
        if p.service in services and p.port in PORTS[services[p.service]]
    ]  # fmt: skip


def _is_confirmed(proposal: Proposal, email: str) -> bool:
    own = mail_domain(proposal.host) == mail_domain(domain_of(email))
    return own or proposal.origin in {Origin.TABLE, Origin.MX}
