"""A published list of addresses."""

from dataclasses import dataclass

from mooring.config import EnvironmentName


@dataclass(frozen=True, slots=True)
class Entry:
    """One address of a list: what an administrator allows.

    Attributes:
        family: 4 or 6.
    """

    address: str
    family: int


@dataclass(frozen=True, slots=True)
class AddressList:
    """The addresses of one environment, as they were last published.

    Attributes:
        version: counts up with every change; 0: this installation declares no such pool.
        updated_at: unix seconds of the last change.
    """

    environment: EnvironmentName
    version: int
    updated_at: int
    entries: tuple[Entry, ...]

    @property
    def generation(self) -> str:
        return str(self.environment.generation)

    @property
    def region(self) -> str:
        return self.environment.region

    @property
    def ip_addresses(self) -> list[str]:
        return [entry.address for entry in self.entries]
