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


def require_handling(operator: Operator, application_id: str) -> None:
    """See to it that this person stops, starts and moves accounts of this application (spec S12).

    Whoever sees them does: the entitlement to static addresses is the application's, and not theirs.

    Raises:
        NotFound: as ``require_sight``.
    """
    require_sight(operator, application_id)


def require_diagnosing(operator: Operator, application_id: str) -> None:
    """See to it that this person has servers diagnosed on behalf of this application, and reads what was found out.

    Whoever sees it does: it changes nothing, and servers are asked gently whoever wants to know.

    Raises:
        NotFound: as ``require_sight``.
    """
    require_sight(operator, application_id)


def may_steer(operator: Operator) -> bool:
    """Whether this person says how an application's accounts move, and paces those that move together."""
    return operator.role is Role.OPERATOR


def require_steering(operator: Operator) -> None:
    """See to it that this person steers.

    Raises:
        Forbidden.
    """
    if not may_steer(operator):
        raise Forbidden(
            "Only the operator says how accounts move, and pauses, resumes or rolls back those that move together.",
            hint="Each account can be stopped, started and moved on its own page.",
        )
