"""How long a verdict takes: of a server that drops everything, of a healthy one, and of two hundred at once."""

import asyncio
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.installation import PORT, client
from bench.report import Finding, Series
from tests.lab import Dovecot, Laboratory, User
from tests.lab import addresses as at
from tests.lab.namespaces import SERVERS, inside, program, run
from tests.running import Running, configuration

STATIC = tuple(f"10.99.0.{n}" for n in range(201, 209))
STATIC6 = tuple(f"fd99::{n}" for n in range(201, 209))
DYNAMIC = ("10.99.0.211", "10.99.0.212")
DYNAMIC6 = ("fd99::211", "fd99::212")
CONNECT_S = 8.0
"""Seconds that a connection to one address may take (``egress.Timeouts.connect_s``)."""
HEALTHY_S = 1.5
ROUNDS = 5
AT_ONCE = 200
MANY_HOSTS = tuple(f"h{n}.many.test" for n in range(1, AT_ONCE + 1))
MANY_S = 30.0
"""Seconds for all of them: a person who waits gives up about then."""


def measure(lab: Laboratory) -> Iterator[Finding]:
    """Each in a Mooring of its own, so that none knows what another has just found out."""
    for address in (*STATIC, *STATIC6, *DYNAMIC, *DYNAMIC6):
        lab.network.plumb(address)
    user = lab.user("diagnosed")
    _ = lab.postfix
    yield _silent(lab)
    yield _healthy(lab, user)
    yield _many(lab)


def _silent(lab: Laboratory) -> Finding:
    lab.firewall.close()
    settings = {"imap_host": "dual.lab.test", "smtp_host": "dual.lab.test"}
    with _running(lab) as mooring, client(mooring) as api:
        data, took_s = _diagnosed(api, {"settings": settings, "services": ["imap", "smtp"]})
    lab.firewall.open()
    return Finding(
        "diagnosis-silent", "seconds to the verdict about a server that drops everything", took_s, "s",
        2 * CONNECT_S + 2, at_least=False, series=(),
        conditions=(
            f"8 static and 2 dynamic addresses of either family, IMAP and SMTP over IPv4 and IPv6: "
            f"{len(data['evidence'])} probes, verdict {data['verdict']['code']}"
        ),
    )  # fmt: skip


def _healthy(lab: Laboratory, user: User) -> Finding:
    login = {"imap_username": user.address, "imap_password": user.password}
    login |= {"smtp_username": user.address, "smtp_password": user.password}
    settings = {"imap_host": "imap.lab.test", "smtp_host": "smtp.lab.test", "smtp_port": 587, **login}
    times: list[float] = []
    codes: set[str] = set()
    with _running(lab) as mooring, client(mooring) as api:
        for _ in range(ROUNDS):
            data, took_s = _diagnosed(api, {"settings": settings, "services": ["imap", "smtp"]})
            times.append(took_s)
            codes.add(data["verdict"]["code"])
    return Finding(
        "diagnosis-healthy", "seconds to the verdict about a healthy server, logged in from both sides", max(times),
        "s", HEALTHY_S, at_least=False, series=(Series("from POST to the verdict", "s", tuple(times)),),
        conditions=f"IMAP to the inbox, SMTP to RCPT; the slowest of {ROUNDS}; verdict {', '.join(sorted(codes))}",
    )  # fmt: skip


def _many(lab: Laboratory) -> Finding:
    addresses = [f"10.99.3.{n}" for n in range(1, AT_ONCE + 1)]
    lines = [f"addr add {address}/32 dev lo" for address in addresses]
    ip = program("ip", package="iproute2")
    run(*inside(SERVERS), ip, "-batch", "-", stdin="\n".join(lines) + "\n")
    run(ip, "route", "add", "10.99.3.0/24", "via", at.SERVER)
    lab.names.update({host: (address,) for host, address in zip(MANY_HOSTS, addresses, strict=True)})
    shown = lab.authority.good(MANY_HOSTS, label="many")
    server = Dovecot(lab.root / "crowd", shown, addresses=addresses)
    server.server.start()
    try:
        with _running(lab) as mooring:
            times = asyncio.run(_all_at_once(mooring))
    finally:
        server.server.stop()
    return Finding(
        "diagnosis-many", f"seconds until the last of {AT_ONCE} diagnoses that were asked for at once", max(times), "s",
        MANY_S, at_least=False, series=(Series("from POST to the verdict", "s", tuple(sorted(times)[::20])),),
        conditions="a healthy server each, IMAP, all verdicts not_needed; every twentieth is shown",
    )  # fmt: skip


async def _all_at_once(mooring: Running) -> list[float]:
    headers = {"Authorization": f"Bearer {mooring.api_key}"}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=mooring.url, headers=headers, timeout=120, limits=limits) as api:

        async def one(host: str) -> float:
            began = time.monotonic()
            asked = await api.post("/v3/diagnoses", json={"host": host, "services": ["imap"]})
            path = f"/v3/diagnoses/{asked.raise_for_status().json()['data']['id']}?wait=60"
            data = (await api.get(path)).json()["data"]
            assert data["verdict"]["code"] == "not_needed", data
            return time.monotonic() - began

        return await asyncio.gather(*map(one, MANY_HOSTS))


def _diagnosed(api: httpx.Client, body: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """The diagnosis, and the seconds from asking for it to reading its verdict."""
    began = time.monotonic()
    asked = api.post("/v3/diagnoses", json=body).raise_for_status().json()["data"]
    data = api.get(f"/v3/diagnoses/{asked['id']}", params={"wait": 60}).raise_for_status().json()["data"]
    took_s = time.monotonic() - began
    assert data["state"] == "done", data
    return data, took_s


@contextmanager
def _running(lab: Laboratory) -> Generator[Running]:
    with tempfile.TemporaryDirectory(prefix="mooring-bench-") as folder:
        mooring = Running(Path(folder), PORT, lab.trust)
        static, dynamic = (*STATIC, *STATIC6), (*DYNAMIC, *DYNAMIC6)
        (mooring.folder / "mooring.toml").write_text(configuration(PORT, static=static, dynamic=dynamic))
        mooring.start()
        try:
            yield mooring
        finally:
            mooring.stop()
