"""A Mooring whose dashboard has something to show: applications, accounts, connections, and people who may look."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import uuid4

from mooring.applications import Application, Applications, StaticIps
from mooring.clock import SystemClock
from mooring.config import Carrier, EnvironmentName, Generation, Kind, SourceConfig, Via
from mooring.egress import Caller, Dial, Outcome, Traffic
from mooring.egress import repository as ledger
from mooring.egress.types import Intent, Settlement
from mooring.grants import Grant
from mooring.moves import MoveStep, advance, open_of
from mooring.operators import Operators, Passwords
from mooring.store import Database
from mooring.vault import Vault
from tests.browser.mail_host import Served, served_mail_host
from tests.browser.serving import DYNAMIC, PORT, STATIC, configuration, served_api
from tests.store.grant_house import PASSWORD, House, open_house

OPERATOR, ADMIN = "olga@operator.test", "Adam of Acme"
OPERATORS_PASSWORD, ADMINS_PASSWORD = "nine grey herons", "seven calm harbours"
SECRETS = (PASSWORD, OPERATORS_PASSWORD, ADMINS_PASSWORD)
"""What no page may ever show."""


@dataclass
class DashboardHouse:
    """What a test knows of it.

    Attributes:
        acme: has accounts, and asked for static IPs; other: another application, with an account of its own.
        vera, walt: accounts of a v2 application that a move in two steps has stopped.
        dunes, estuary: applications whose accounts move together.
        mail_host: admits one of the two static addresses, and drops all others.
    """

    folder: Path
    database_url: str
    acme: Application
    other: Application
    ann: Grant
    failing: Grant
    eve: Grant
    vera: Grant
    walt: Grant
    dunes: Application
    estuary: Application
    mail_host: Served

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{PORT}/dashboard"

    @property
    def log(self) -> str:
        """Everything that the process has said."""
        return (self.folder / "mooring.log").read_text()

    def path(self, template: str) -> str:
        """A page's path: an application or an account is named by its name here, in braces."""
        return template.format(**{key: getattr(value, "id", "") for key, value in vars(self).items()})

    def do(self, work: Any) -> Any:
        """Do something with its database: ``work`` takes it and is awaited."""

        async def done() -> Any:
            database = await Database.open(self.database_url, max_size=2)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(done())

    def ask_again(self) -> None:
        """Have Acme's request for static IPs be there, and nothing decided."""

        async def work(database: Database) -> None:
            await database.execute("DELETE FROM moves WHERE application_id = $1", self.acme.id)
            await database.execute("DELETE FROM batches WHERE application_id = $1", self.acme.id)
            await database.execute("DELETE FROM static_ips_changes WHERE application_id = $1", self.acme.id)
            await database.execute("UPDATE applications SET static_ips = 'off' WHERE id = $1", self.acme.id)
            applications = Applications(database, Vault.load(self.folder / "mooring.keys"))
            async with database.transaction() as tx:
                await applications.change_static_ips(
                    tx, self.acme.id, lambda _: StaticIps.REQUESTED, by="application",
                    note="mail.bank.test drops what it does not know",
                )  # fmt: skip

        self.do(work)

    def connects(self, *, failed: bool = False, traffic: Traffic = Traffic.SYNC) -> None:
        """Have one more connection be made for Ann's account, just now."""

        async def work(database: Database) -> None:
            outcome = Outcome.FAILED if failed else Outcome.OPENED
            await _connections(database, self.ann, [(0, 0, traffic, Kind.DYNAMIC, DYNAMIC[0], outcome)])

        self.do(work)

    def go_on(self, application: Application, step: MoveStep, moves: int) -> None:
        """Have so many of the application's moves that have not ended take this step."""
        self.do(lambda database: _go_on(database, application, step, moves))

    def can_be_started_in(self, grant: Grant, seconds: float) -> None:
        """Have the delay of the account's move pass in so many seconds from now."""

        async def work(database: Database) -> None:
            await database.execute(
                "UPDATE moves SET due_at = $2 WHERE grant_id = $1", grant.id,
                datetime.now(UTC) + timedelta(seconds=seconds),
            )  # fmt: skip

        self.do(work)


@contextmanager
def opened_house(folder: Path, database_url: str) -> Generator[DashboardHouse]:
    """The house, with ``mooring api`` serving it, for as long as the block lasts; it ends clean, without a defect."""
    with served_mail_host(folder, STATIC[:1]) as mail_host:
        (folder / "mooring.toml").write_text(configuration(database_url, mail_host.control))
        house = asyncio.run(_furnish(folder, database_url, mail_host))
        with served_api(folder, mail_host.trust):
            yield house


async def _furnish(folder: Path, database_url: str, mail_host: Served) -> DashboardHouse:
    database = await Database.open(database_url, max_size=4)
    try:
        house = await open_house(database, folder)
        acme = house.application
        await database.execute("UPDATE applications SET name = 'Acme Calendar' WHERE id = $1", acme.id)
        made = await house.applications.create(name="Borealis CRM", generation=Generation.V3, region="us")
        other = made.application
        await house.feature.decide(other.id, StaticIps.ON, by="operator olga@operator.test", note="contract 7")
        eve, _ = await house.connect(application=other, email="eve@borealis.test", name="Eve")
        ann, failing = await _people_of_acme(house)
        clock = SystemClock()
        operators = Operators(database, house.applications, clock, Passwords())
        await operators.create(name=OPERATOR, password=OPERATORS_PASSWORD)
        await operators.create(name=ADMIN, password=ADMINS_PASSWORD, application_id=acme.id)
        await _history(database, ann)
        await house.applications.create(name="Fjord Desk", generation=Generation.V3, region="us")
        vera, walt = await _stopped_by_a_move(house)
        dunes, estuary = await _moving(house, "Dunes", accounts=12), await _moving(house, "Estuary", accounts=2)
        furnished = DashboardHouse(
            folder, database_url, acme, other, ann, failing, eve, vera, walt, dunes, estuary, mail_host
        )  # fmt: skip
        await _go_on(database, dunes, MoveStep.TAKEN_UP, 5)
        await _go_on(database, dunes, MoveStep.MOVED, 3)
        await _go_on(database, dunes, MoveStep.REFUSED, 1)
        return furnished
    finally:
        await database.close()


async def _people_of_acme(house: House) -> tuple[Grant, Grant]:
    """Thirty accounts, the last of them Ann's: most in step, one failing, one whose password was changed."""
    made: list[Grant] = []
    for number in range(29):
        grant, _ = await house.connect(email=f"person{number:02}@example.test")
        made.append(grant)
        if number != 3:
            await house.db.execute("UPDATE grants SET synced_at = now() WHERE id = $1", grant.id)
        if number == 28:
            await house.db.execute(
                "UPDATE grants SET sync_error = $2 WHERE id = $1", grant.id,
                {"message": "imap.example.test did not answer from 127.0.22.1.", "stage": "connect",
                 "reason": "timeout", "host": "imap.example.test", "port": 993, "source": DYNAMIC[0],
                 "environment": "dynamic", "class": "sync", "server_said": ""},
            )  # fmt: skip
        if number == 27:
            await house.db.execute("UPDATE grants SET status = 'invalid' WHERE id = $1", grant.id)
    ann, _ = await house.connect(name="Ann Archer")
    await house.db.execute("UPDATE grants SET synced_at = now() WHERE id = $1", ann.id)
    return ann, made[28]


async def _stopped_by_a_move(house: House) -> tuple[Grant, Grant]:
    """Two accounts of a v2 application with static IPs, each after its first authentication."""
    made = await house.applications.create(name="Cascade Mail", generation=Generation.V2, region="us")
    await house.feature.decide(made.application.id, StaticIps.ON, by="operator olga@operator.test")
    vera, _ = await house.connect(application=made.application, email="vera@cascade.test")
    walt, _ = await house.connect(application=made.application, email="walt@cascade.test")
    return vera, walt


async def _moving(house: House, name: str, *, accounts: int) -> Application:
    """An application whose accounts were all just told to move to static addresses."""
    application = (await house.applications.create(name=name, generation=Generation.V3, region="us")).application
    for number in range(accounts):
        await house.connect(application=application, email=f"person{number:02}@{name.lower()}.test")
    return (await house.feature.decide(application.id, StaticIps.ON, by="operator olga@operator.test"))[0]


async def _go_on(database: Database, application: Application, step: MoveStep, moves: int) -> None:
    """Have so many of the application's moves take a step, and arrive if it is that one."""
    async with database.transaction() as tx:
        rows = await tx.fetch(
            "SELECT grant_id FROM moves WHERE application_id = $1 AND ended_at IS NULL ORDER BY grant_id LIMIT $2",
            application.id, moves,
        )  # fmt: skip
        for row in rows:
            move = await open_of(tx, row["grant_id"])
            assert move is not None
            await advance(tx, move, step)
            if step is MoveStep.MOVED:
                await tx.execute("UPDATE grants SET environment = $2 WHERE id = $1", move.grant_id, str(move.target))


async def _history(database: Database, ann: Grant) -> None:
    """An hour of Ann's: authenticated from a static address, then kept in step from a dynamic one, with failures."""
    opened, failed = Outcome.OPENED, Outcome.FAILED
    static, dynamic, first, second, third = Kind.STATIC, Kind.DYNAMIC, *STATIC, *DYNAMIC
    rows: list[tuple[float, float, Traffic, Kind, str, Outcome]] = [
        (58, 57.5, Traffic.AUTH, static, first, opened),
        (57.4, 57, Traffic.AUTH, static, second, opened),
        (55, 40, Traffic.SYNC, dynamic, third, opened),
        (39, 39, Traffic.SYNC, dynamic, third, failed),
        (37, 37, Traffic.SYNC, dynamic, third, failed),
        (33, 20, Traffic.SYNC, dynamic, third, opened),
        (18, 18, Traffic.LIVE, dynamic, "", Outcome.NOT_DIALLED),
        (12, 11, Traffic.SEND, dynamic, third, opened),
        (8, 0, Traffic.SYNC, dynamic, third, opened),
    ]
    rows += [(56 - number / 2, 55.9 - number / 2, Traffic.LIVE, dynamic, third, opened) for number in range(60)]
    await _connections(database, ann, rows)
    await ledger.assign_source(database, ann.subject, "v3-us-dynamic", 4, "v3-us-dynamic-1")


async def _connections(
    database: Database, grant: Grant, rows: list[tuple[float, float, Traffic, Kind, str, Outcome]]
) -> None:
    """Write rows of the ledger: from and until in minutes ago (0: not ended), class, kind, address, outcome."""
    now = datetime.now(UTC)
    for began, ended, traffic, kind, address, outcome in rows:
        dial = Dial(
            traffic, EnvironmentName(Generation.V3, "us", kind),
            Caller(grant.application_id, grant.subject, grant.id), "imap.example.test", 993, tls=True,
        )  # fmt: skip
        source = None
        if address:
            number = [*STATIC, *DYNAMIC].index(address) % 2 + 1
            via = Via(Carrier.SOCKS5, host="10.0.0.1", port=1080, username="u", password="a-proxy-password")
            source = SourceConfig(f"v3-us-{kind}-{number}", ip_address(address), via)
        at, identity = now - timedelta(minutes=began), uuid4()
        await ledger.insert_intents(
            database, [Intent(identity, at, dial, source, "192.0.2.7", "sticky", Outcome.INTENDED)]
        )
        made = outcome is Outcome.OPENED
        settlement = Settlement(
            identity, at, outcome, phase="" if made else "connect", cause="" if made else "timeout",
            connect_ms=21.4 if made else None, closed_at=now - timedelta(minutes=ended) if ended and made else None,
        )  # fmt: skip
        await ledger.settle(database, [settlement])
