"""From the host of a dial to the addresses that may be dialled: resolved once, and all of them judged."""

from mooring.config import IPAddress, IPNetwork
from mooring.egress.carriers import Resolver
from mooring.egress.errors import CrowdedName
from mooring.egress.targets import MOST_ADDRESSES, judge, plain
from mooring.egress.types import Dial
from mooring.errors import TargetNotAllowed
from mooring.net.connect import is_local

_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never bound


class Lookups:
    """Looks hosts up for the dialer.

    Args:
        resolve: from a name to its addresses; nothing is looked up a second time.
        timeout_s: seconds for an answer.
        allow: private networks that may be dialled.
        forbidden: our own listeners and database, as (address, port); 0.0.0.0 or :: for every address of this host.
    """

    def __init__(
        self,
        resolve: Resolver,
        timeout_s: float,
        *,
        allow: tuple[IPNetwork, ...],
        forbidden: frozenset[tuple[str, int]],
    ) -> None:
        self._resolve = resolve
        self._timeout_s = timeout_s
        self._allow = allow
        self._forbidden = forbidden
        self._listened_everywhere = {port for host, port in forbidden if host in _EVERY_ADDRESS}

    async def addresses(self, dial: Dial) -> list[IPAddress]:
        """The addresses of the dial's host, in the resolver's order: all may be dialled, or none is.

        Raises:
            NameNotFound, ResolverTimeout, ResolverBusy.
            TargetNotAllowed: the name also leads to an address that is never dialled, or to too many.
        """
        found = plain(
            await self._resolve(
                dial.host, dial.port, timeout_s=self._timeout_s, application_id=dial.caller.application_id
            )
        )
        if len(found) > MOST_ADDRESSES:
            raise CrowdedName(f"{dial.host} has {len(found)} addresses; no server needs that many")
        for address in found:
            self.judge(dial, address)
        return found

    def judge(self, dial: Dial, address: IPAddress) -> None:
        """See to it that this address of the dial's host may be dialled.

        Raises:
            TargetNotAllowed: it must not.
        """
        forbidden = self._forbidden
        if dial.port in self._listened_everywhere and is_local(address):
            forbidden = forbidden | {(str(address), dial.port)}
        verdict = judge(address, dial.port, allow=self._allow, forbidden=forbidden)
        if not verdict.allowed:
            raise TargetNotAllowed(f"{dial.host} is not a target that Mooring dials: {verdict.rule}", hint=verdict.hint)
