"""What failures and words mean: texts of real servers, each with the one who says it."""

from collections.abc import Callable

import pytest

from mooring.diagnosis.probes.classify import reading
from mooring.diagnosis.probes.errors import SpeaksOtherwise
from mooring.diagnosis.types import Outcome, Stage
from mooring.errors import (
    AuthenticationFailed,
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    HostUnreachable,
    IcmpMessage,
    LedgerUnavailable,
    MooringError,
    NoSource,
    ReadTimeout,
    RemoteProtocolError,
    ResolverBusy,
    ServerRefused,
    SourceBusy,
    SourceUnavailable,
    TargetNotAllowed,
    TLSFailed,
)
from mooring.grants import TlsMode
from mooring.protocols import imap, smtp
from mooring.protocols.caldav import NotCalDav
from mooring.protocols.imap import SaidGoodbye
from mooring.protocols.smtp import Reply, SmtpRefused, Step

LISTED, LIMITED, POLICY, BROKEN = Outcome.LISTED, Outcome.LIMITED, Outcome.POLICY, Outcome.BROKEN
CREDENTIALS, FAILED = Outcome.CREDENTIALS, Outcome.FAILED

GREETINGS: list[tuple[str, str, Outcome]] = [
    # Postfix and postscreen
    ("Postfix", "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", POLICY),
    ("Postfix", "421 4.7.0 mail.example.com Error: too many connections from 192.0.2.1", LIMITED),
    ("Postfix", "421 4.7.1 Service unavailable - try again later", BROKEN),
    ("Postfix", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", LISTED),
    ("Postfix", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.lists.example", LISTED),
    ("postscreen", "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using b.barracudacentral.org", LISTED),
    ("postscreen", "421 4.3.2 All server ports are busy", LIMITED),
    ("postscreen", "521 5.7.1 Blocked by administrative rule", POLICY),
    # Exim
    ("Exim", "554 SMTP synchronization error", BROKEN),
    ("Exim", "550 Administrative prohibition", POLICY),
    ("Exim", "421 Too many concurrent SMTP connections; please try again later.", LIMITED),
    ("Exim, cPanel", '550-"JunkMail rejected - host [192.0.2.1]:1 is in an RBL: 192.0.2.1 listed at dnsbl"', LISTED),
    # Exchange and Microsoft 365
    ("Exchange", "421 4.3.2 Service not available", BROKEN),
    ("Exchange", "421 4.3.2 The maximum number of concurrent connections has exceeded a limit", LIMITED),
    ("Microsoft 365", "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list",
     LISTED),
    ("Outlook.com", ("550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Part of their network is on our "
     "block list (S3150)."), LISTED),
    ("Microsoft 365", "550 5.7.51 TenantInboundAttribution; IP address restricted by the connector", POLICY),
    # others
    ("Yahoo", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints", LIMITED),
    ("Yahoo", "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
     LISTED),
    ("Google", "421-4.7.28 Our system has detected an unusual rate of mail originating from your IP address", LIMITED),
    ("Google", ("550-5.7.1 Our system has detected that this message is likely suspicious due to the very low "
     "reputation of the sending IP address"), LISTED),
    ("Courier", "511 Connection refused: 192.0.2.1 is listed in sbl.spamhaus.org", LISTED),
    ("Sendmail", "554 mail.example.com ESMTP not accepting messages", BROKEN),
    ("Sendmail", "421 4.3.2 Connection rate limit exceeded.", LIMITED),
    ("qmail", "421 out of memory", BROKEN),
    ("Haraka", "550 Your address is not allowed to connect here", POLICY),
    # IMAP
    ("Dovecot", "* BYE Server shutting down.", BROKEN),
    ("Dovecot", "* BYE [UNAVAILABLE] Internal error occurred. Refer to server log for more information.", BROKEN),
    ("Dovecot", "* BYE Too many connections, try later.", LIMITED),
    ("Courier", "* BYE Access denied.", POLICY),
    ("Courier", "* BYE Maximum connection limit reached for this IP.", LIMITED),
    ("Cyrus", "* BYE Fatal error: can't open mailbox", BROKEN),
    ("Cyrus", "* BYE Too many open connections from your IP", LIMITED),
    ("Exchange", "* BYE Connection is closed. 13", BROKEN),
    ("an administrator", "* BYE not from there", POLICY),
]  # fmt: skip

LOGINS: list[tuple[str, str, Outcome]] = [
    ("Dovecot", "[AUTHENTICATIONFAILED] Authentication failed.", CREDENTIALS),
    ("Dovecot", "[AUTHENTICATIONFAILED] Invalid credentials", CREDENTIALS),
    ("Dovecot", ("[UNAVAILABLE] Maximum number of connections from user+IP exceeded "
     "(mail_max_userip_connections=10)"), LIMITED),
    ("Dovecot", "[ALERT] Maximum number of connections from user+IP exceeded", LIMITED),
    ("Dovecot", "[UNAVAILABLE] Temporary authentication failure. [mail:2024-05-01 10:00:00]", BROKEN),
    ("Courier", "Login failed.", CREDENTIALS),
    ("Cyrus", "Login failed: authentication failure", CREDENTIALS),
    ("Cyrus", "Login only available to users of this network: access from 192.0.2.1 denied", POLICY),
    ("Exchange", "LOGIN failed.", CREDENTIALS),
    ("Exchange", "AUTHENTICATE failed.", CREDENTIALS),
    ("Gmail", "[AUTHENTICATIONFAILED] Invalid credentials (Failure)", CREDENTIALS),
    ("Gmail", "[ALERT] Application-specific password required: https://support.example (Failure)", CREDENTIALS),
    ("Gmail", "[ALERT] Please log in via your web browser: https://support.example (Failure)", POLICY),
    ("Gmail", "[ALERT] Too many simultaneous connections. (Failure)", LIMITED),
    ("Yahoo", "[LIMIT] LOGIN Rate limit hit.", LIMITED),
    ("Yahoo", "[AUTHORIZATIONFAILED] LOGIN Server error - Please try again later", BROKEN),
    ("Zoho", "[ALERT] IMAP access from this IP range is restricted by your administrator", POLICY),
    ("iCloud", "[AUTHENTICATIONFAILED] Authentication failed", CREDENTIALS),
    ("Entra", ('[AUTHENTICATIONFAILED] Authentication failed. {"error":"AADSTS53003: Access has been blocked by '
     'Conditional Access policies."}'), POLICY),
    ("Entra", "AADSTS50126: Error validating credentials due to invalid username or password.", CREDENTIALS),
    ("Entra", "AADSTS50053: The account is locked, you've tried to sign in too many times.", LIMITED),
    ("Postfix", "535 5.7.8 Error: authentication failed: authentication failure", CREDENTIALS),
    ("Exchange", "535 5.7.3 Authentication unsuccessful", CREDENTIALS),
    ("Microsoft 365", ("535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be "
     "authenticated successfully. Contact your administrator."), POLICY),
    ("Microsoft 365", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
     CREDENTIALS),
    ("Exim", "535 Incorrect authentication data", CREDENTIALS),
    ("a geographic filter", "535 5.7.8 Login from your country is not permitted", POLICY),
    ("Icewarp", "535 5.7.8 Access from your IP 192.0.2.1 not allowed", POLICY),
    ("cPanel", "535 Your IP address has been temporarily banned because of too many failed logins", LIMITED),
]  # fmt: skip

RECIPIENTS: list[tuple[str, str, Outcome]] = [
    ("Postfix", "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", POLICY),
    ("Postfix", "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: not from there", POLICY),
    ("Postfix", "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", POLICY),
    ("Postfix", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", LISTED),
    ("Postfix", "554 5.7.1 <ann@example.com>: Relay access denied", FAILED),
    ("Postfix", "553 5.7.1 <ann@example.com>: Sender address rejected: not owned by user ann", FAILED),
    ("Postfix", "550 5.1.1 <ann@example.com>: Recipient address rejected: User unknown", FAILED),
    ("Postfix", "452 4.2.2 Mailbox full", FAILED),
    ("Dovecot", "552 5.2.2 <ann@example.com> Quota exceeded (mailbox for user is full)", FAILED),
    ("postgrey", "450 4.2.0 <ann@example.com>: Recipient address rejected: Greylisted", LIMITED),
    ("Exim", "451 Greylisting in action, please come back later", LIMITED),
    ("Exim", "550 Administrative prohibition", POLICY),
    ("Exchange Online", "550 5.4.1 Recipient address rejected: Access denied", FAILED),
    ("Exchange", "550 5.7.1 Access denied", POLICY),
    ("Google", "550 5.4.5 Daily user sending limit exceeded", LIMITED),
    ("a hoster", "550 5.7.1 Your IP 192.0.2.1 is not allowed to send here", POLICY),
    ("Postfix", "450 4.7.1 Error: too much mail from 192.0.2.1", LIMITED),
]  # fmt: skip

WEB: list[tuple[str, str, Outcome]] = [
    ("IIS", "403 Forbidden: Forbidden: IP address of the client has been rejected.", POLICY),
    ("nginx", "403 Forbidden: 403 Forbidden nginx", POLICY),
    ("a wall of cookies", "403 Forbidden: Access denied. Your IP is on the Spamhaus block list", LISTED),
    ("Cloudflare", "429 Too Many Requests: error code: 1015", LIMITED),
    ("a government", "451 Unavailable For Legal Reasons", POLICY),
    ("nginx", "502 Bad Gateway", BROKEN),
    ("Radicale", "500 Internal Server Error", BROKEN),
    ("nginx", "405 Method Not Allowed", FAILED),
]


@pytest.mark.parametrize(("server", "said", "outcome"), GREETINGS, ids=[said for _, said, _ in GREETINGS])
def test_words_instead_of_a_greeting(server: str, said: str, outcome: Outcome) -> None:
    seen = reading(SpeaksOtherwise("", heard=said.encode()), Stage.GREETING, None)
    assert (seen.outcome, seen.said) == (outcome, said), server
    refused = ServerRefused("", reply=said.removeprefix("* BYE "), permanent=False)
    assert reading(refused, Stage.GREETING, None).outcome is outcome
    # The same words in clear on a port for TLS look like no TLS at first.
    hidden = TLSFailed("", reason="not_tls")
    hidden.heard = said.encode()
    assert reading(hidden, Stage.TLS, TlsMode.IMPLICIT).outcome is outcome


@pytest.mark.parametrize(("server", "said", "outcome"), LOGINS, ids=[said for _, said, _ in LOGINS])
def test_words_of_a_refused_login(server: str, said: str, outcome: Outcome) -> None:
    seen = reading(AuthenticationFailed("", reply=said), Stage.LOGIN, None)
    assert (seen.outcome, seen.said) == (outcome, said), server


@pytest.mark.parametrize(("server", "said", "outcome"), RECIPIENTS, ids=[said for _, said, _ in RECIPIENTS])
def test_words_of_a_refused_recipient(server: str, said: str, outcome: Outcome) -> None:
    answer = Reply(int(said[:3]), said[4:])
    seen = reading(SmtpRefused("", answer=answer, step=Step.RCPT), Stage.RECIPIENT, None)
    assert (seen.outcome, seen.said) == (outcome, said), server


@pytest.mark.parametrize(("server", "said", "outcome"), WEB, ids=[said for _, said, _ in WEB])
def test_statuses_of_a_web_server(server: str, said: str, outcome: Outcome) -> None:
    status = int(said[:3])
    error = ServerRefused("", reply=said, code=said[:3], permanent=status < 500)
    assert reading(error, Stage.CAPABILITY, None).outcome is outcome, server


def icmp(type_: int, code: int, sender: str) -> Callable[[MooringError], MooringError]:
    def told(error: MooringError) -> MooringError:
        setattr(error, "icmp", IcmpMessage(type_, code, sender))  # noqa: B010
        return error

    return told


V4, V6 = "198.51.100.1", "2001:db8::1"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectTimeout(""), Outcome.SILENT),
        (ConnectionRefused(""), Outcome.RESET),
        (icmp(3, 3, V4)(ConnectionRefused("")), Outcome.REJECTED),
        (icmp(1, 4, V6)(ConnectionRefused("")), Outcome.REJECTED),
        *((icmp(3, code, V4)(HostUnreachable("")), Outcome.PROHIBITED) for code in (9, 10, 13)),
        *((icmp(1, code, V6)(HostUnreachable("")), Outcome.PROHIBITED) for code in (1, 5, 6)),
        *((icmp(3, code, V4)(HostUnreachable("")), Outcome.UNREACHABLE) for code in (0, 1, 2)),
        *((icmp(1, code, V6)(HostUnreachable("")), Outcome.UNREACHABLE) for code in (0, 3)),
        (icmp(11, 0, V4)(HostUnreachable("")), Outcome.UNREACHABLE),
        (icmp(3, 13, V4)(ConnectTimeout("")), Outcome.PROHIBITED),
        (HostUnreachable("the proxy says so"), Outcome.UNREACHABLE),
        (ConnectionLost("accepted and reset at once"), Outcome.CLOSED),
        (NoSource("", reason="empty_pool"), Outcome.OURS),
        (SourceUnavailable("", reason="unplumbed"), Outcome.OURS),
        (SourceBusy("", reason="busy"), Outcome.SPARED),
        (ResolverBusy("", reason="resolver_busy"), Outcome.SPARED),
        (LedgerUnavailable("", reason="ledger"), Outcome.SPARED),
        (TargetNotAllowed(""), Outcome.SPARED),
    ],
    ids=repr,
)
def test_what_becomes_of_a_syn(error: MooringError, outcome: Outcome) -> None:
    assert reading(error, Stage.CONNECT, None).outcome is outcome


@pytest.mark.parametrize(
    ("reason", "implicit", "starttls"),
    [
        ("certificate", Outcome.CERTIFICATE, Outcome.CERTIFICATE),
        ("alert", Outcome.ALERT, Outcome.ALERT),
        ("closed", Outcome.CLOSED, Outcome.BROKEN),
        ("timeout", Outcome.MUTE, Outcome.BROKEN),
        ("not_tls", Outcome.NOT_TLS, Outcome.BROKEN),
    ],
)
def test_what_becomes_of_a_handshake(reason: str, implicit: Outcome, starttls: Outcome) -> None:
    error = TLSFailed("", reason=reason)
    assert reading(error, Stage.TLS, TlsMode.IMPLICIT).outcome is implicit
    assert reading(error, Stage.TLS, TlsMode.STARTTLS).outcome is starttls


@pytest.mark.parametrize(
    ("error", "stage", "outcome"),
    [
        (ReadTimeout(""), Stage.GREETING, Outcome.MUTE),
        (ConnectionLost(""), Stage.GREETING, Outcome.CLOSED),
        (ReadTimeout(""), Stage.CAPABILITY, BROKEN),
        (ConnectionLost(""), Stage.LOGIN, BROKEN),
        (ConnectionLost("", detail="421 4.7.0 too many connections"), Stage.CAPABILITY, LIMITED),
        (SaidGoodbye("", reply="Too many invalid commands"), Stage.LOGIN, LIMITED),
        (SaidGoodbye("", reply="Logging out"), Stage.LOGIN, BROKEN),
        (RemoteProtocolError(""), Stage.GREETING, Outcome.OTHER_PROTOCOL),
        (RemoteProtocolError(""), Stage.CAPABILITY, BROKEN),
        (imap.StartTlsMissing(""), Stage.TLS, Outcome.NO_STARTTLS),
        (smtp.StartTlsMissing(""), Stage.TLS, Outcome.NO_STARTTLS),
        (ServerRefused("", reply="[NONEXISTENT] Mailbox doesn't exist: INBOX"), Stage.LIST, FAILED),
        (ServerRefused("", reply="[UNAVAILABLE] passes", permanent=False), Stage.LOGIN, BROKEN),
        (imap.NoLoginMethod("", reply="CAPABILITY IMAP4REV1 LOGINDISABLED"), Stage.LOGIN, FAILED),
        (NotCalDav(""), Stage.LOGIN, FAILED),
    ],
    ids=repr,
)
def test_what_comes_later(error: MooringError, stage: Stage, outcome: Outcome) -> None:
    assert reading(error, stage, None).outcome is outcome


@pytest.mark.parametrize(
    ("heard", "outcome", "speaks"),
    [
        (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", Outcome.OTHER_PROTOCOL, "imap"),
        (b"220 mail.example.com ESMTP Postfix\r\n", Outcome.OTHER_PROTOCOL, "smtp"),
        (b"220-first line\r\n", Outcome.OTHER_PROTOCOL, "smtp"),
        (b"220 ProFTPD Server ready (FTP)\r\n", Outcome.OTHER_PROTOCOL, "unknown"),
        (b"+OK Dovecot ready.\r\n", Outcome.OTHER_PROTOCOL, "pop3"),
        (b"HTTP/1.1 400 Bad Request\r\n", Outcome.OTHER_PROTOCOL, "http"),
        (b"<html><title>400</title>", Outcome.OTHER_PROTOCOL, "http"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Outcome.OTHER_PROTOCOL, "ssh"),
        (b"\x15\x03\x01\x00\x02\x02\x46", Outcome.NO_STARTTLS, "tls"),
        (b"\x00\x01\x02", Outcome.OTHER_PROTOCOL, "unknown"),
        (b"", Outcome.OTHER_PROTOCOL, "unknown"),
    ],
)
def test_who_speaks_instead(heard: bytes, outcome: Outcome, speaks: str) -> None:
    seen = reading(SpeaksOtherwise("", heard=heard), Stage.GREETING, TlsMode.STARTTLS)
    assert (seen.outcome, seen.spoken) == (outcome, speaks)
