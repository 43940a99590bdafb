"""Who may see and decide what: rules alone, and all of them."""

from mooring.errors import Forbidden, NotFound
from mooring.operators.types import Operator, Role


def scope_of(operator: Operator) -> str | None:
    """The one application whose things this person sees; None: everybody's."""
    return None if operator.role is Role.OPERATOR else operator.application_id


def require_sight(operator: Operator, application_id: str) -> None:
    """See to it that this person sees things of this application.

    Raises:
        NotFound: they do not, and are not told whether there is one.
    """
    if operator.role is not Role.OPERATOR and operator.application_id != application_id:
        raise NotFound("There is no such thing here, or it is not yours to see.")


def may_decide(operator: Operator) -> bool:
    """Whether this person decides about static addresses (spec S8); everybody may ask for those of what they see."""
    return operator.role is Role.OPERATOR


def require_decision(operator: Operator) -> None:
    """See to it that this person decides.

    Raises:
        Forbidden.
    """
    if not may_decide(operator):
        raise Forbidden(
            "An application's administrator asks for static addresses; the operator decides.",
            hint="Request them with a note that says why.",
        )
