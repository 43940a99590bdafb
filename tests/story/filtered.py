"""The mail hosts of the article on v3 (S15 to S21), side by side, each on an address and with a firewall of its own."""

from tests.lab.situations import WELL, Service, Situation
from tests.lab.situations.rules import How, admit, drop, reject
from tests.lab.situations.sources import DYNAMIC, LISTED, STATIC
from tests.lab.situations.types import CALDAV, MAIL, Dav, Smtp

_OURS = (*STATIC, *DYNAMIC)
_SENDING = (25, 465, 587)
_ALL = (*MAIL, CALDAV)

NOBODY = Situation(
    "nobody",
    "S15: the firewall drops whatever comes.",
    expected=("server_down",),
    sees={_OURS: "silent"},
    rules=(drop(),),
    credentials=True,
)
NOT_YET = Situation(
    "not-yet",
    "S15: the web page of the host is for everybody, its mail for whoever is on a list that we are not on yet.",
    expected=("allowlist_missing",),
    sees={_OURS: "silent"},
    rules=(admit((), 443), drop()),
    dav=Dav.WEB,
    credentials=True,
)
NO_SUCH_NAME = Situation(
    "no-such-name",
    "S16: the user has mistyped the server's name.",
    expected=("wrong_host",),
    sees={},
    elsewhere="-",
    credentials=True,
)
ANOTHER_PORT = Situation(
    "another-port",
    "S16: the server listens on another port than the user has typed.",
    expected=("wrong_port",),
    sees={_OURS: "reset"},
    asks=(Service("imap", 993),),
    rules=(reject(How.RESET, (), 993),),
    smtp=Smtp.NOTHING,
    credentials=True,
)
LISTED_ONLY = Situation(
    "listed-only",
    "S17, S18: the administrator has allowed the published list, and nobody else.",
    expected=("needed",),
    sees={STATIC: WELL, DYNAMIC: "silent"},
    asks=_ALL,
    rules=(admit(LISTED), drop()),
    dav=Dav.RADICALE,
    credentials=True,
)
WRONG_PASSWORD = Situation(
    "wrong-password",
    "S19: everybody is let in, and the password is wrong.",
    expected=("wrong_credentials",),
    sees={_OURS: "login refused"},
    credentials=True,
    right_password=False,
)
EXPIRED = Situation(
    "expired",
    "S19: everybody is let in, and the certificate is out of date.",
    expected=("certificate",),
    sees={_OURS: "certificate"},
    certificate="expired",
    credentials=True,
)
SENDING = Situation(
    "sending",
    "S20: everybody may read; submission is for the published list.",
    expected=("needed_for_sending_only",),
    sees={STATIC: WELL, DYNAMIC: {"imap": WELL, "smtp": "silent"}},
    rules=(admit(LISTED), drop((), *_SENDING)),
    credentials=True,
)
OPEN = Situation(
    "open",
    "S21: everybody may do everything.",
    expected=("not_needed",),
    sees={_OURS: WELL},
    asks=_ALL,
    dav=Dav.RADICALE,
    credentials=True,
)
INTERRUPTED = Situation(
    "interrupted",
    "As nobody, for who has no patience.",
    expected=("server_down",),
    sees={_OURS: "silent"},
    rules=(drop(),),
    credentials=True,
)
