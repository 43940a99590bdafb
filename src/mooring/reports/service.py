"""Reports of an installation: with its own lists, links and clock."""

from collections.abc import Callable

from mooring.allowlist import AddressList
from mooring.clock import Clock
from mooring.config import EnvironmentName, Generation, Kind
from mooring.diagnosis import Diagnosis
from mooring.reports.making import report_of
from mooring.reports.types import Report


class Reports:
    """Makes reports.

    Args:
        list_of: the published list of an environment.
        base_url: where this installation is reached, for the links in a report.
    """

    def __init__(self, list_of: Callable[[EnvironmentName], AddressList], base_url: str, clock: Clock) -> None:
        self._list_of = list_of
        self._base_url = base_url
        self._clock = clock

    def of(self, diagnosis: Diagnosis) -> Report:
        """The report of this diagnosis.

        Raises:
            Conflict: it has no verdict.
        """
        question = diagnosis.question
        environment = EnvironmentName(Generation(question.generation), question.region, Kind.STATIC)
        listed = self._list_of(environment)
        return report_of(diagnosis, listed=listed, base_url=self._base_url, made_at=self._clock.now())
