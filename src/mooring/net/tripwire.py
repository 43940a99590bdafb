"""The tripwire: a connect that the dialer did not make is refused before its SYN leaves, and so is a datagram.

It sees what goes through CPython's socket module (audit events), which is why the workers run on
asyncio's stock loop: uvloop and compiled code (such as the object store's client) connect unseen. What it
cannot see, a firewall of this host can.
"""

import socket
import sys
from typing import Any

from mooring.net.connect import DialledSocket, ResolverSocket

_LEAVING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
"""The audit events of what leaves for an address. Without one, over a socket that is connected, it is None."""

_state = {"armed": False}
_exceptions: set[tuple[str, int]] = set()


class UndialledConnect(PermissionError):
    """Code of this process tried to connect by itself, past the dialer."""


def arm(exceptions: set[tuple[str, int]]) -> None:
    """Refuse, from now on and for good, every IP connect and datagram that is not the dialer's or the resolver's.

    Args:
        exceptions: (address, port) of the database, the one that Python code connects to and the dialer does not.
    """
    _exceptions.update(exceptions)
    if not _state["armed"]:
        _state["armed"] = True
        sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event not in _LEAVING:
        return
    sock, address = args
    if address is None or isinstance(sock, DialledSocket) or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    where = tuple(address[:2])
    if where in _exceptions or (isinstance(sock, ResolverSocket) and where == sock.server):
        return
    raise UndialledConnect(f"{event} to {address!r} was stopped: only the dialer connects")
