"""People who sign in to the dashboard: who they are, what each may see and decide, and their sessions.

It knows no page and no cookie. Start at ``service.py``; what somebody may do is decided in ``rights.py`` and
nowhere else.
"""

from mooring.operators.errors import TooManyAttempts, WrongPassword
from mooring.operators.passwords import MINIMUM_CHARACTERS, Passwords
from mooring.operators.repository import any_operator, forget_sessions
from mooring.operators.rights import (
    may_decide,
    may_steer,
    require_decision,
    require_diagnosing,
    require_handling,
    require_sight,
    require_steering,
    scope_of,
)
from mooring.operators.service import SESSION_LIFE, Operators
from mooring.operators.types import Operator, Role

__all__ = [
    "MINIMUM_CHARACTERS",
    "SESSION_LIFE",
    "Operator",
    "Operators",
    "Passwords",
    "Role",
    "TooManyAttempts",
    "WrongPassword",
    "any_operator",
    "forget_sessions",
    "may_decide",
    "may_steer",
    "require_decision",
    "require_diagnosing",
    "require_handling",
    "require_sight",
    "require_steering",
    "scope_of",
]
