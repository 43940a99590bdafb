"""Postfix's configuration: private folders, no name look-ups, no limits that a test could run into by accident."""

from collections.abc import Sequence
from pathlib import Path

from tests.lab.certificates import Certificate
from tests.lab.dovecot import Dovecot

#: Bytes: one message may be this large.
MESSAGE_SIZE_LIMIT = 50 * 1024 * 1024

_MAIN = """
compatibility_level = 3.6
maillog_file = /dev/stdout
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.{domain}
mydestination =
mynetworks =
inet_interfaces = {interfaces}
inet_protocols = all
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
default_transport = error:there is no way out of the laboratory
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{folder}/conf/recipients
virtual_transport = lmtp:unix:{dovecot.lmtp_socket}
virtual_mailbox_limit = 0
message_size_limit = {size}
alias_maps =
local_recipient_maps =
smtpd_tls_cert_file = {certificate.chain}
smtpd_tls_key_file = {certificate.key}
tls_server_sni_maps = hash:{folder}/conf/names
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dovecot.sasl_socket}
smtpd_client_event_limit_exceptions = static:all
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_recipient_restrictions = check_client_access texthash:{folder}/conf/refused,
  permit_sasl_authenticated, reject_unauth_destination
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtputf8_enable = yes
"""

_SUBMISSION = """
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""

MASTER = f"""
smtp       inet  n - n - - smtpd
  -o syslog_name=postfix/smtp
submission inet  n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
{_SUBMISSION.strip(chr(10))}
465        inet  n - n - - smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
{_SUBMISSION.strip(chr(10))}
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n - - proxymap
proxywrite unix  - - n - 1 proxymap
showq      unix  n - n - - showq
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
lmtp       unix  - - n - - lmtp
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


def main(
    folder: Path, certificate: Certificate, dovecot: Dovecot, *, addresses: Sequence[str], domains: Sequence[str]
) -> str:
    """The text of main.cf; see ``Postfix`` for what the arguments mean."""
    return _MAIN.format(
        folder=folder,
        certificate=certificate,
        dovecot=dovecot,
        interfaces=", ".join(f"[{address}]" if ":" in address else address for address in addresses),
        domain=domains[0],
        domains=", ".join(domains),
        size=MESSAGE_SIZE_LIMIT,
    )
