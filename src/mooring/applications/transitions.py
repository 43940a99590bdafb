"""Which change of an application's static-IP state follows from what somebody wants (spec S8): rules alone."""

from mooring.applications.types import StaticIps
from mooring.errors import Conflict


def asked(current: StaticIps, *, self_serve: bool) -> StaticIps:
    """The state once the application has asked for static addresses; asking again changes nothing.

    Args:
        self_serve: whether asking is enough (S8b); else an operator decides.
    """
    if current is StaticIps.ON:
        return current
    return StaticIps.ON if self_serve else StaticIps.REQUESTED


def decided(current: StaticIps, wanted: StaticIps) -> StaticIps:
    """The state once an operator has said on, off or denied; saying it again changes nothing.

    Raises:
        Conflict: there is no request to deny.
    """
    if wanted is StaticIps.DENIED and current not in {StaticIps.REQUESTED, StaticIps.DENIED}:
        raise Conflict(
            f"There is no request to deny: static IPs of this application are {current}.",
            hint="`off` switches them off.",
        )
    return wanted
