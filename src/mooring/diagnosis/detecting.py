"""Where the server of an e-mail address is: by settings detection; where that knows nothing, by the usual names."""

from collections.abc import Iterable

from mooring.applications import Applications
from mooring.config import EnvironmentName, Generation, Kind
from mooring.diagnosis.guessing import Detect
from mooring.diagnosis.types import Question, Service, Target
from mooring.errors import MooringError
from mooring.providers import Detected, Detection, Proposal


def detecting(detection: Detection, applications: Applications, otherwise: Detect) -> Detect:
    """A detection that asks the domain first, and guesses what it does not say.

    Args:
        otherwise: asked for the services that were not found.
    """

    async def detect(question: Question) -> list[Target]:
        try:
            found = _targets((await _detected(question, detection, applications)).servers)
        except MooringError:
            # Whatever kept us from asking, the diagnosis itself finds out.
            found = []
        known = {target.service for target in found}
        guessed = [target for target in await otherwise(question) if target.service not in known]
        return [*found, *guessed]

    return detect


async def _detected(question: Question, detection: Detection, applications: Applications) -> Detected:
    if question.application_id:
        return await detection.detect(await applications.get(question.application_id), question.email)
    kind = Kind.STATIC if question.generation == Generation.V3 else Kind.DYNAMIC
    environment = EnvironmentName(Generation(question.generation), question.region, kind)
    return await detection.detect_from("", environment, question.email)


def _targets(servers: Iterable[Proposal]) -> list[Target]:
    """The servers, the best of each service in front; of Exchange's own protocol nothing is asked."""
    usual = {str(service) for service in Service}
    return [
        Target(Service(str(p.service)), p.host, p.port, p.tls, path=p.path) for p in servers if str(p.service) in usual
    ]
