"""Somebody who signs in to the dashboard."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What somebody is here for."""

    #: runs this installation: sees everything, and decides
    OPERATOR = "operator"
    #: of one application: sees what is its, asks, and stops, starts and moves its accounts
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Operator:
    """One person.

    Attributes:
        name: a name or an e-mail address; nobody else has it, in whichever capitals.
        application_id: of an ``admin``, the application; else None.
    """

    id: str
    name: str
    role: Role
    application_id: str | None
    created_at: datetime

    @property
    def signature(self) -> str:
        """Who it was, as it is kept with what somebody changed: ``operator ann``."""
        return f"{self.role} {self.name}"
