"""HTTP over the dialer: an httpx client whose every connection leaves as meant.

httpx gets a transport around httpcore's pool with our network backend, so CalDAV, redirects and
webhooks have no other way out. Environment proxies and ``.netrc`` are not read.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

import httpcore
import httpx

from mooring.config import SourceConfig
from mooring.egress.dialer import Dialer
from mooring.egress.stream import DialledStream
from mooring.egress.types import Dial
from mooring.net.tls import SSLContext, client_context

MakeDial = Callable[[str, int], Dial]
"""From (host, port) to the dial on whose behalf a request is made."""

OpenStream = Callable[[str, int], Awaitable[DialledStream]]
"""From (host, port) to an open connection."""


def http_client(
    dialer: Dialer,
    make_dial: MakeDial,
    *,
    source: SourceConfig | None = None,
    opened: Callable[[DialledStream], None] | None = None,
    timeout_s: float = 30.0,
    keepalive: int = 2,
    at_once: int = 10,
) -> httpx.AsyncClient:
    """A client that leaves by the dialer and follows no redirect by itself.

    Failures of the way out are raised as our own (``NetworkError``, ``EgressError``, ``TargetNotAllowed``),
    not as httpx's. Whoever makes the client closes it, and makes one for each account: a connection that was
    opened for one must never carry another's request.

    Args:
        source: the one source of the environment to leave by; None lets the dialer choose.
        opened: told of every connection.
        keepalive: connections that are kept open between requests.
        at_once: connections that are open at a time; one that idles is closed before another is dialled.
    """

    async def open_stream(host: str, port: int) -> DialledStream:
        dial = make_dial(host, port)
        stream = await (dialer.dial(dial) if source is None else dialer.dial_from(dial, source))
        if opened is not None:
            opened(stream)
        return stream

    return http_over(
        open_stream, tls_s=dialer.timeouts.tls_s, timeout_s=timeout_s, keepalive=keepalive, at_once=at_once
    )


def http_over(
    open_stream: OpenStream, *, tls_s: float, timeout_s: float = 30.0, keepalive: int = 2, at_once: int = 10
) -> httpx.AsyncClient:
    """As ``http_client``, over connections that somebody else dials.

    Args:
        open_stream: gives a connection to (host, port); on one with TLS already, it is not begun a second time.
        tls_s: seconds for a handshake.
    """
    return httpx.AsyncClient(
        transport=_Transport(open_stream, tls_s, keepalive, at_once),
        timeout=timeout_s,
        follow_redirects=False,
        trust_env=False,
    )


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, open_stream: OpenStream, tls_s: float, keepalive: int, at_once: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=client_context(),
            network_backend=_Backend(open_stream, tls_s),
            max_connections=at_once,
            max_keepalive_connections=keepalive,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        wire = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=cast("AsyncIterator[bytes]", request.stream),
            extensions=request.extensions,
        )
        with _protocol_errors(request):
            response = await self._pool.handle_async_request(wire)
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response, request),
            extensions=cast("dict[str, Any]", response.extensions),
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _protocol_errors(self._request):
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _protocol_errors(request: httpx.Request) -> Generator[None]:
    """What is left for httpx's own errors: a peer that breaks HTTP, and a URL that is none of HTTP's."""
    try:
        yield
    except httpcore.UnsupportedProtocol as e:
        raise httpx.UnsupportedProtocol(str(e), request=request) from e
    except httpcore.TimeoutException as e:
        raise httpx.ReadTimeout(str(e), request=request) from e
    except (httpcore.ProtocolError, httpcore.NetworkError) as e:
        raise httpx.RemoteProtocolError(str(e), request=request) from e


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, open_stream: OpenStream, tls_s: float) -> None:
        self._open_stream = open_stream
        self._tls_s = tls_s

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _NetworkStream(await self._open_stream(host, port), self._tls_s)

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        raise NotImplementedError("only the dialer connects, and it dials hosts")

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError("a failed dial is not tried again from here")


class _NetworkStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: DialledStream, tls_s: float) -> None:
        self._stream = stream
        self._tls_s = tls_s
        self._unread = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._unread or await self._stream.receive(timeout_s=timeout)
        self._unread = data[max_bytes:]
        return data[:max_bytes]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            await self._stream.send(buffer, timeout_s=timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        if self._stream.tls is None:
            await self._stream.start_tls(timeout_s=self._tls_s)
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._stream.finished
        return self._stream.tls if info == "ssl_object" else None
