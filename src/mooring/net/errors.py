"""From what the operating system and OpenSSL raise to our tree: the only place that knows both."""

import errno
import os
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager

from mooring.errors import (
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    HostUnreachable,
    NameNotFound,
    NetworkError,
    Phase,
    ReadTimeout,
    ResolverTimeout,
    TLSFailed,
    WriteTimeout,
)

_TIMEOUTS: dict[Phase, type[NetworkError]] = {
    Phase.RESOLVE: ResolverTimeout,
    Phase.CONNECT: ConnectTimeout,
    Phase.READ: ReadTimeout,
    Phase.WRITE: WriteTimeout,
}
_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.ENOPROTOOPT})
_TLS_RECORDS = frozenset({20, 21, 22, 23})
"""What a peer that speaks TLS can begin with (RFC 8446 §5.1)."""
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY, socket.EAI_SERVICE})
"""What the resolver knows for sure. All else (no answer, no memory, no free descriptor) says nothing of the name."""


@contextmanager
def phase(current: Phase, peer: str) -> Generator[None]:
    """Turn whatever fails inside into the NetworkError of this phase; ours pass unchanged.

    Args:
        peer: ``host:port`` for the message.
    """
    try:
        yield
    except TimeoutError as e:
        raise timed_out(current, peer) from e
    except (OSError, EOFError) as e:
        raise translate(e, current, peer) from e


def timed_out(current: Phase, peer: str) -> NetworkError:
    """The time-out of this phase."""
    if current is Phase.TLS:
        return TLSFailed(f"{peer} accepted the connection and then did not answer the TLS handshake", reason="timeout")
    what = {
        Phase.RESOLVE: f"no name server answered for {peer} in time",
        Phase.CONNECT: f"{peer} did not answer: the connection timed out",
        Phase.READ: f"{peer} stayed silent for too long",
        Phase.WRITE: f"{peer} took no more data",
    }[current]
    return _TIMEOUTS[current](what)


def translate(error: OSError | EOFError, current: Phase, peer: str) -> NetworkError:
    """The NetworkError that this exception means in this phase."""
    if current is Phase.TLS:
        return _tls(error, peer)
    if isinstance(error, socket.gaierror):
        return _resolver(error, peer)
    number = getattr(error, "errno", None)
    # The system's own words: asyncio puts the address, which we name better, in their place.
    detail = os.strerror(number) if number and not isinstance(error, ssl.SSLError) else str(error)
    if current is Phase.CONNECT:
        if number == errno.ECONNREFUSED:
            return ConnectionRefused(f"{peer} refused the connection", detail=detail)
        if number == errno.ETIMEDOUT:
            return timed_out(current, peer)
        if number in _UNREACHABLE:
            return HostUnreachable(f"{peer} cannot be reached: {detail}", detail=detail)
    if number == errno.ETIMEDOUT:
        return timed_out(current, peer)
    return ConnectionLost(f"{peer} closed the connection", detail=detail)


def _resolver(error: socket.gaierror, peer: str) -> NetworkError:
    if error.errno in _NO_SUCH_NAME:
        return NameNotFound(f"the name of {peer} has no address", detail=error.strerror or "")
    return ResolverTimeout(f"the name of {peer} could not be looked up just now", detail=error.strerror or "")


def _tls(error: OSError | EOFError, peer: str) -> TLSFailed:
    """Certificate, wrong protocol, alert and silence are four different stories."""
    heard: bytes = getattr(error, "heard", b"")
    told = _tls_story(error, peer, is_tls=not heard or heard[0] in _TLS_RECORDS)
    told.certificate, told.heard = getattr(error, "certificate", b""), heard
    return told


def _tls_story(error: OSError | EOFError, peer: str, *, is_tls: bool) -> TLSFailed:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TLSFailed(
            f"the certificate of {peer} does not verify: {error.verify_message}",
            reason="certificate",
            detail=error.verify_message,
        )
    if isinstance(error, ssl.SSLError):
        name = (error.reason or "").upper()
        if not is_tls or name in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
            return TLSFailed(f"{peer} does not speak TLS on this port", reason="not_tls", detail=name)
        if "UNEXPECTED_EOF" in name or isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError):
            return TLSFailed(f"{peer} closed the connection during the TLS handshake", reason="closed", detail=name)
        return TLSFailed(f"the TLS handshake with {peer} failed: {name or error}", reason="alert", detail=name)
    return TLSFailed(f"{peer} closed the connection during the TLS handshake", reason="closed", detail=str(error))
