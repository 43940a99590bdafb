"""Situations in which the server fails for everyone alike, or now and then, or for who came too often."""

from tests.lab.situations.rules import How, Rule, admit, drop, reject
from tests.lab.situations.sources import (
    DYNAMIC,
    DYNAMIC6,
    EU_DYNAMIC,
    EU_DYNAMIC6,
    EU_STATIC,
    EU_STATIC6,
    LISTED,
    STATIC,
    STATIC6,
    V2_STATIC,
    V2_STATIC6,
)
from tests.lab.situations.types import IMAP, WELL, Imap, Situation, Smtp

_EVERYONE = (*STATIC, *DYNAMIC, *V2_STATIC, *EU_STATIC, *EU_DYNAMIC)
_EVERYONE6 = (*STATIC6, *DYNAMIC6, *V2_STATIC6, *EU_STATIC6, *EU_DYNAMIC6)

_DOWN = (
    Situation(
        "down-silent",
        "The server is gone: nothing answers on any port.",
        expected=("server_down",),
        sees={_EVERYONE: "silent"},
        rules=(drop(),),
    ),
    Situation(
        "down-reset",
        "The host is there, and nothing listens on it.",
        expected=("server_down",),
        sees={_EVERYONE: "reset"},
        imap=Imap.NOTHING,
        smtp=Smtp.NOTHING,
    ),
    Situation(
        "down-no-route",
        "A router on the way has no route to the server's network.",
        expected=("server_down", "inconclusive"),
        sees={_EVERYONE: "icmp 3/0"},
        rules=(reject(How.NET_UNREACHABLE),),
    ),
    Situation(
        "no-backend",
        "HAProxy accepts, has no server behind it, and closes: for everyone.",
        expected=("server_down", "inconclusive"),
        sees={_EVERYONE: "closed"},
        asks=(IMAP,),
        imap=Imap.HAPROXY_EMPTY,
        smtp=Smtp.NOTHING,
    ),
    Situation(
        "hung",
        "The server accepts, and says nothing: to anyone.",
        expected=("server_down", "inconclusive"),
        sees={_EVERYONE: "mute"},
        asks=(IMAP,),
        imap=Imap.HAPROXY_HOLDS,
        smtp=Smtp.NOTHING,
        admitted=(),
    ),
)

_FAMILIES = (
    Situation(
        "ipv6-dead",
        "The name has an IPv6 address that nobody reaches; IPv4 is well.",
        expected=("address_family",),
        sees={_EVERYONE: WELL, _EVERYONE6: "silent"},
        rules=(admit(_EVERYONE), drop(_EVERYONE6)),
        families="46",
    ),
    Situation(
        "ipv4-dead",
        "Nobody reaches the server by IPv4; IPv6 is well.",
        expected=("address_family",),
        sees={_EVERYONE: "reset", _EVERYONE6: WELL},
        rules=(reject(How.RESET, _EVERYONE), admit(_EVERYONE6)),
        families="46",
    ),
)

_UNSTEADY = (
    Situation(
        "flapping",
        "Half of all connections are lost, whoever makes them.",
        expected=("inconclusive", "not_needed", "server_down"),
        sees={},
        rules=(Rule(How.DROP, connections=50),),
    ),
    Situation(
        "flapping-resets",
        "Half of all connections are reset, whoever makes them.",
        expected=("inconclusive", "not_needed", "server_down"),
        sees={},
        rules=(Rule(How.RESET, connections=50),),
    ),
    Situation(
        "syns-lost",
        "One SYN in twenty is lost.",
        expected=("not_needed",),
        sees={_EVERYONE: WELL},
        rules=(Rule(How.DROP, packets=5),),
        credentials=True,
    ),
    Situation(
        "two-at-a-time",
        "The firewall resets whoever has more than two connections open.",
        expected=("not_needed", "banned", "inconclusive"),
        sees={_EVERYONE: WELL},
        rules=(Rule(How.RESET, over=2),),
    ),
)

GUARDED = (
    Situation(
        "guarded-open",
        "fail2ban reads every log, in its aggressive mode, and everyone is welcome.",
        expected=("not_needed",),
        sees={},
        imap=Imap.GUARDED,
        smtp=Smtp.GUARDED,
    ),
    Situation(
        "guarded-filtered",
        "The same, before a firewall that drops whoever is not on the list.",
        expected=("needed",),
        sees={DYNAMIC: "silent"},
        rules=(admit(LISTED), drop()),
        imap=Imap.GUARDED,
        smtp=Smtp.GUARDED,
        credentials=True,
    ),
    Situation(
        "guarded-wrong-password",
        "The same, and the password is wrong.",
        expected=("wrong_credentials",),
        sees={},
        imap=Imap.GUARDED,
        smtp=Smtp.GUARDED,
        credentials=True,
        right_password=False,
    ),
    Situation(
        "banned",
        "fail2ban has banned a dynamic address that worked a moment ago.",
        expected=("banned",),
        sees={STATIC: WELL, DYNAMIC[:1]: "icmp 3/3", DYNAMIC[1:]: WELL},
        asks=(IMAP,),
        imap=Imap.GUARDED,
        smtp=Smtp.GUARDED,
        credentials=True,
        needs_history=True,
    ),
)

SITUATIONS = (*_DOWN, *_FAMILIES, *_UNSTEADY, *GUARDED)
