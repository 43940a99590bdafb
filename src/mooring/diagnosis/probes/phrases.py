"""What servers say when they refuse, and what it means: texts of real servers, in the order they are looked for. Pure.

The first that is found counts. What is added here has a line in the test, with the server that says it.
"""

import re

from mooring.diagnosis.types import Outcome

HEARD_MAX = 1000
"""Characters of a server's words in which a reason is looked for; what takes longer to say is a flood."""


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


_LISTED = _any(
    r"spamhaus|spamcop|barracuda|\bsorbs\b|uceprotect|abuseat|\bpsbl\b|invaluement|mailspike|nixspam|spamrats|surriel",
    r"\b(?:sbl|xbl|pbl|cbl|rbl|dnsbl)\b|\bdnsbl\.",
    r"block[- ]?list|black[- ]?list",
    r"blocked using \S{1,80}\.|listed (?:in|at|by|on) (?!the allow|the white)\S+",
    r"banned sending ip|removal from this list|reputation",
)
"""Names a block list, or the repute that lists make."""

_OWN_TROUBLE = _any(
    r"internal (?:server )?error|server error|shutting down|maintenance|out of memory|fatal error",
    r"temporary (?:authentication|lookup|server|system|local|internal)|temporary failure|local (?:problem|error)",
    r"server configuration|configuration (?:problem|error)|backend|upstream|gateway",
    r"service (?:is )?(?:currently |temporarily )?(?:not available|unavailable)(?!;)",
)
"""The server speaks of itself, and not of us."""

_LIMITED = _any(
    r"too many|too (?:fast|often|much|frequent)|\bbusy\b|4\.3\.2\b",
    r"maximum (?:number of |allowed )?(?:\w{1,20} )?(?:connections|logins|sessions)|concurren|simultaneous",
    r"(?:rate|connection|session|login|daily|hourly)s?[- ](?:limit|count|rate)|limit (?:exceeded|reached)",
    r"(?:connections?|rate) .{0,30}exceed|exceed\w{0,6} .{0,30}(?:limit|rate|connections)",
    r"throttl|unusual rate|slow down|gr[ea]y-?list|\bbanned\b|brute.?force",
    r"temporar\w{1,4} (?:\w{1,20} )?(?:defer|block|bann|reject|denied|disabled|locked|suspend|rate)",
    r"try(?:ing)? again (?:later|in)|retry (?:later|after|in)|come back later",
    r"\[(?:limit|throttled)\]|aadsts50053",
)
"""Too many, too fast, or banned for now."""

_BY_ADDRESS = _any(
    r"client host|(?:your|client|source|remote|sending) (?:ip|host|address|network|country|location|region)\b",
    r"\bip(?:v[46])?[- ](?:address|range|is|not|block|restrict|rejected|filter)|from \[?\d+\.\d+\.\d+\.\d+",
    r"not from (?:t?here)|not (?:allowed|permitted|authori[sz]ed|accepted) (?:to (?:connect|access|log ?in)|from|here)",
    r"(?:white|allow)[- ]?list|conditional access|aadsts53\d{3}|did not meet the criteria|security polic|access polic",
    r"access rule|access (?:from|restrict|not allowed|is denied)|no access|geo-?(?:block|ip|location)|firewall",
    r"web browser|suspicious|unusual (?:sign|login|location|activity)|new location|cannot find your (?:reverse )?host",
    r"blocked by (?:an? )?(?:admin|rule|policy|our|your)",
)
"""Refuses us for where we come from, or by a rule about access."""

_DENIED = _any(
    r"\b5\.7\.\d{1,3}\b|access (?:was )?denied|connection (?:refused|rejected|denied)|forbidden|prohibit|polic(?:y|ies)"
)
"""The same without a reason (5.7: RFC 3463 §3.8, policy); it may also be about a sender or a recipient."""

_ABOUT_THE_MAIL = _any(
    r"relay|sender address|recipient address|user unknown|unknown user|no such|mailbox|not owned|sender rejected",
    r"\b5\.[1-6]\.\d",
)
"""Refuses the letter, not the one who brings it."""


def turned_away(said: str) -> Outcome:
    """What words instead of a greeting mean. Words that nobody knows may be trouble of the server's own."""
    found = _first(
        said,
        (Outcome.LISTED, _LISTED),
        (Outcome.BROKEN, _OWN_TROUBLE),
        (Outcome.LIMITED, _LIMITED),
        (Outcome.POLICY, _BY_ADDRESS),
        (Outcome.POLICY, _DENIED),
    )
    return found or Outcome.BROKEN


def refused_login(said: str) -> Outcome | None:
    """What a refused login says beyond a wrong password; None if nothing."""
    return _first(
        said,
        (Outcome.LISTED, _LISTED),
        (Outcome.BROKEN, _OWN_TROUBLE),
        (Outcome.LIMITED, _LIMITED),
        (Outcome.POLICY, _BY_ADDRESS),
    )


def refused_later(said: str) -> Outcome:
    """What a refusal after the login means, above all that of a recipient."""
    found = _first(
        said,
        (Outcome.LISTED, _LISTED),
        (Outcome.LIMITED, _LIMITED),
        (Outcome.POLICY, _BY_ADDRESS),
        (Outcome.FAILED, _ABOUT_THE_MAIL),
        (Outcome.FAILED, _OWN_TROUBLE),
        (Outcome.POLICY, _DENIED),
    )
    return found or Outcome.FAILED


def _first(said: str, *known: tuple[Outcome, re.Pattern[str]]) -> Outcome | None:
    heard = said[:HEARD_MAX]
    return next((outcome for outcome, phrases in known if phrases.search(heard)), None)
