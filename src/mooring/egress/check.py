"""Whether every source works, and whether the outside sees what is published."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import httpx

from mooring.config import IPAddress, PoolConfig, SourceConfig
from mooring.egress.dialer import Dialer
from mooring.egress.guard import GuardMode, GuardState
from mooring.egress.http import http_client
from mooring.egress.types import Caller, Dial, Traffic
from mooring.errors import EgressError, InvalidRequest, MooringError

_ADDRESS = re.compile(r"[0-9a-fA-F:.]{3,45}")

REFLECTED = 4096
"""Bytes of an answer in which the address must be."""
REFLECTOR_S = 40.0
"""Seconds for one answer, the way there included."""

ADMITTED, NOT_ADMITTED = "admitted", "not_admitted"

CALLER = Caller(application_id="", subject="egress-check")


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What was found out about one source.

    Attributes:
        seen: the address that the reflector saw; "" without one, or when it could not be asked.
        guard: ``admitted`` or ``not_admitted`` by the kernel's guard; else the guard's mode: that it does not judge, or
            that nobody can say. Of a proxy always the mode.
    """

    environment: str
    source: str
    published: str
    seen: str
    ok: bool
    verdict: str
    guard: str


async def check_sources(
    dialer: Dialer, pools: Sequence[PoolConfig], reflector: str, guard: GuardState
) -> list[SourceCheck]:
    """Check each source of each pool, all at once.

    Args:
        reflector: a URL that answers with the caller's address; "" checks only that the source can be used.
        guard: what is known of the kernel's guard.
    Raises:
        InvalidRequest: the reflector is no URL.
    """
    if reflector and not _is_url(reflector):
        raise InvalidRequest(f"{reflector!r} is not a URL of a reflector, such as https://host/reflect.")
    checks = (_check(dialer, pool, source, reflector, guard) for pool in pools for source in pool.sources)
    return await asyncio.gather(*checks)


async def _check(
    dialer: Dialer, pool: PoolConfig, source: SourceConfig, reflector: str, guard: GuardState
) -> SourceCheck:
    published = str(source.address)
    guarded = _guarded(source, guard)

    def found(verdict: str, *, ok: bool, seen: str = "") -> SourceCheck:
        return SourceCheck(str(pool.environment), source.name, published, seen, ok, verdict, guarded)

    if guarded == NOT_ADMITTED:
        # Asked first: what the kernel drops would look like a reflector that is silent.
        dropped = " and are dropped" if guard.mode is GuardMode.DROPPING else ""
        return found(
            f"is not admitted by the kernel's guard, so its connections are leaks{dropped}. "
            "Have it applied anew: mooring egress guard --apply",
            ok=False,
        )
    if not reflector:
        try:
            await dialer.try_out(source)
        except EgressError as e:
            return found(f"cannot be used: {_told(e)}", ok=False)
        return found("can be used; a reflector would show what the outside sees", ok=True)

    def make_dial(host: str, port: int) -> Dial:
        return Dial(Traffic.PROBE, pool.environment, CALLER, host, port, tls=False)

    try:
        async with asyncio.timeout(REFLECTOR_S), http_client(dialer, make_dial, source=source) as http:
            status, text = await _ask(http, reflector)
    except EgressError as e:
        return found(f"cannot be used: {_told(e)}", ok=False)
    except MooringError as e:
        return found(f"the reflector could not be asked: {_told(e)}", ok=False)
    except TimeoutError:
        return found(f"the reflector did not finish its answer within {REFLECTOR_S:.0f} s", ok=False)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as e:
        # The last two are a Location that cannot be read; httpx reads it even when told not to follow it.
        return found(f"the reflector did not answer as one: {e}", ok=False)
    if not 200 <= status < 300:
        return found(f"the reflector answered {status} instead of an address", ok=False)
    seen = _seen(text)
    if seen is None:
        return found("the reflector's answer holds no address", ok=False)
    if seen != source.address:
        return found(f"is published as {published}, and seen as {seen}", ok=False, seen=str(seen))
    return found("is seen as published", ok=True, seen=str(seen))


def _guarded(source: SourceConfig, guard: GuardState) -> str:
    local = source.via.local
    if local is None or not guard.mode.applied:
        return guard.mode
    return ADMITTED if local in guard.sources else NOT_ADMITTED


def _told(error: MooringError) -> str:
    """What is wrong, and what to do about it."""
    return f"{error.message}. {error.hint}" if error.hint else error.message


def _is_url(text: str) -> bool:
    try:
        url = httpx.URL(text)
        return url.scheme in {"http", "https"} and bool(url.host)
    except (httpx.InvalidURL, ValueError):  # ValueError: a host such as "xn--a" cannot be read
        return False


async def _ask(http: httpx.AsyncClient, reflector: str) -> tuple[int, str]:
    """The status and the beginning of the answer, however long that goes on."""
    # Whatever is packed could unpack to any size before it is looked at.
    async with http.stream("GET", reflector, headers={"Accept-Encoding": "identity"}) as answer:
        told = b""
        async for chunk in answer.aiter_raw():
            told += chunk
            if len(told) >= REFLECTED:
                break
        return answer.status_code, told[:REFLECTED].decode("utf-8", "replace")


def _seen(text: str) -> IPAddress | None:
    """The first address in an answer; a reflector that listens on both families spells IPv4 as ``::ffff:…``."""
    for word in _ADDRESS.findall(text):
        try:
            address = ip_address(word.rstrip("."))
        except ValueError:
            continue
        return getattr(address, "ipv4_mapped", None) or address
    return None
