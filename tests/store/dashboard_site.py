"""The dashboard over real rooms, without a browser: two applications, an account of each, and who may look."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
from argon2 import PasswordHasher

from mooring.allowlist import Allowlist
from mooring.applications import Application
from mooring.clock import SystemClock
from mooring.config import EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.config.types import Carrier
from mooring.dashboard import Services, create_dashboard
from mooring.egress import Caller, Dial, Ledger, Traffic, assigned_sources
from mooring.egress import repository as ledger
from mooring.egress.types import Intent
from mooring.grants import Grant
from mooring.operators import Operators, Passwords
from mooring.reports import Reports
from mooring.store import Database
from tests.store.diagnosis_house import Process, process_of
from tests.store.grant_house import House, open_house

HERONS = "nine grey herons"
PROXYS = "a-proxy-password"
STATIC = EnvironmentName(Generation.V3, "us", Kind.STATIC)
DYNAMIC = EnvironmentName(Generation.V3, "us", Kind.DYNAMIC)
SOURCE = SourceConfig(
    "v3-us-static-1", ip_address("203.0.113.10"), Via(Carrier.SOCKS5, host="gw", port=1, username="u", password=PROXYS)
)
OTHER = SourceConfig("v3-us-dynamic-1", ip_address("198.51.100.7"), Via(Carrier.BIND))


@dataclass
class Site:
    """A dashboard, and what it is over.

    Attributes:
        acme, other: applications; ann and eve: an account of each.
        diagnosing: carries diagnoses out, while it runs.
    """

    house: House
    services: Services
    app: Any
    acme: Application
    other: Application
    ann: Grant
    eve: Grant
    diagnosing: Process

    def browser(self, address: str = "192.0.2.7") -> "Browser":
        transport = httpx.ASGITransport(app=self.app, client=(address, 4711))
        return Browser(httpx.AsyncClient(transport=transport, base_url="http://dashboard.test"))

    async def signed_in(self, name: str) -> "Browser":
        browser = self.browser()
        answer = await browser.sign_in(name, HERONS)
        assert answer.status_code == 303, answer.text
        return browser


@dataclass
class Browser:
    """Keeps cookies, and fills in forms."""

    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(f"/dashboard{path}", headers=headers)

    async def token(self, path: str) -> str:
        """The token in the forms of a page."""
        found = re.search(r'name="form_token" value="([^"]+)"', (await self.get(path)).text)
        assert found
        return found[1]

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.client.post(f"/dashboard{path}", data=fields)

    async def sign_in(self, name: str, password: str, **fields: str) -> httpx.Response:
        form_token = await self.token("/sign-in")
        return await self.post("/sign-in", **{"form_token": form_token, "name": name, "password": password, **fields})

    async def decide(self, application: Application, wanted: str, note: str = "") -> httpx.Response:
        form_token = await self.token("/lists")
        return await self.post(
            f"/applications/{application.id}/static-ips", form_token=form_token, wanted=wanted, note=note
        )


@asynccontextmanager
async def opened_site(database: Database, tmp_path: Path) -> AsyncGenerator[Site]:
    """The site, for as long as the block lasts."""
    house = await open_house(database, tmp_path)
    other = (await house.applications.create(name="Borealis", generation=Generation.V3, region="us")).application
    (ann, _), (eve, _) = await house.connect(), await house.connect(application=other, email="eve@example.test")
    clock = SystemClock()
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    operators = Operators(database, house.applications, clock, Passwords(cheap))
    await operators.create(name="olga", password=HERONS)
    await operators.create(name="adam", password=HERONS, application_id=house.application.id)
    pools = (PoolConfig(STATIC, (SOURCE,)), PoolConfig(DYNAMIC, (OTHER,)))
    allowlist = Allowlist(database, pools)
    await allowlist.publish()
    for grant in (ann, eve):
        dial = Dial(
            Traffic.AUTH, STATIC, Caller(grant.application_id, grant.subject, grant.id), f"imap.of-{grant.email}", 993,
            tls=True,
        )  # fmt: skip
        await ledger.insert_intents(database, [Intent(uuid4(), datetime.now(UTC), dial, SOURCE, "192.0.2.1", "sticky")])
        await ledger.assign_source(database, grant.subject, str(DYNAMIC), 4, OTHER.name)

    stopping = asyncio.Event()
    diagnosing = process_of(house)
    services = Services(
        operators=operators, applications=house.applications, feature=house.feature, grants=house.grants,
        placements=house.placements, ledger=Ledger(database, clock, timedelta(days=1)), allowlist=allowlist,
        diagnoses=diagnosing.diagnoses, reports=Reports(allowlist.list_of, "https://mooring.test", clock),
        sources=partial(assigned_sources, database), environments=[STATIC, DYNAMIC],
        addresses={source.name: str(source.address) for source in (SOURCE, OTHER)},
        clock=clock, secure=False, stopping=stopping,
    )  # fmt: skip
    yield Site(house, services, cast("Any", create_dashboard(services)), house.application, other, ann, eve, diagnosing)
    stopping.set()
