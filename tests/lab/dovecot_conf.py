"""Dovecot's configuration: private folders, no delays, no limits that a test could run into by accident."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.certificates import Certificate

_MAIN = """
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = mooring-lab
protocols = imap lmtp
listen = {listen}
log_path = /dev/stderr
info_log_path = /dev/stderr
login_log_format_elements = user=<%u> method=%m rip=%r lip=%l %c session=<%{{session}}>
auth_verbose = yes
auth_failure_delay = 0
disable_plaintext_auth = {tls_only}
ssl = yes
ssl_cert = <{certificate.chain}
ssl_key = <{certificate.key}
ssl_min_protocol = TLSv1.2
mail_location = sdbox:~/mail
mail_fsync = never
mail_max_userip_connections = 0
mail_plugins = zlib
first_valid_uid = 300000
default_client_limit = 8000
default_process_limit = 4000
{capability}
imap_hibernate_timeout = {hibernate_s}s
protocol imap {{
  mail_plugins = zlib imap_zlib
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users/%u
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Archive {{
    auto = subscribe
    special_use = \\Archive
  }}
}}
"""

_SERVICES = """
service imap-login {
  service_count = 0
  process_min_avail = 1
  client_limit = 4000
}
service imap {
  process_limit = 4000
  unix_listener imap-master {
    user = $default_internal_user
  }
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0666
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
# A wrong password must not slow down the next one.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener auth-client {
    mode = 0666
  }
}
service lmtp {
  unix_listener lmtp {
    mode = 0666
  }
}
"""

_NAMED = """
local_name {name} {{
  ssl_cert = <{certificate.chain}
  ssl_key = <{certificate.key}
}}
"""


def configuration(
    folder: Path,
    certificate: Certificate,
    *,
    addresses: Sequence[str],
    named: Mapping[str, Certificate],
    capability: str,
    plaintext: bool,
    hibernate_s: int,
) -> str:
    """The text of dovecot.conf; see ``Dovecot`` for what the arguments mean."""
    main = _MAIN.format(
        folder=folder,
        listen=" ".join(addresses),
        certificate=certificate,
        tls_only="no" if plaintext else "yes",
        capability=f"imap_capability = {capability}" if capability else "",
        hibernate_s=hibernate_s,
    )
    names = "".join(_NAMED.format(name=name, certificate=shown) for name, shown in named.items())
    return main + _SERVICES + names
