"""What counts as a failure for fail2ban's aggressive filters of Dovecot and Postfix: how gentle a look has to be."""

import base64
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.lab import SERVER_OTHER, Laboratory, User
from tests.lab.guarded import Guarded, Record
from tests.servers.visiting import visit

ANN = User("ann@guarded.test", "right")
HELLO = "EHLO visitor.test"
SECURE = f"587 | hear | {HELLO} | STARTTLS | tls | {HELLO}"
RECIPIENT = f"MAIL FROM:<{ANN.address}> | RCPT TO:<{ANN.address}> | RSET | QUIT"


def auth(password: str) -> str:
    return "AUTH PLAIN " + base64.b64encode(f"\0{ANN.address}\0{password}".encode()).decode()


@dataclass(frozen=True)
class Visit:
    """What is done, and how many lines Dovecot's and Postfix's jails count of it. Five within ten minutes are a ban."""

    name: str
    steps: str
    dovecot: int = 0
    postfix: int = 0


RIGHT, WRONG = (f"a LOGIN {ANN.address} {password}" for password in ("right", "wrong"))

# Whoever does not log in counts, however politely he leaves; whoever does, does not.
IMAP = (
    Visit("port opened", "993", dovecot=1),
    Visit("certificate not believed", "993 | untrusting", dovecot=1),
    Visit("greeted, hung up", "993 | tls | hear", dovecot=1),
    Visit("greeted, LOGOUT", "993 | tls | hear | a LOGOUT", dovecot=1),
    Visit("CAPABILITY, LOGOUT", "993 | tls | hear | a CAPABILITY | b LOGOUT", dovecot=1),
    Visit("143, hung up", "143 | hear", dovecot=1),
    Visit("143, LOGOUT", "143 | hear | a LOGOUT", dovecot=1),
    Visit("STARTTLS, LOGOUT", "143 | hear | a STARTTLS | tls | b LOGOUT", dovecot=1),
    Visit("TLS spoken to STARTTLS", "143 | untrusting", dovecot=1),
    Visit("logged in, LOGOUT", f"993 | tls | hear | {RIGHT} | b LOGOUT"),
    Visit("logged in, hung up", f"993 | tls | hear | {RIGHT}"),
    Visit("refused, LOGOUT", f"993 | tls | hear | {WRONG} | b LOGOUT", dovecot=1),
    Visit("refused, hung up", f"993 | tls | hear | {WRONG}", dovecot=1),
    Visit("refused twice, LOGOUT", f"993 | tls | hear | {WRONG} | {WRONG} | b LOGOUT", dovecot=1),
    Visit("refused, then logged in", f"993 | tls | hear | {WRONG} | {RIGHT} | b LOGOUT"),
)
# Whoever takes his leave with QUIT does not count; whoever hangs up does. A refused login and a refused client count.
SMTP = (
    Visit("port opened", "587", postfix=1),
    Visit("greeted, hung up", "587 | hear", postfix=1),
    Visit("greeted, QUIT", "587 | hear | QUIT"),
    Visit("EHLO, hung up", f"587 | hear | {HELLO}", postfix=1),
    Visit("EHLO, QUIT", f"587 | hear | {HELLO} | QUIT"),
    Visit("STARTTLS, EHLO, hung up", SECURE, postfix=1),
    Visit("STARTTLS, EHLO, QUIT", f"{SECURE} | QUIT"),
    Visit("STARTTLS, certificate not believed", f"587 | hear | {HELLO} | STARTTLS | untrusting", postfix=1),
    Visit("465, opened", "465", postfix=1),
    Visit("465, certificate not believed", "465 | untrusting", postfix=1),
    Visit("465, EHLO, QUIT", f"465 | tls | hear | {HELLO} | QUIT"),
    Visit("logged in, RCPT, RSET, QUIT", f"{SECURE} | {auth('right')} | {RECIPIENT}"),
    Visit("not logged in, RCPT refused, QUIT", f"{SECURE} | {RECIPIENT}"),
    Visit("refused, QUIT", f"{SECURE} | {auth('wrong')} | QUIT", postfix=2),
    Visit("refused, hung up", f"{SECURE} | {auth('wrong')}", postfix=3),
)
#: Its address is the one that Postfix's access table refuses.
REFUSED = Visit("logged in, refused at RCPT, QUIT", f"{SECURE} | {auth('right')} | {RECIPIENT}", postfix=1)

VISITS = (REFUSED, *IMAP, *SMTP)
SOURCES = tuple(f"10.99.0.{number}" for number in range(170, 170 + len(VISITS)))


@pytest.fixture(scope="module")
def trust(lab: Laboratory) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(lab.trust))


@pytest.fixture(scope="module")
def guarded(lab: Laboratory) -> Iterator[Guarded]:
    lab.firewall.open()
    for source in SOURCES:
        lab.network.plumb(source)
    standing = Guarded(lab.folder("guarded"), lab.certificate, [SERVER_OTHER], [ANN])
    standing.postfix.refuse_clients({SOURCES[0]: "554 5.7.1 not from there"})
    with standing:
        yield standing
    for source in SOURCES:
        lab.network.unplumb(source)


async def test_what_counts(guarded: Guarded, trust: ssl.SSLContext) -> None:
    def go(source: str, steps: str) -> None:
        visit(source, SERVER_OTHER, "mail.example.test", steps, trust)

    with ThreadPoolExecutor(len(VISITS)) as pool:
        list(pool.map(go, SOURCES, (each.steps for each in VISITS)))
    for source, each in zip(SOURCES, VISITS, strict=True):
        if each in IMAP:
            await guarded.dovecot.server.line(rf"(Login|Disconnected).*rip={source},")
        else:
            await guarded.postfix.server.line(rf"disconnect from unknown\[{source}\]")
    records = await guarded.records()
    counted = [(each, records.get(source, Record())) for source, each in zip(SOURCES, VISITS, strict=True)]
    otherwise = [(e, r) for e, r in counted if (r.dovecot, r.postfix, r.banned) != (e.dovecot, e.postfix, ())]
    assert otherwise == []


async def test_fifth_look_without_a_login_is_a_ban(guarded: Guarded, trust: ssl.SSLContext) -> None:
    source = SOURCES[1]
    for _ in range(4):
        visit(source, SERVER_OTHER, "mail.example.test", "993 | tls | hear | a LOGOUT", trust)
    guarded.fail2ban.wait_for_ban(source)
    with pytest.raises(ConnectionRefusedError):
        visit(source, SERVER_OTHER, "mail.example.test", "993", trust)
    assert guarded.fail2ban.banned("dovecot") == {source}
    guarded.fail2ban.unban()
    visit(source, SERVER_OTHER, "mail.example.test", "993", trust)
