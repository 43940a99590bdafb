"""The two proxy carriers: what is said to the operator's own proxy before the target's bytes flow.

The proxy is always given an address, never a name: names are resolved and judged here. Whether the
proxy failed or the target did is kept apart as far as the proxy tells.
"""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from ipaddress import ip_address

from mooring.config import Via
from mooring.errors import (
    ConnectionRefused,
    ConnectTimeout,
    HostUnreachable,
    NetworkError,
    ProxyRefused,
    SourceUnavailable,
)
from mooring.net import Endpoint
from mooring.net.connect import DialledSocket

_SOCKS_TARGET_ERRORS: dict[int, type[NetworkError]] = {
    3: HostUnreachable,
    4: HostUnreachable,
    5: ConnectionRefused,
    6: ConnectTimeout,
}
"""RFC 1928 §6, the replies that speak of the target."""

_STATUS_LINE = b"HTTP/1."
"""How every answer of an HTTP/1 proxy begins (RFC 9112 §4)."""

_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9]{2})[ \r\n]")
"""A whole status line, as far as it tells something (RFC 9112 §4)."""


async def socks5(sock: DialledSocket, via: Via, target: Endpoint, *, timeout_s: float, own_s: float) -> None:
    """Have a SOCKS5 proxy connect to ``target`` over ``sock``.

    Args:
        timeout_s: seconds for the target; ``own_s``: for the proxy's own words before and after.
    Raises:
        SourceUnavailable: the proxy does not behave like one. ProxyRefused: it refuses us, or the target.
        ConnectTimeout, ConnectionRefused, HostUnreachable: the target's side, as the proxy reports it.
    Source: RFC 1928, RFC 1929.
    """
    await greet_socks5(sock, via, timeout_s=own_s)
    address = ip_address(target.host)
    kind = b"\x01" if address.version == 4 else b"\x04"
    await _send(sock, b"\x05\x01\x00" + kind + address.packed + target.port.to_bytes(2, "big"), via)
    version = await _answer_begins(sock, via, target, timeout_s)
    async with _own_words(via, own_s, "did not finish its answer"):
        reply = await _socks_reply(sock, via, version)
    if reply != 0:
        if error := _SOCKS_TARGET_ERRORS.get(reply):
            raise error(f"{target} could not be reached through the proxy {via}", detail=f"SOCKS reply {reply}")
        raise ProxyRefused(f"the proxy {via} refused to connect to {target} (SOCKS reply {reply})", reason="refused")


async def _socks_reply(sock: DialledSocket, via: Via, version: bytes) -> int:
    """The reply code, with the bound address behind it read away, whatever its form (RFC 1928 §6)."""
    reply, _, form = await _read(sock, 3, via)
    match form:
        case 1:
            size = 4
        case 3:
            size = (await _read(sock, 1, via))[0]
        case 4:
            size = 16
        case _:
            size = -1
    if version != b"\x05" or size < 0:
        raise SourceUnavailable(f"{via} is not a SOCKS5 proxy", reason="not_a_proxy")
    await _read(sock, size + 2, via)
    return reply


async def greet_socks5(sock: DialledSocket, via: Via, *, timeout_s: float) -> None:
    """Be accepted by a SOCKS5 proxy, before any target is named.

    Raises:
        SourceUnavailable, ProxyRefused.
    """
    async with _own_words(via, timeout_s, "accepted the connection and stays silent"):
        await _send(sock, b"\x05\x02\x00\x02" if via.username else b"\x05\x01\x00", via)
        version, method = await _read(sock, 2, via)
        if version != 5:
            raise SourceUnavailable(f"{via} is not a SOCKS5 proxy", reason="not_a_proxy")
        if method == 2 and via.username:
            user, password = via.username.encode(), via.password.encode()
            await _send(sock, b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password, via)
            if (await _read(sock, 2, via))[1] != 0:
                raise ProxyRefused(f"the proxy {via} refused our user name or password", reason="authentication")
        elif method != 0:
            raise ProxyRefused(
                f"the proxy {via} wants an authentication that it was not given", reason="authentication"
            )


async def http_connect(sock: DialledSocket, via: Via, target: Endpoint, *, timeout_s: float, own_s: float) -> None:
    """Have an HTTP proxy connect to ``target`` over ``sock``.

    Args:
        As ``socks5``.
    Raises:
        As ``socks5``. A 5xx means that the proxy tried and the target failed; so does silence, since HTTP has no
            greeting by which a proxy that is ill could be told from one that waits for the target.
    Source: RFC 9110 §9.3.6.
    """
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if via.username:
        token = base64.b64encode(f"{via.username}:{via.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {token}")
    await _send(sock, ("\r\n".join(lines) + "\r\n\r\n").encode(), via)
    begun = await _answer_begins(sock, via, target, timeout_s)
    async with _own_words(via, own_s, "did not finish its answer"):
        answered = _STATUS.match(await _read_head(sock, via, begun))
    if answered is None:
        raise SourceUnavailable(f"{via} is not an HTTP proxy", reason="not_a_proxy")
    match int(answered[1]):
        case status if 200 <= status < 300:
            return
        case 401 | 407:
            # 407 is the right one; tinyproxy says 401 to a wrong password.
            raise ProxyRefused(f"the proxy {via} refused our user name or password", reason="authentication")
        case 504:
            raise ConnectTimeout(f"{target} did not answer: the connection timed out (through the proxy {via})")
        case status if status >= 500:
            raise HostUnreachable(f"{target} could not be reached through the proxy {via}", detail=f"HTTP {status}")
        case status:
            raise ProxyRefused(f"the proxy {via} refused to connect to {target} (HTTP {status})", reason="refused")


async def _answer_begins(sock: DialledSocket, via: Via, target: Endpoint, timeout_s: float) -> bytes:
    """The first byte of the answer, which a proxy gives once it knows what became of the target.

    Raises:
        ConnectTimeout: it does not come.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _read(sock, 1, via)
    except TimeoutError as e:
        raise ConnectTimeout(f"{target} did not answer: the connection timed out (through the proxy {via})") from e


@asynccontextmanager
async def _own_words(via: Via, timeout_s: float, otherwise: str) -> AsyncGenerator[None]:
    """What depends on nobody but the proxy; if it takes too long, that is what the proxy did."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError as e:
        raise SourceUnavailable(f"the proxy {via} {otherwise}", reason="proxy_silent") from e


async def _read_head(sock: DialledSocket, via: Via, begun: bytes) -> bytes:
    """The response head, byte by byte past its status line: not a byte of the target's may be taken."""
    head = bytearray(begun)
    while not head.endswith(b"\r\n\r\n"):
        # Seen at its first byte, since whatever else this is may never send an empty line.
        if len(head) > 16 * 1024 or not _STATUS_LINE.startswith(head[: len(_STATUS_LINE)]):
            raise SourceUnavailable(f"{via} is not an HTTP proxy", reason="not_a_proxy")
        head += await _read(sock, 1, via)
    return bytes(head)


async def _send(sock: DialledSocket, data: bytes, via: Via) -> None:
    try:
        await asyncio.get_running_loop().sock_sendall(sock, data)
    except OSError as e:
        raise SourceUnavailable(f"the proxy {via} closed the connection", reason="proxy_down") from e


async def _read(sock: DialledSocket, size: int, via: Via) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        try:
            chunk = await loop.sock_recv(sock, size - len(data))
        except OSError as e:
            raise SourceUnavailable(f"the proxy {via} closed the connection", reason="proxy_down") from e
        if not chunk:
            raise SourceUnavailable(f"the proxy {via} closed the connection", reason="proxy_down")
        data += chunk
    return data
