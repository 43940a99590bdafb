"""Situations in which the server, or what stands right before it, decides after the connection is there."""

from tests.lab.situations.sources import DYNAMIC, DYNAMIC6, EU_STATIC, STATIC, STATIC6, V2_STATIC
from tests.lab.situations.types import CALDAV, IMAP, SMTP, WELL, Dav, Imap, Situation, Smtp

_EVERYONE = (*STATIC, *DYNAMIC, *V2_STATIC, *EU_STATIC)

_IMAP = (
    Situation(
        "tcp-wrappers",
        "Dovecot asks tcp_wrappers, which admit the static list; others are closed without a word.",
        expected=("needed",),
        sees={STATIC: WELL, DYNAMIC: {"imap": "closed", "smtp": WELL}},
        imap=Imap.TCP_WRAPPERS,
    ),
    Situation(
        "tcp-wrappers-6",
        "The same over IPv6.",
        expected=("needed",),
        sees={STATIC6: WELL, DYNAMIC6: "closed"},
        asks=(IMAP,),
        imap=Imap.TCP_WRAPPERS,
        families="6",
    ),
    Situation(
        "haproxy-rejects",
        "HAProxy closes the connections of whoever is not on the list.",
        expected=("needed",),
        sees={STATIC: WELL, DYNAMIC: "closed"},
        asks=(IMAP,),
        imap=Imap.HAPROXY_REJECTS,
        credentials=True,
    ),
    Situation(
        "silent-accept",
        "Every SYN is answered, as SYN proxies do; whoever is not on the list never hears a word.",
        expected=("needed",),
        sees={STATIC: WELL, DYNAMIC: "mute"},
        asks=(IMAP,),
        imap=Imap.HAPROXY_HOLDS,
    ),
    Situation(
        "imap-bye",
        "IMAP says BYE to whoever is not on the list.",
        expected=("needed",),
        sees={STATIC: WELL, DYNAMIC: {"imap": r"said: \* BYE .*not allowed", "smtp": WELL}},
        imap=Imap.BYE,
    ),
    Situation(
        "allow-nets",
        "Dovecot's allow_nets: the right password is called wrong from anywhere but the list.",
        expected=("filter_disguised_as_wrong_password",),
        sees={STATIC: WELL, DYNAMIC: r"login refused: (NO \[AUTHENTICATIONFAILED\]|535)"},
        allow_nets=True,
        credentials=True,
    ),
    Situation(
        "allow-nets-imap-only",
        "The same, for a mailbox that only reads.",
        expected=("filter_disguised_as_wrong_password",),
        sees={STATIC: WELL, DYNAMIC: "login refused: "},
        asks=(IMAP,),
        allow_nets=True,
        credentials=True,
    ),
)

_SMTP = (
    Situation(
        "smtp-at-rcpt",
        "Postfix's access table, with delayed rejects: everything works from outside the list, up to RCPT.",
        expected=("needed_for_sending_only",),
        sees={STATIC: WELL, DYNAMIC: {"imap": WELL, "smtp": r"recipient refused: 554 5\.7\.1 .*Access denied"}},
        smtp=Smtp.AT_RCPT,
        credentials=True,
    ),
    Situation(
        "smtp-at-greeting",
        "Postfix refuses whoever is not on the list by its first words.",
        expected=("needed_for_sending_only",),
        sees={STATIC: WELL, DYNAMIC: {"imap": WELL, "smtp": r"said: 554 5\.7\.1 .*Access denied"}},
        smtp=Smtp.AT_GREETING,
    ),
    Situation(
        "block-list-at-greeting",
        "The dynamic addresses are on a block list, says the greeting.",
        expected=("reputation",),
        sees={STATIC: WELL, DYNAMIC: {"imap": WELL, "smtp": r"said: 554 5\.7\.1 .*blocked using"}},
        smtp=Smtp.LISTED_AT_GREETING,
    ),
    Situation(
        "block-list-at-rcpt",
        "The dynamic addresses are on a block list, says the answer to RCPT.",
        expected=("reputation",),
        sees={STATIC: WELL, DYNAMIC: {"imap": WELL, "smtp": r"recipient refused: 554 5\.7\.1 .*blocked using"}},
        smtp=Smtp.LISTED_AT_RCPT,
        credentials=True,
    ),
    Situation(
        "too-many-connections",
        "421 too many connections for the dynamic addresses, in place of a greeting.",
        expected=("banned", "inconclusive"),
        sees={STATIC: WELL, DYNAMIC: {"imap": WELL, "smtp": "said: 421 .*too many connections"}},
        smtp=Smtp.BUSY,
    ),
    Situation(
        "too-many-connections-for-all",
        "421 too many connections, whoever comes.",
        expected=("banned", "inconclusive", "server_down"),
        sees={_EVERYONE: "said: 421 .*too many connections"},
        asks=(SMTP,),
        smtp=Smtp.BUSY,
        admitted=(),
    ),
    Situation(
        "one-connection-a-minute",
        "Postfix admits one connection a minute from each address.",
        expected=("not_needed", "banned", "inconclusive"),
        sees={},
        asks=(SMTP,),
        smtp=Smtp.RATE_LIMIT,
    ),
    Situation(
        "policy-for-all",
        "All of ours are refused in words, by IMAP and SMTP.",
        expected=("allowlist_missing",),
        sees={_EVERYONE: {"imap": r"said: \* BYE .*not allowed", "smtp": r"said: 554 5\.7\.1 .*Access denied"}},
        imap=Imap.BYE,
        smtp=Smtp.AT_GREETING,
        admitted=(),
    ),
)

_CALDAV = (
    Situation(
        "caldav-403",
        "nginx answers 403 to whoever is not on the list.",
        expected=("needed",),
        sees={STATIC: WELL, DYNAMIC: {"caldav": "http 403", "imap": WELL}},
        asks=(IMAP, CALDAV),
        dav=Dav.FORBIDDEN,
        credentials=True,
    ),
    Situation(
        "caldav-403-unasked",
        "The same, without credentials, and for the calendar alone.",
        expected=("needed",),
        sees={STATIC: WELL, DYNAMIC: "http 403"},
        asks=(CALDAV,),
        dav=Dav.FORBIDDEN,
    ),
    Situation(
        "caldav-401",
        "As IIS can be told to: whoever is not on the list is called unauthorized.",
        expected=("filter_disguised_as_wrong_password",),
        sees={STATIC: WELL, DYNAMIC: "http 401"},
        asks=(CALDAV,),
        dav=Dav.UNAUTHORIZED,
        credentials=True,
    ),
    Situation(
        "caldav-no-answer",
        "nginx closes the connection of whoever is not on the list, in place of an answer.",
        expected=("needed",),
        sees={STATIC: WELL, DYNAMIC: "closed"},
        asks=(CALDAV,),
        dav=Dav.NO_ANSWER,
    ),
    Situation(
        "caldav-403-for-all",
        "nginx answers 403 to all of ours.",
        expected=("allowlist_missing",),
        sees={_EVERYONE: "http 403"},
        asks=(CALDAV,),
        dav=Dav.FORBIDDEN,
        admitted=(),
    ),
)

SITUATIONS = (*_IMAP, *_SMTP, *_CALDAV)
