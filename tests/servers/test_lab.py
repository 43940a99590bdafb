"""The laboratory itself: without these, what the other tests of this floor say is worth nothing."""

import base64
import imaplib
import smtplib
import socket
import ssl
import time
import urllib.error
import urllib.request
from email.message import EmailMessage

import pytest

from tests.lab import DYNAMIC, SERVER, STATIC, UNBOUND, UNPLUMBED, Firewall, Laboratory, Mail, User, Verdict, mails
from tests.lab.addresses import OTHER, PROXIES, SERVER6, STATIC6
from tests.lab.firewall import overlay
from tests.lab.mailbox import Deposit
from tests.lab.proxies import Proxy


class BoundImap(imaplib.IMAP4_SSL):
    """The standard library's client, leaving from a chosen address."""

    def __init__(self, host: str, source: str, trust: ssl.SSLContext) -> None:
        self._source = source
        super().__init__(host, 993, ssl_context=trust, timeout=10)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout, (self._source, 0))
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)


@pytest.fixture
def trust(lab: Laboratory) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(lab.trust))


@pytest.fixture(scope="session")
def ann(lab: Laboratory) -> User:
    return lab.user("ann")


def reach(source: str, port: int = 993, *, host: str = SERVER, timeout_s: float = 0.5) -> None:
    socket.create_connection((host, port), timeout_s, (source, 0)).close()


def deposit(mail: Mail) -> Deposit:
    return Deposit(mail.raw, mail.flags, mail.date)


def test_allowlist_admits_static_and_drops_dynamic(lab: Laboratory, ann: User, firewall: Firewall) -> None:
    firewall.admit_only(STATIC)
    for source in STATIC:
        reach(source)
    for source in (*DYNAMIC, *OTHER, UNBOUND):
        with pytest.raises(TimeoutError):
            reach(source, timeout_s=0.15)
    assert firewall.sources() == {*STATIC, *DYNAMIC, *OTHER, UNBOUND}
    assert firewall.counters()[Verdict.ADMIT] == len(STATIC)
    assert firewall.counters()[Verdict.DROP] == len(DYNAMIC) + len(OTHER) + 1


def test_port_spans_never_overlap() -> None:
    everything = overlay([], (0, 65535, Verdict.ADMIT))
    split = overlay(everything, (143, 143, Verdict.DROP))
    assert split == [(0, 142, Verdict.ADMIT), (143, 143, Verdict.DROP), (144, 65535, Verdict.ADMIT)]
    assert overlay(split, (100, 150, Verdict.RESET)) == [
        (0, 99, Verdict.ADMIT),
        (100, 150, Verdict.RESET),
        (151, 65535, Verdict.ADMIT),
    ]
    assert overlay(split, (0, 65535, Verdict.DROP)) == [(0, 65535, Verdict.DROP)]


def test_latest_word_about_a_port_counts(lab: Laboratory, firewall: Firewall, ann: User) -> None:
    assert lab.postfix.server.running
    firewall.admit_only(STATIC)
    firewall.drop(STATIC, ports=[587])
    reach(STATIC[0], 993)
    reach(STATIC[0], 465)
    with pytest.raises(TimeoutError):
        reach(STATIC[0], 587, timeout_s=0.15)
    firewall.admit(STATIC, ports=[587])
    reach(STATIC[0], 587)


@pytest.mark.parametrize(
    ("how", "error"),
    [
        (Verdict.RESET, ConnectionRefusedError),
        (Verdict.PORT_UNREACHABLE, ConnectionRefusedError),
        (Verdict.HOST_UNREACHABLE, OSError),
        (Verdict.PROHIBITED, OSError),
    ],
)
def test_refusals_answer_at_once(
    lab: Laboratory, ann: User, firewall: Firewall, how: Verdict, error: type[OSError]
) -> None:
    firewall.reject(DYNAMIC, how=how)
    began = time.monotonic()
    with pytest.raises(error) as refused:
        reach(DYNAMIC[0], timeout_s=5)
    assert not isinstance(refused.value, TimeoutError)
    assert time.monotonic() - began < 1
    reach(STATIC[0])


def test_rule_goes_live_for_a_connection_attempt_under_way(lab: Laboratory, ann: User, firewall: Firewall) -> None:
    firewall.close()
    with pytest.raises(TimeoutError):
        reach(STATIC[0], timeout_s=0.15)
    firewall.admit([STATIC[0]])
    reach(STATIC[0])
    with pytest.raises(TimeoutError):
        reach(STATIC[1], timeout_s=0.15)


async def test_established_connections_survive_a_rule_and_not_a_silence(
    lab: Laboratory, ann: User, firewall: Firewall, trust: ssl.SSLContext
) -> None:
    since = lab.dovecot.server.mark()
    client = BoundImap("mail.lab.test", STATIC[0], trust)
    firewall.close()
    assert client.noop()[0] == "OK"
    firewall.silence([STATIC[0]])
    client.socket().settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.noop()
    firewall.speak([STATIC[0]])
    client.shutdown()
    await lab.dovecot.server.line(f"Disconnected.*rip={STATIC[0]}", since=since)


def test_addresses_come_and_go(lab: Laboratory, ann: User) -> None:
    with pytest.raises(OSError, match="Cannot assign"):
        reach(UNPLUMBED)
    lab.network.plumb(UNPLUMBED)
    reach(UNPLUMBED)
    lab.network.unplumb(UNPLUMBED)
    with pytest.raises(OSError, match="Cannot assign"):
        reach(UNPLUMBED)


def test_unbound_connection_is_recognised(lab: Laboratory, ann: User, firewall: Firewall) -> None:
    socket.create_connection((SERVER, 993), 1).close()
    socket.create_connection((SERVER6, 993), 1).close()
    assert firewall.sources() == {UNBOUND, "fd99::99"}


def test_names_mean_what_the_session_says(lab: Laboratory) -> None:
    lab.names.set("moved.lab.test", "10.99.0.2")
    assert socket.gethostbyname("moved.lab.test") == "10.99.0.2"
    lab.names.set("moved.lab.test")
    with pytest.raises(socket.gaierror):
        socket.gethostbyname("moved.lab.test")


async def test_dovecot_log_tells_success_from_failure(lab: Laboratory, ann: User, trust: ssl.SSLContext) -> None:
    since = lab.dovecot.server.mark()
    with BoundImap("mail.lab.test", STATIC[1], trust) as client:
        client.login(ann.address, ann.password)
    good = await lab.dovecot.login(ann.address, since=since)
    assert (good.remote_ip, good.ok) == (STATIC[1], True)
    with BoundImap("mail.lab.test", DYNAMIC[0], trust) as refused, pytest.raises(imaplib.IMAP4.error):
        refused.login(ann.address, "wrong")
    bad = await lab.dovecot.login(ann.address, ok=False, since=since)
    assert (bad.remote_ip, bad.ok) == (DYNAMIC[0], False)
    assert lab.dovecot.remote_addresses(since=since) == {STATIC[1], DYNAMIC[0]}
    assert [login.ok for login in lab.dovecot.logins(since=since)] == [True, False]


def test_dovecot_filters_by_address_as_if_the_password_were_wrong(lab: Laboratory, trust: ssl.SSLContext) -> None:
    user = lab.user("netted", allow_nets=(f"{STATIC[0]}/32",))
    with BoundImap("mail.lab.test", STATIC[0], trust) as client:
        client.login(user.address, user.password)
    with (
        BoundImap("mail.lab.test", DYNAMIC[0], trust) as client,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        client.login(user.address, user.password)


def test_changes_of_a_user_count_at_once(lab: Laboratory, trust: ssl.SSLContext) -> None:
    user = lab.user("changed")
    for password, nets in (("second", ()), ("third", (f"{STATIC[0]}/32",)), ("fourth", ())):
        with BoundImap("mail.lab.test", STATIC[0], trust) as client:
            client.login(user.address, user.password)
        old, user = user, lab.dovecot.set_user(User(user.address, password, nets))
        with BoundImap("mail.lab.test", STATIC[0], trust) as client, pytest.raises(imaplib.IMAP4.error):
            client.login(user.address, old.password)


def test_dovecot_takes_no_password_without_tls(lab: Laboratory, ann: User, trust: ssl.SSLContext) -> None:
    with imaplib.IMAP4("imap.lab.test", 143, 5) as client:
        assert "LOGINDISABLED" in client.capabilities
        client.starttls(trust)
        client.login(ann.address, ann.password)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("expired.lab.test", "certificate has expired"),
        ("selfsigned.lab.test", "self-signed certificate"),
        ("wrongname.lab.test", "Hostname mismatch"),
    ],
)
@pytest.mark.parametrize("port", [993, 465])
def test_bad_certificates_are_bad_in_the_way_they_say(
    lab: Laboratory, ann: User, trust: ssl.SSLContext, host: str, words: str, port: int
) -> None:
    assert lab.postfix.server.running
    with socket.create_connection((host, port), 5) as plain, pytest.raises(ssl.SSLCertVerificationError, match=words):
        trust.wrap_socket(plain, server_hostname=host)


def test_servers_answer_over_ipv6(lab: Laboratory, ann: User, firewall: Firewall, trust: ssl.SSLContext) -> None:
    firewall.admit_only(STATIC6)
    with BoundImap("v6.lab.test", STATIC6[0], trust) as client:
        client.login(ann.address, ann.password)
    with pytest.raises(TimeoutError):
        socket.create_connection((SERVER6, 993), 0.15)


def test_mailbox_holds_what_was_put_in(lab: Laboratory) -> None:
    user = lab.user("keeper").address
    given = list(mails(25, seed=7))
    uids = lab.dovecot.append_many(user, "INBOX", map(deposit, given))
    held = lab.dovecot.messages(user, "INBOX")
    assert [message.uid for message in held] == uids
    assert [message.raw for message in held] == [mail.raw for mail in given]
    assert [message.flags for message in held] == [frozenset(mail.flags) for mail in given]


def test_mailbox_changes_under_the_clients_eyes(lab: Laboratory) -> None:
    user = lab.user("changing").address
    lab.dovecot.create(user, "Häfen/港")
    uids = lab.dovecot.append_many(user, "INBOX", map(deposit, mails(5)))
    lab.dovecot.expunge(user, "INBOX", uids[:1])
    lab.dovecot.move(user, "INBOX", uids[1:2], "Häfen/港")
    lab.dovecot.set_flags(user, "INBOX", uids[2:], ["\\Answered", "$Forwarded"])
    assert [message.uid for message in lab.dovecot.messages(user, "INBOX")] == uids[2:]
    [flags] = {message.flags for message in lab.dovecot.messages(user, "INBOX")}
    assert flags == {"\\Answered", "$Forwarded"}
    assert lab.dovecot.folders(user) >= {"INBOX", "Sent", "Drafts", "H&AOQ-fen/&bi8-"}
    assert len(lab.dovecot.messages(user, "H&AOQ-fen/&bi8-")) == 1
    before = lab.dovecot.uidvalidity(user, "INBOX")
    after = lab.dovecot.change_uidvalidity(user, "INBOX")
    assert lab.dovecot.uidvalidity(user, "INBOX") == after != before


def test_server_killed_and_started_again_keeps_its_mail(lab: Laboratory, trust: ssl.SSLContext) -> None:
    server = lab.another_dovecot("killed")
    user = server.set_user(User("eve@example.test", "a secret"))
    server.append(user.address, "INBOX", b"Subject: still here\r\n\r\nyes\r\n")
    server.server.kill()
    with pytest.raises(ConnectionRefusedError):
        reach(STATIC[0], host="10.99.0.2")
    server.server.start()
    with BoundImap("mail.example.test", STATIC[0], trust) as client:
        client.login(user.address, user.password)
        assert client.select("INBOX", readonly=True) == ("OK", [b"1"])
    server.server.stop()


@pytest.mark.parametrize("port", [587, 465])
async def test_postfix_takes_mail_and_it_arrives(lab: Laboratory, ann: User, trust: ssl.SSLContext, port: int) -> None:
    friend = lab.user(f"friend{port}")
    since = lab.postfix.server.mark()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ann.address, friend.address, f"Ahoj over {port}"
    message.set_content("By sea")
    source = (STATIC[0], 0)
    if port == 465:
        client = smtplib.SMTP_SSL("smtp.lab.test", port, timeout=10, context=trust, source_address=source)
    else:
        client = smtplib.SMTP("smtp.lab.test", port, timeout=10, source_address=source)
        with pytest.raises(smtplib.SMTPNotSupportedError):
            client.login(ann.address, ann.password)
        client.starttls(context=trust)
    with client:
        client.login(ann.address, ann.password)
        client.send_message(message)
    await lab.postfix.delivered(friend.address, since=since)
    [arrived] = lab.dovecot.messages(friend.address, "INBOX")
    assert f"Subject: Ahoj over {port}".encode() in arrived.raw
    assert lab.postfix.remote_addresses(since=since) == {STATIC[0]}
    assert {connection.service for connection in lab.postfix.connections(since=since)} == {
        {587: "submission", 465: "submissions"}[port]
    }


def test_postfix_refuses_strangers_and_chosen_addresses(lab: Laboratory, ann: User, trust: ssl.SSLContext) -> None:
    assert lab.postfix.server.running
    lab.postfix.refuse_clients({DYNAMIC[0]: "554 5.7.1 client host blocked, allow it first"})
    answers: dict[str, int] = {}
    for source in (STATIC[0], DYNAMIC[0]):
        with smtplib.SMTP_SSL("smtp.lab.test", 465, timeout=10, context=trust, source_address=(source, 0)) as client:
            client.login(ann.address, ann.password)
            client.mail(ann.address)
            answers[source] = client.rcpt(ann.address)[0]
            assert client.rcpt("nobody@lab.test")[0] in {550, 554}
    lab.postfix.refuse_clients({})
    assert answers == {STATIC[0]: 250, DYNAMIC[0]: 554}


def test_radicale_makes_a_calendar(lab: Laboratory, ann: User, trust: ssl.SSLContext) -> None:
    since = lab.radicale.server.mark()
    login = base64.b64encode(f"{ann.address}:{ann.password}".encode()).decode()
    url = f"https://dav.lab.test/{ann.address}/tides/"

    def ask(method: str, authorization: str) -> int:
        request = urllib.request.Request(url, method=method, headers={"Authorization": authorization})
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
            return answer.status

    assert ask("MKCALENDAR", f"Basic {login}") == 201
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        ask("PROPFIND", "Basic bm86bm8=")
    refused.value.close()
    assert lab.radicale.remote_addresses(since=since) == {UNBOUND}


def speak_socks(proxy: Proxy, host: str, port: int) -> int:
    """RFC 1928 §4: the reply field of a CONNECT by name."""
    with socket.create_connection((proxy.address, 1080), 5) as line:
        line.sendall(b"\x05\x01\x00")
        assert line.recv(2) == b"\x05\x00"
        line.sendall(b"\x05\x01\x00\x01" + socket.inet_aton(host) + port.to_bytes(2, "big"))
        reply = line.recv(10)
        if reply[1] == 0:
            assert line.recv(4)
        return reply[1]


def speak_http(proxy: Proxy, host: str, port: int, authorization: str = "") -> int:
    with socket.create_connection((proxy.address, 3128), 5) as line:
        line.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n".encode())
        with line.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            if status == 200:
                while answer.readline().strip():
                    pass
                assert answer.read(4)
            return status


def test_proxies_leave_from_their_own_address(lab: Laboratory, ann: User, firewall: Firewall) -> None:
    socks = lab.dante(PROXIES[0])
    http = lab.squid(PROXIES[3])
    firewall.admit_only([socks.address])
    assert speak_socks(socks, SERVER, 143) == 0
    assert firewall.sources() == {socks.address}
    firewall.admit_only([http.address])
    firewall.forget()
    assert speak_http(http, SERVER, 143) == 200
    assert firewall.sources() == {http.address}
    socks.server.kill()
    with pytest.raises(ConnectionRefusedError):
        speak_socks(socks, SERVER, 143)
    http.server.stop()


def test_proxies_refuse(lab: Laboratory, ann: User) -> None:
    socks = lab.dante(PROXIES[0], refuses=True)
    http = lab.tinyproxy(PROXIES[2], refuses=True)
    assert speak_socks(socks, SERVER, 143) == 2
    assert speak_http(http, SERVER, 143) == 403
    socks.server.stop()
    http.server.stop()


def test_proxies_ask_for_a_password(lab: Laboratory, ann: User, firewall: Firewall) -> None:
    socks = lab.microsocks(PROXIES[1], user="mooring", password="pass")
    http = lab.tinyproxy(PROXIES[2], user="mooring", password="pass")
    assert socks.url == f"socks5://mooring:pass@{PROXIES[1]}:1080"
    with socket.create_connection((socks.address, 1080), 5) as line:
        line.sendall(b"\x05\x01\x00")
        # RFC 1928 §3: no acceptable method.
        assert line.recv(2) == b"\x05\xff"
    assert speak_http(http, SERVER, 143) == 407
    login = base64.b64encode(b"mooring:pass").decode()
    assert speak_http(http, SERVER, 143, f"Proxy-Authorization: Basic {login}\r\n") == 200
    assert firewall.sources() == {http.address}
    socks.server.stop()
    http.server.stop()


def test_generated_mail_is_deterministic_and_has_the_measured_shape() -> None:
    first = [mail.raw for mail in mails(2000, seed=3, newest=next(iter(mails(1))).date)]
    newest = next(iter(mails(1))).date
    assert [m.raw for m in mails(300, seed=3, newest=newest)] == [m.raw for m in mails(300, seed=3, newest=newest)]
    assert [m.raw for m in mails(30, seed=4, newest=newest)] != [m.raw for m in mails(30, seed=3, newest=newest)]
    assert sum(map(len, first)) / len(first) == pytest.approx(21_700, rel=0.05)
    assert len({mail.message_id for mail in mails(2000)}) == 2000
    assert sum(b"\r\nReferences: " in raw for raw in first) > 900
