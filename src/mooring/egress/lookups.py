"""From the host of a dial to the addresses that may be dialled: resolved once, and all of them judged."""

import structlog

from mooring.config import IPAddress, IPNetwork
from mooring.egress.carriers import Resolver
from mooring.egress.errors import CrowdedName, MixedName
from mooring.egress.targets import MOST_ADDRESSES, Judgement, judge, plain
from mooring.egress.types import Dial
from mooring.errors import TargetNotAllowed
from mooring.net.connect import is_local
from mooring.net.records import is_address

log = structlog.get_logger()

_INSIDE = "a private or reserved address, or to Mooring's own"
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
            TargetNotAllowed: the name leads to addresses that are never dialled, or to too many.
            MixedName: also to such an address, beside others.
        """
        found = plain(
            await self._resolve(
                dial.host, dial.port, timeout_s=self._timeout_s, application_id=dial.caller.application_id
            )
        )
        if len(found) > MOST_ADDRESSES:
            raise CrowdedName(f"{dial.host} has {len(found)} addresses; no server needs that many")
        refused = [verdict for address in found if not (verdict := self._verdict(dial, address)).allowed]
        if refused and len(refused) < len(found) and not refused[0].is_of_port:
            _log(dial, refused[0])
            raise MixedName(f"{dial.host} also leads to {_INSIDE}, so it is not dialled at all", hint=refused[0].hint)
        if refused:
            raise _refusal(dial, refused[0])
        return found

    def judge(self, dial: Dial, address: IPAddress) -> None:
        """See to it that this address of the dial's host may be dialled.

        Raises:
            TargetNotAllowed: it must not.
        """
        verdict = self._verdict(dial, address)
        if not verdict.allowed:
            raise _refusal(dial, verdict)

    def _verdict(self, dial: Dial, address: IPAddress) -> Judgement:
        forbidden = self._forbidden
        if dial.port in self._listened_everywhere and is_local(address):
            forbidden = forbidden | {(str(address), dial.port)}
        return judge(address, dial.port, allow=self._allow, forbidden=forbidden)


def _refusal(dial: Dial, verdict: Judgement) -> TargetNotAllowed:
    """What whoever asked is told: where inside a name leads is the operator's to know, who finds it in the log."""
    why = verdict.rule
    if not (verdict.is_of_port or is_address(dial.host)):
        _log(dial, verdict)
        why = f"it leads to {_INSIDE}"
    return TargetNotAllowed(f"{dial.host} is not a target that Mooring dials: {why}", hint=verdict.hint)


def _log(dial: Dial, verdict: Judgement) -> None:
    log.info("egress.not_allowed", host=dial.host, port=dial.port, rule=verdict.rule, traffic=str(dial.traffic))
