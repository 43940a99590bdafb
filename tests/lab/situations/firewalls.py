"""Situations of firewalls: who is let in is decided before there is a connection."""

from tests.lab.situations.rules import How, admit, drop, reject
from tests.lab.situations.sources import (
    DYNAMIC,
    DYNAMIC6,
    EU_DYNAMIC,
    EU_STATIC,
    LISTED,
    STATIC,
    STATIC6,
    V2_STATIC,
)
from tests.lab.situations.types import CALDAV, IMAP, SMTP, WELL, Dav, Imap, Situation, Smtp

_EVERYONE = (*STATIC, *DYNAMIC, *V2_STATIC, *EU_STATIC, *EU_DYNAMIC)
_OTHERS = (*DYNAMIC, *V2_STATIC, *EU_STATIC, *EU_DYNAMIC)
_SENDING = (25, 465, 587)


def _refused(name: str, how: How, sees: str, story: str) -> Situation:
    """An allowlist, and this answer for everyone who is not on it."""
    four = how.family != 6
    listed, others = (STATIC, DYNAMIC) if four else (STATIC6, DYNAMIC6)
    return Situation(
        name,
        story,
        expected=("needed",),
        sees={listed: WELL, others: sees},
        rules=(admit(LISTED), reject(how)),
        families="4" if four else "6",
    )


_ALLOWLISTS = (
    Situation(
        "drop-dynamic",
        "Only the static list is let in; everyone else is dropped without a word.",
        expected=("needed",),
        sees={STATIC: WELL, _OTHERS: "silent"},
        rules=(admit(LISTED), drop()),
        credentials=True,
    ),
    Situation(
        "drop-dynamic-both-families",
        "As drop-dynamic, over IPv4 and IPv6.",
        expected=("needed",),
        sees={LISTED: WELL, (*DYNAMIC, *DYNAMIC6): "silent"},
        rules=(admit(LISTED), drop()),
        families="46",
    ),
    _refused("reset-dynamic", How.RESET, "reset", "Only the static list is let in; everyone else gets a TCP reset."),
    _refused("port-unreachable", How.PORT_UNREACHABLE, "icmp 3/3", "REJECT as iptables does it by default."),
    _refused("host-unreachable", How.HOST_UNREACHABLE, "icmp 3/1", "REJECT: host unreachable."),
    _refused("net-unreachable", How.NET_UNREACHABLE, "icmp 3/0", "REJECT: network unreachable."),
    _refused("net-prohibited", How.NET_PROHIBITED, "icmp 3/9", "REJECT: network prohibited."),
    _refused("host-prohibited", How.HOST_PROHIBITED, "icmp 3/10", "REJECT: host prohibited."),
    _refused("admin-prohibited", How.ADMIN_PROHIBITED, "icmp 3/13", "REJECT: administratively prohibited."),
    _refused("no-route-6", How.NO_ROUTE6, "icmp 1/0", "IPv6, REJECT: no route."),
    _refused("admin-prohibited-6", How.ADMIN_PROHIBITED6, "icmp 1/1", "IPv6, REJECT: administratively prohibited."),
    _refused("port-unreachable-6", How.PORT_UNREACHABLE6, "icmp 1/4", "IPv6, REJECT: port unreachable."),
    _refused("policy-fail-6", How.POLICY_FAIL6, "icmp 1/5", "IPv6, REJECT: source address failed policy."),
    _refused("reject-route-6", How.REJECT_ROUTE6, "icmp 1/6", "IPv6, REJECT: reject route."),
)

_BY_SERVICE = (
    Situation(
        "smtp-drop-dynamic",
        "Reading is open to all; submission drops whoever is not on the list.",
        expected=("needed_for_sending_only",),
        sees={STATIC: WELL, DYNAMIC: {"imap": WELL, "smtp": "silent"}},
        rules=(admit(LISTED), drop((), *_SENDING)),
        credentials=True,
    ),
    Situation(
        "smtp-reject-dynamic",
        "Reading is open to all; submission rejects whoever is not on the list.",
        expected=("needed_for_sending_only",),
        sees={STATIC: WELL, DYNAMIC: {"imap": WELL, "smtp": "icmp 3/3"}},
        rules=(admit(LISTED), reject(How.PORT_UNREACHABLE, (), *_SENDING)),
    ),
    Situation(
        "submission-only-asked",
        "A mailbox that only sends; submission drops whoever is not on the list.",
        expected=("needed_for_sending_only", "needed"),
        sees={STATIC: WELL, DYNAMIC: "silent"},
        asks=(SMTP,),
        rules=(admit(LISTED), drop()),
        credentials=True,
    ),
    Situation(
        "caldav-drop-dynamic",
        "Mail is open to all; the calendar drops whoever is not on the list.",
        expected=("needed",),
        sees={STATIC: WELL, DYNAMIC: {"imap": WELL, "caldav": "silent"}},
        asks=(IMAP, CALDAV),
        rules=(admit(LISTED), drop((), 443)),
        dav=Dav.RADICALE,
    ),
    Situation(
        "caldav-only-asked",
        "A calendar server that only the static list reaches.",
        expected=("needed",),
        sees={STATIC: WELL, DYNAMIC: "icmp 3/13"},
        asks=(CALDAV,),
        rules=(admit(LISTED), reject(How.ADMIN_PROHIBITED)),
        imap=Imap.NOTHING,
        smtp=Smtp.NOTHING,
        dav=Dav.RADICALE,
        credentials=True,
    ),
)

_INCOMPLETE = (
    Situation(
        "one-static-missing",
        "Three of the four static addresses were allowed.",
        expected=("allowlist_partial",),
        sees={STATIC[:3]: WELL, (STATIC[3], *DYNAMIC): "silent"},
        rules=(admit((*STATIC[:3], *STATIC6)), drop()),
    ),
    Situation(
        "only-first-static",
        "One of the four static addresses was allowed.",
        expected=("allowlist_partial",),
        sees={STATIC[:1]: WELL, (*STATIC[1:], *DYNAMIC): "icmp 3/10"},
        rules=(admit(STATIC[:1]), reject(How.HOST_PROHIBITED)),
    ),
    Situation(
        "only-port-993",
        "The static list was allowed for IMAP, and submission forgotten.",
        expected=("allowlist_partial",),
        sees={STATIC: {"imap": WELL, "smtp": "silent"}, DYNAMIC: "silent"},
        rules=(admit(LISTED, 993), drop()),
        credentials=True,
    ),
    Situation(
        "ipv6-list-missing",
        "The static IPv4 addresses were allowed, and the IPv6 ones forgotten.",
        expected=("allowlist_partial",),
        sees={STATIC: WELL, (*STATIC6, *DYNAMIC, *DYNAMIC6): "silent"},
        rules=(admit(STATIC), drop()),
        families="46",
    ),
    Situation(
        "only-v2-list",
        "The list of the other API generation was allowed, years ago.",
        expected=("allowlist_outdated",),
        sees={V2_STATIC: WELL, (*STATIC, *DYNAMIC, *EU_STATIC): "silent"},
        rules=(admit(V2_STATIC), drop()),
    ),
    Situation(
        "only-eu-list",
        "The list of the other region was allowed.",
        expected=("wrong_region",),
        sees={EU_STATIC: WELL, (*STATIC, *DYNAMIC, *V2_STATIC, *EU_DYNAMIC): "silent"},
        rules=(admit(EU_STATIC), drop()),
    ),
    Situation(
        "only-europe",
        "Everyone from one region of the world is refused.",
        expected=("geographic",),
        sees={(*EU_STATIC, *EU_DYNAMIC): WELL, (*STATIC, *DYNAMIC, *V2_STATIC): "silent"},
        rules=(admit((*EU_STATIC, *EU_DYNAMIC)), drop()),
    ),
)

_NOBODY = (
    Situation(
        "nobody-another-port",
        "Mail is dropped for all of ours; the server's mail exchange and its web site answer.",
        expected=("allowlist_missing",),
        sees={_EVERYONE: "silent"},
        rules=(admit((), 25, 443), drop()),
        dav=Dav.WEB,
    ),
    Situation(
        "nobody-prohibited",
        "All of ours are told that they are prohibited.",
        expected=("allowlist_missing",),
        sees={_EVERYONE: "icmp 3/13"},
        rules=(reject(How.ADMIN_PROHIBITED),),
    ),
    Situation(
        "nobody-rejected",
        "All of ours are rejected with port-unreachable: an allowlist, or a firewall before no server at all.",
        expected=("allowlist_missing", "inconclusive"),
        sees={_EVERYONE: "icmp 3/3"},
        rules=(reject(How.PORT_UNREACHABLE),),
    ),
    Situation(
        "nobody-sends",
        "Reading is open to all; submission prohibits everyone.",
        expected=("allowlist_missing", "allowlist_partial"),
        sees={_EVERYONE: {"imap": WELL, "smtp": "icmp 3/13"}},
        rules=(reject(How.ADMIN_PROHIBITED, (), *_SENDING),),
    ),
)

SITUATIONS = (*_ALLOWLISTS, *_BY_SERVICE, *_INCOMPLETE, *_NOBODY)
