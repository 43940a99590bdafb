"""Postfix's services on addresses of their own, with an access table or without: lines of master.cf."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.lab.situations.types import Smtp

_DENIED = "554 5.7.1 Access denied, your address is not on our list"
_BLOCK_LIST = "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org; https://check.spamhaus.org/"
_BUSY = "421 4.7.0 Error: too many connections"

#: What whoever is not admitted is told, and whether in place of a greeting.
_ANSWERS: dict[Smtp, tuple[str, bool]] = {
    Smtp.AT_RCPT: (_DENIED, False),
    Smtp.AT_GREETING: (_DENIED, True),
    Smtp.LISTED_AT_RCPT: (_BLOCK_LIST, False),
    Smtp.LISTED_AT_GREETING: (_BLOCK_LIST, True),
    Smtp.BUSY: (_BUSY, True),
}

_SERVICES = """
{address}:25 inet n - n - - smtpd
  -o syslog_name=postfix-{label}/smtp
{options}
{address}:587 inet n - n - - smtpd
  -o syslog_name=postfix-{label}/submission
  -o smtpd_tls_security_level=encrypt
{submission}
{options}
{address}:465 inet n - n - - smtpd
  -o syslog_name=postfix-{label}/submissions
  -o smtpd_tls_wrappermode=yes
{submission}
{options}
"""

_SUBMISSION = """\
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"""


def log_label(name: str) -> str:
    """How lines about a situation begin in Postfix's log, after ``postfix-``."""
    return name.replace("-", "_")


def services(folder: Path, name: str, kind: Smtp, addresses: Iterable[str], admitted: Sequence[str]) -> str:
    """The lines for one situation.

    Args:
        folder: where its access table is put.
        admitted: whom the table lets in.
    """
    options: list[str] = []
    if kind is Smtp.RATE_LIMIT:
        options = ["smtpd_client_event_limit_exceptions=", "smtpd_client_connection_rate_limit=1"]
    elif kind in _ANSWERS:
        answer, at_greeting = _ANSWERS[kind]
        table = folder / f"{name}.cidr"
        lines = [f"{source} DUNNO" for source in admitted]
        table.write_text("\n".join([*lines, f"0.0.0.0/0 {answer}", f"::/0 {answer}"]) + "\n")
        options = [f"smtpd_client_restrictions=check_client_access,cidr:{table}"]
        if at_greeting:
            options.append("smtpd_delay_reject=no")
    return "".join(
        _SERVICES.format(
            address=f"[{address}]" if ":" in address else address,
            label=log_label(name),
            options="\n".join(f"  -o {option}" for option in options),
            submission=_SUBMISSION,
        )
        for address in addresses
    )
