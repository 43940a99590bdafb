"""How likely a difference between two groups of our addresses is a filter, and not chance. Pure arithmetic.

Two stories are weighed. A filter: one group fails nearly always, the other hardly ever. The same for everybody: each
connection, wherever it comes from, fails with one probability that nobody knows, as with a server that flaps, or a way
that loses packets. How well each tells what was seen is a Beta integral; no number of ours says how often servers flap.
"""

from math import exp, lgamma

PRIOR = 0.15
"""Of the servers that are asked about, how many filter by address: a wrong name or port is the commoner cause (S16)."""

KNOWN = 0.5
"""Where it is known that a server filters, each address of a list may as well be missing as be there."""

CALL = 0.95
"""From here on a difference is called a filter: about four pairs that all differ the same way."""

EXPLICIT = 50.0
"""How much more likely a filter is where the refusal itself says so: an ICMP "prohibited" from their network, or words
that name our address or a policy (facts: likelihood ratio of about 50)."""

_BLOCKED = (18.0, 1.0)
_ADMITTED = (9.0, 1.0)
"""Beta parameters: of a filtered group about one connection in twenty gets through all the same (a rule that is just
being changed), of an admitted one about one in ten fails for other reasons."""


def chance_of_filter(
    *,
    blocked_failed: int,
    blocked_reached: int,
    admitted_failed: int,
    admitted_reached: int,
    explicit: bool = False,
    choices: int = 1,
    prior: float = PRIOR,
) -> float:
    """How likely it is, from 0 to 1, that a filter keeps one group out and lets the other in.

    Args:
        blocked_failed, blocked_reached: connections of the group that seems to be kept out.
        admitted_failed, admitted_reached: of the group that seems to be let in.
        explicit: the refusal says itself that it is one.
        choices: in how many ways the groups could have been picked from what was seen: by chance alone one of them
            would look like this so much sooner.
        prior: how likely it is before anything of this was seen.
    """
    filtered = _ratio(_BLOCKED, blocked_failed, blocked_reached) + _ratio(_ADMITTED, admitted_reached, admitted_failed)
    failed, reached = blocked_failed + admitted_failed, blocked_reached + admitted_reached
    same = _log_beta(failed + 1, reached + 1)
    ratio = exp(filtered - same) * (EXPLICIT if explicit else 1.0) / choices
    odds = ratio * prior / (1 - prior)
    return odds / (1 + odds)


def _ratio(prior: tuple[float, float], hits: int, misses: int) -> float:
    """The logarithm of how likely such a row of hits and misses is, whose rate is Beta-distributed."""
    a, b = prior
    return _log_beta(a + hits, b + misses) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
