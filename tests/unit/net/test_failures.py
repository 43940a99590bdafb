"""What the operating system and OpenSSL raise, told by phase: each becomes the one error that it means."""

import errno
import socket
import ssl

import pytest

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
    SourceUnavailable,
    TLSFailed,
    WriteTimeout,
)
from mooring.net.errors import phase


def tls_error(reason: str, *, kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    error = kind(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


def bad_certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "failed")
    error.verify_message = "certificate has expired"
    return error


#: A phase, what is raised in it, and the error and reason that it becomes.
TABLE: list[tuple[Phase, BaseException, type[NetworkError], str]] = [
    (Phase.RESOLVE, socket.gaierror(socket.EAI_NONAME, "unknown"), NameNotFound, "name_not_found"),
    (Phase.RESOLVE, socket.gaierror(socket.EAI_NODATA, "no address"), NameNotFound, "name_not_found"),
    (Phase.RESOLVE, socket.gaierror(socket.EAI_AGAIN, "again"), ResolverTimeout, "timeout"),
    (Phase.RESOLVE, socket.gaierror(socket.EAI_FAIL, "failed"), ResolverTimeout, "timeout"),
    (Phase.RESOLVE, socket.gaierror(socket.EAI_SYSTEM, "no descriptors"), ResolverTimeout, "timeout"),
    (Phase.RESOLVE, socket.gaierror(socket.EAI_MEMORY, "no memory"), ResolverTimeout, "timeout"),
    (Phase.RESOLVE, TimeoutError(), ResolverTimeout, "timeout"),
    (Phase.CONNECT, TimeoutError(), ConnectTimeout, "timeout"),
    (Phase.CONNECT, OSError(errno.ETIMEDOUT, "timed out"), ConnectTimeout, "timeout"),
    (Phase.CONNECT, OSError(errno.ECONNREFUSED, "refused"), ConnectionRefused, "refused"),
    (Phase.CONNECT, OSError(errno.EHOSTUNREACH, "no way"), HostUnreachable, "unreachable"),
    (Phase.CONNECT, OSError(errno.ENETUNREACH, "no way"), HostUnreachable, "unreachable"),
    (Phase.CONNECT, OSError(errno.EACCES, "prohibited"), HostUnreachable, "unreachable"),
    (Phase.CONNECT, OSError(errno.ECONNRESET, "reset"), ConnectionLost, "closed"),
    (Phase.TLS, TimeoutError(), TLSFailed, "timeout"),
    (Phase.TLS, bad_certificate(), TLSFailed, "certificate"),
    (Phase.TLS, tls_error("WRONG_VERSION_NUMBER"), TLSFailed, "not_tls"),
    (Phase.TLS, tls_error("HTTP_REQUEST"), TLSFailed, "not_tls"),
    (Phase.TLS, tls_error("RECORD_LAYER_FAILURE"), TLSFailed, "not_tls"),
    (Phase.TLS, tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), TLSFailed, "alert"),
    (Phase.TLS, tls_error("UNEXPECTED_EOF_WHILE_READING"), TLSFailed, "closed"),
    (Phase.TLS, tls_error("", kind=ssl.SSLEOFError), TLSFailed, "closed"),
    (Phase.TLS, OSError(errno.ECONNRESET, "reset"), TLSFailed, "closed"),
    (Phase.READ, TimeoutError(), ReadTimeout, "timeout"),
    (Phase.READ, OSError(errno.ECONNRESET, "reset"), ConnectionLost, "closed"),
    (Phase.READ, EOFError(), ConnectionLost, "closed"),
    (Phase.READ, OSError(errno.ETIMEDOUT, "unacknowledged"), ReadTimeout, "timeout"),
    (Phase.WRITE, TimeoutError(), WriteTimeout, "timeout"),
    (Phase.WRITE, BrokenPipeError(errno.EPIPE, "pipe"), ConnectionLost, "closed"),
]


@pytest.mark.parametrize(("where", "raised", "expected", "reason"), TABLE)
def test_a_failure_is_told_by_its_phase(
    where: Phase, raised: BaseException, expected: type[NetworkError], reason: str
) -> None:
    with pytest.raises(NetworkError) as caught, phase(where, "mail.test:993"):
        raise raised
    assert type(caught.value) is expected
    assert caught.value.reason == reason
    assert "mail.test" in caught.value.message
    assert caught.value.__cause__ is raised


def test_our_own_errors_pass_unchanged() -> None:
    ours = SourceUnavailable("not here", reason="unplumbed")
    with pytest.raises(SourceUnavailable) as caught, phase(Phase.CONNECT, "mail.test:993"):
        raise ours
    assert caught.value is ours


@pytest.mark.parametrize(
    ("where", "raised", "detail"),
    [
        (Phase.CONNECT, OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
        (Phase.CONNECT, OSError(errno.EHOSTUNREACH, "Connect call failed ('127.0.0.1', 1)"), "No route to host"),
        (Phase.READ, ssl.SSLError(1, "bad record mac"), "bad record mac"),
        (Phase.READ, EOFError("the end"), "the end"),
    ],
)
def test_the_detail_is_in_the_systems_own_words(where: Phase, raised: BaseException, detail: str) -> None:
    with pytest.raises(NetworkError) as caught, phase(where, "mail.test:993"):
        raise raised
    assert detail in caught.value.detail
    assert "Connect call" not in f"{caught.value.detail} {caught.value.message}"
