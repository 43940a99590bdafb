"""Situations in which no address is filtered, and something else is wrong, or nothing is."""

from tests.lab.situations.rules import How, reject
from tests.lab.situations.sources import DYNAMIC, DYNAMIC6, EU_STATIC, STATIC, STATIC6, V2_STATIC
from tests.lab.situations.types import CALDAV, IMAP, MAIL, WELL, Dav, Imap, Service, Situation, Smtp

_EVERYONE = (*STATIC, *DYNAMIC, *V2_STATIC, *EU_STATIC)
_EVERYONE6 = (*STATIC6, *DYNAMIC6)

_OPEN = (
    Situation(
        "all-open",
        "A server that treats everyone alike, and well.",
        expected=("not_needed",),
        sees={_EVERYONE: WELL},
        asks=(*MAIL, CALDAV),
        dav=Dav.RADICALE,
        credentials=True,
    ),
    Situation(
        "all-open-unasked",
        "The same, without credentials, over both families.",
        expected=("not_needed",),
        sees={(*_EVERYONE, *_EVERYONE6): WELL},
        families="46",
    ),
    Situation(
        "all-open-other-ports",
        "The same, on 143 and 465.",
        expected=("not_needed",),
        sees={_EVERYONE: WELL},
        asks=(Service("imap", 143), Service("smtp", 465)),
        credentials=True,
    ),
)

_HOSTS = (
    Situation(
        "no-such-name",
        "The server's name does not exist.",
        expected=("wrong_host",),
        sees={},
        elsewhere="-",
    ),
    Situation(
        "internal-name",
        "The server's name leads to an address of somebody's own network.",
        expected=("internal_host",),
        sees={},
        elsewhere="192.168.77.5",
    ),
    Situation(
        "web-server",
        "A web server is asked for mail; its mail ports are closed.",
        expected=("wrong_host",),
        sees={_EVERYONE: "reset"},
        imap=Imap.NOTHING,
        smtp=Smtp.NOTHING,
        dav=Dav.WEB,
    ),
    Situation(
        "web-on-993",
        "What answers on port 993 speaks HTTP.",
        expected=("wrong_port", "wrong_host"),
        sees={_EVERYONE: "in clear: HTTP/1.1"},
        asks=(IMAP,),
        imap=Imap.WEB,
        smtp=Smtp.NOTHING,
    ),
)

_PORTS = (
    Situation(
        "port-993-closed",
        "IMAP answers on 143 alone.",
        expected=("wrong_port",),
        sees={_EVERYONE: "reset"},
        asks=(IMAP,),
        rules=(reject(How.RESET, (), 993),),
    ),
    Situation(
        "port-465-closed",
        "Submission answers on 587 alone.",
        expected=("wrong_port",),
        sees={_EVERYONE: {"imap": WELL, "smtp": "reset"}},
        asks=(IMAP, Service("smtp", 465)),
        rules=(reject(How.RESET, (), 465),),
    ),
    Situation(
        "smtp-asked-for-imap",
        "IMAP is asked for on the port of submission.",
        expected=("wrong_port",),
        sees={_EVERYONE: "said: 220 "},
        asks=(Service("imap", 587, "starttls"),),
    ),
    Situation(
        "tls-on-143",
        "TLS is asked for from the first byte, on a port where it begins by STARTTLS.",
        expected=("wrong_tls_mode",),
        sees={_EVERYONE: r"in clear: \* OK"},
        asks=(Service("imap", 143, "implicit"),),
        credentials=True,
    ),
    Situation(
        "starttls-on-993",
        "STARTTLS is asked for, on a port that waits for TLS.",
        expected=("wrong_tls_mode",),
        sees={_EVERYONE: "mute"},
        asks=(Service("imap", 993, "starttls"),),
        credentials=True,
    ),
    Situation(
        "ports-swapped",
        "The server itself has them mixed up: 993 in clear, and TLS on 143.",
        expected=("wrong_tls_mode", "wrong_port"),
        sees={_EVERYONE: r"in clear: \* OK"},
        asks=(IMAP,),
        imap=Imap.SWAPPED,
        smtp=Smtp.NOTHING,
    ),
)

_CERTIFICATES = tuple(
    Situation(
        f"certificate-{kind}",
        f"A certificate that is {story}.",
        expected=("certificate",),
        sees={_EVERYONE: f"certificate: {words}"},
        certificate=kind,
    )
    for kind, story, words in (
        ("self-signed", "signed by itself", "self-signed"),
        ("expired", "no longer valid", "certificate has expired"),
        ("wrong-name", "somebody else's", "Hostname mismatch"),
    )
)

_PASSWORDS = (
    Situation(
        "wrong-password",
        "The password is wrong, from everywhere.",
        expected=("wrong_credentials",),
        sees={(STATIC[0], DYNAMIC[0]): r"login refused: (NO \[AUTHENTICATIONFAILED\]|535)"},
        credentials=True,
        right_password=False,
    ),
    Situation(
        "wrong-calendar-password",
        "The password is wrong, for a calendar.",
        expected=("wrong_credentials",),
        sees={(STATIC[0], DYNAMIC[0]): "http 401"},
        asks=(CALDAV,),
        dav=Dav.RADICALE,
        credentials=True,
        right_password=False,
    ),
)

SITUATIONS = (*_OPEN, *_HOSTS, *_PORTS, *_CERTIFICATES, *_PASSWORDS)
