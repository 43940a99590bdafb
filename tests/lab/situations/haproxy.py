"""A real HAProxy before Dovecot: it closes, or holds, the connections of whoever is not on the list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.namespaces import SERVERS, program
from tests.lab.processes import Server
from tests.lab.situations.types import Imap

_MAIN = """
global
  maxconn 2000
defaults
  mode tcp
  timeout connect 5s
  timeout client 120s
  timeout server 120s
"""

_FRONT = """
frontend {name}-{port}
  {binds}
  {filter}
  {backend}
"""

#: Nothing listens there.
_NOWHERE = "127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Front:
    """What stands on one situation's addresses."""

    name: str
    kind: Imap
    addresses: tuple[str, ...]
    admitted: tuple[str, ...]


def haproxy(folder: Path, fronts: Iterable[Front], dovecot: str) -> Server:
    """One HAProxy for all of them, before the Dovecot at this address."""
    configuration = folder / "haproxy.cfg"
    configuration.write_text(_MAIN + "".join(_front(front, port, dovecot) for front in fronts for port in (143, 993)))
    argv = [program("haproxy", package="haproxy"), "-db", "-f", str(configuration)]
    # It says nothing once it is ready; 993 of any address will do.
    return Server("haproxy", argv, port=993, namespace=SERVERS)


def _front(front: Front, port: int, dovecot: str) -> str:
    behind, rules = port, list[str]()
    match front.kind:
        case Imap.HAPROXY_REJECTS:
            rules = [_admits(front.admitted), "tcp-request connection reject if !admitted"]
        case Imap.HAPROXY_HOLDS:
            rules = [
                "tcp-request inspect-delay 120s",
                _admits(front.admitted),
                "tcp-request content accept if admitted",
                "tcp-request content reject if WAIT_END",
            ]
        case Imap.SWAPPED:
            behind = 143 if port == 993 else 993
        case _:
            pass
    backend = _NOWHERE if front.kind is Imap.HAPROXY_EMPTY else f"{dovecot}:{behind}"
    text = _FRONT.format(
        name=front.name,
        port=port,
        binds="\n  ".join(f"bind {_bracketed(address)}:{port}" for address in front.addresses),
        filter="\n  ".join(rules),
        backend=f"default_backend {front.name}-{port}",
    )
    return f"{text}backend {front.name}-{port}\n  server only {backend}\n"


def _admits(admitted: Sequence[str]) -> str:
    # Nobody has the address 192.0.2.1; a list of none is no list.
    return f"acl admitted src {' '.join(admitted or ['192.0.2.1'])}"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
