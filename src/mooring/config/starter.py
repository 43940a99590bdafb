"""The first ``mooring.toml``: what this host already has, written so that it can be read and changed."""

from dataclasses import dataclass

from mooring.config.types import IPAddress

_HEAD = """\
# Mooring's configuration. Every key, with its default, is explained in docs/configuration.md.
# MOORING_SERVER_LISTEN and the like stand over what is written here.

[server]
listen = "127.0.0.1:8025"

[database]
url = "embedded:./data"            # or postgresql://user:pass@host/db

# A source is one way out: `address` is what mail servers see, and what is published.
# via = "bind" binds the address itself; "bind:10.0.0.5" where a NAT maps that to `address`;
# "socks5://user:pass@gateway:1080" or "http://gateway:3128" leaves by a proxy.
"""

_TAIL = """
# A host that answers everybody lets a diagnosis tell a server that filters from an exit of ours that is broken.
# [diagnosis]
# control_targets = ["mail.example.com:993"]
"""


@dataclass(frozen=True, slots=True)
class Host:
    """What a starter is made from: this host's addresses, the one to publish first."""

    addresses: tuple[IPAddress, ...]


def is_starter(text: str) -> bool:
    """Whether this configuration began as a starter."""
    return text.startswith(_HEAD.splitlines()[0])


def starter_toml(host: Host) -> str:
    """A configuration with the first address as the static pool v3-us, and a second one, if any, as the dynamic pool
    and that of webhooks.

    Raises:
        ValueError: the host has no address at all.
    """
    if not host.addresses:
        raise ValueError("this host has no address")
    first, *others = host.addresses
    # Of one family, so that both pools reach the same servers.
    second = next((a for a in others if a.version == first.version), others[0] if others else None)
    parts = [_HEAD, _source("static", first)]
    if second is not None:
        parts.append(_source("dynamic", second))
        parts.append("\n# Deliveries to webhooks leave by a pool of their own, which may share with the dynamic one.\n")
        parts.append(_pool("webhook", "static", _name("dynamic")).lstrip())
    else:
        parts.append(
            "\n# This host has one address, so there is no dynamic pool, and none for webhooks, which does not\n"
            "# share with the static one: what they would carry is answered with 503. A second address can be both.\n"
        )
    if first.is_private or (second is not None and second.is_private):
        parts.append(
            "\n# An address above is private: put the one that the outside sees into `address`,\n"
            '# and keep the private one as via = "bind:…". `mooring egress check` compares the two.\n'
        )
    parts.append(_TAIL)
    return "".join(parts)


def _source(kind: str, address: IPAddress) -> str:
    """A source with the pool that is its own."""
    name = _name(kind)
    source = f"""
[[egress.source]]
name = "{name}"
address = "{address}"
via = "bind"
"""
    return source + _pool("v3", kind, name)


def _pool(generation: str, kind: str, source: str) -> str:
    return f"""
[[egress.pool]]
generation = "{generation}"
region = "us"
kind = "{kind}"
sources = ["{source}"]
"""


def _name(kind: str) -> str:
    return f"v3-us-{kind}-1"
