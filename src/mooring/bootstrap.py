"""The wiring: every object of an installation, built once from its configuration. Nobody else builds any."""

import io
import logging
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TextIO, cast

import structlog

from mooring.allowlist import Allowlist
from mooring.applications import Applications, any_application
from mooring.calendars import CalendarReader
from mooring.clock import Clock, SystemClock
from mooring.config import Config, Generation, PoolConfig, StaticIpsPolicy
from mooring.diagnosis import (
    Authenticating,
    Carrying,
    Diagnoses,
    DiagnosisPolicy,
    Exit,
    Followers,
    Hindsight,
    LedgerMemory,
    Means,
    NetworkProber,
    Question,
    Raiser,
    Rhythm,
    Runner,
    SharedBudget,
    Watcher,
    Watches,
    detecting,
    exits_for,
    guessing,
    scopes_of,
)
from mooring.egress import (
    Berths,
    Dialer,
    DialerPolicy,
    GuardFile,
    Ledger,
    Part,
    SharedResolver,
    Shares,
    arm_tripwire,
    berth_counts,
    check_kernel,
    check_plumbing,
    database_endpoints,
    listener_endpoints,
    part_of,
)
from mooring.errors import ConfigError
from mooring.events import Recorded, read
from mooring.grants import Draining, Feature, Grants, Handover, Keys, MovePolicy, Placements, Sessions, Tokens
from mooring.jobs import Holder
from mooring.mail import MailReader
from mooring.net.records import NameServers
from mooring.operators import Operators, Passwords
from mooring.providers import Detection
from mooring.reports import Reports
from mooring.send import CopyKeeper, Sender
from mooring.store import Database, EmbeddedPostgres, ObjectStore, StoreUnavailable, migrate
from mooring.sync import Calendars, LiveCalendars, LiveReader, Mailbox, Offsets, Worker
from mooring.vault import Vault
from mooring.webhooks import Deliverer, Feed, Objects, Webhooks

POOL_CONNECTIONS = 10
"""Database connections of one process; 100 are there for all (embedded)."""
FINISH_S = 8.0
"""Seconds that messages under way have when the process is to end; what is not done then is settled later."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Everything that the doors use."""

    config: Config
    clock: Clock
    db: Database
    objects: ObjectStore
    vault: Vault
    ledger: Ledger
    berths: Berths
    dialer: Dialer
    guard: GuardFile
    applications: Applications
    operators: Operators
    keys: Keys
    sessions: Sessions
    grants: Grants
    detection: Detection
    tokens: Tokens
    placements: Placements
    feature: Feature
    draining: Draining
    mailbox: Mailbox
    offsets: Offsets
    calendars: Calendars
    sender: Sender
    copies: CopyKeeper
    allowlist: Allowlist
    webhooks: Webhooks
    feed: Feed
    diagnoses: Diagnoses
    reports: Reports
    watches: Watches
    watcher: Watcher
    raiser: Raiser

    def shares(self, part: Part, environments: Sequence[str] | None) -> Shares:
        """This process's share of the connections; who has none is not counted, and uses as many as people have."""
        config = self.config
        return Shares(
            self.db,
            self.berths,
            connections=config.policy.connections_per_source_and_server,
            pools=config.egress.pools,
            part=part,
            environments=environments,
            lease=config.lease,
        )

    def worker(self, environments: Sequence[str] | None) -> Worker:
        """A worker for these environments; None: all."""
        return Worker(
            self.db,
            self.objects,
            self.keys,
            self.sessions,
            self.clock,
            Handover(self.db, self.applications),
            lease=self.config.lease,
            environments=list(environments) if environments is not None else None,
            window=self.config.window,
        )

    def deliverer(self, environments: Sequence[str] | None) -> Deliverer:
        """A deliverer for these webhook pools; None: all."""
        holder = Holder(self.db, self.config.lease)
        return Deliverer(self.db, self.vault, self.feed, self.dialer, self.clock, holder, environments=environments)

    async def berth_counts(self) -> dict[str, tuple[int, int]]:
        """By source: the connections that all processes have open, and how many more they wait for."""
        return await berth_counts(self.db)

    async def facts(self, grant_id: str, *, after: int, limit: int) -> list[Recorded]:
        """What happened to a grant, behind a sequence, in order."""
        return await read(self.db, grant_id, after=after, limit=limit)

    async def ready(self) -> bool:
        """Whether the database answers."""
        try:
            return bool(await self.db.fetchval("SELECT true"))
        except StoreUnavailable:
            return False


def served_pools(config: Config, environments: Sequence[str] | None) -> tuple[PoolConfig, ...]:
    """The pools that a process leaves by.

    Raises:
        ConfigError: an environment that is not declared.
    """
    if environments is None:
        return config.egress.pools
    declared = {str(pool.environment): pool for pool in config.egress.pools}
    for name in environments:
        if name not in declared:
            raise ConfigError(
                f"{config.path} declares no environment {name!r}", hint=f"Declared: {', '.join(declared) or 'none'}."
            )
    return tuple(declared[name] for name in environments)


@asynccontextmanager
async def open_installation(
    config: Config,
    *,
    environments: Sequence[str] | None = None,
    clock: Clock | None = None,
    plumbed: bool = True,
) -> AsyncGenerator[Installation]:
    """The installation, ready to work, for as long as the block lasts.

    Args:
        environments: those that this process leaves by; None: all that are declared.
        plumbed: whether every address that is bound must be there; False is for who asks which are not.
    Raises:
        ConfigError, StoreUnavailable.
    """
    pools = served_pools(config, environments)
    if plumbed:
        check_plumbing(pools)
    else:
        check_kernel()
    async with AsyncExitStack() as stack:
        url = config.database.url
        if config.database.embedded is not None:
            url = await stack.enter_async_context(EmbeddedPostgres(config.database.embedded).connect_or_start())
        database = await database_endpoints(config.database.url)
        arm_tripwire(database)
        own = database | await listener_endpoints(config.server.host, config.server.port)
        await migrate(url)
        db = await Database.open(url, max_size=POOL_CONNECTIONS)
        stack.push_async_callback(db.close)
        installation = await _build(config, db, pools, own, clock or SystemClock())
        stack.push_async_callback(installation.ledger.aclose)
        stack.push_async_callback(installation.sender.finish, within_s=FINISH_S)
        yield installation


async def _build(
    config: Config, db: Database, pools: tuple[PoolConfig, ...], own: set[tuple[str, int]], clock: Clock
) -> Installation:
    objects = ObjectStore.open(config.objects)
    vault = await _open_vault(config, db, clock)
    ledger = Ledger(db, clock, config.retention)
    await ledger.keep_partitions()
    allow = config.policy.allow_private_targets
    policy = DialerPolicy(pools=pools, allow=allow, forbidden=frozenset(own), subset=config.policy.subset)
    berths = Berths(part_of(config.policy.connections_per_source_and_server, Part.PEOPLE))
    dialer = Dialer(db, ledger, clock, policy, resolve=SharedResolver(), berths=berths)
    applications = Applications(db, vault)
    keys = Keys(db, vault)
    sessions = Sessions(dialer)
    modes = {Generation.V2: config.policy.migration_mode_v2, Generation.V3: config.policy.migration_mode_v3}
    placements = Placements(db, applications, clock, MovePolicy(config.policy.staged_delay, modes))
    reader, calendars = MailReader(db, objects), CalendarReader(db)
    mailbox = Mailbox(reader, LiveReader(sessions, keys, clock), keys, clock)
    allowlist = Allowlist(db, config.egress.pools)
    await allowlist.publish()
    grants = Grants(db, objects, keys, sessions, applications, placements, clock)
    detection = Detection(dialer, NameServers(), clock, ispdb=config.ispdb)
    looking = _looking(config, db, vault, grants, keys, dialer, ledger, clock, policy, applications, detection)
    return Installation(
        config=config,
        clock=clock,
        db=db,
        objects=objects,
        vault=vault,
        ledger=ledger,
        berths=berths,
        dialer=dialer,
        guard=GuardFile(os.geteuid(), clock),
        applications=applications,
        operators=Operators(db, applications, clock, Passwords()),
        keys=keys,
        sessions=sessions,
        grants=grants,
        detection=detection,
        tokens=Tokens(db),
        placements=placements,
        feature=Feature(
            db, applications, placements, self_serve=config.policy.static_ips is StaticIpsPolicy.SELF_SERVE
        ),
        draining=Draining(db, applications),
        mailbox=mailbox,
        offsets=Offsets(mailbox, reader, keys),
        calendars=Calendars(calendars, LiveCalendars(sessions, keys, clock), keys, clock),
        sender=Sender(db, keys, sessions, reader, clock),
        copies=CopyKeeper(db, keys, sessions, clock),
        allowlist=allowlist,
        webhooks=Webhooks(db, vault, dialer, clock),
        feed=Feed(db, Objects(reader, calendars, keys)),
        diagnoses=looking.diagnoses,
        watches=looking.watches,
        watcher=looking.watcher,
        raiser=looking.raiser,
        reports=Reports(allowlist.list_of, config.server.public_url, clock),
    )


@dataclass(frozen=True, slots=True)
class _Looking:
    """Whatever looks at mail servers beyond the accounts' own traffic."""

    diagnoses: Diagnoses
    watches: Watches
    watcher: Watcher
    raiser: Raiser


def _looking(
    config: Config,
    db: Database,
    vault: Vault,
    grants: Grants,
    keys: Keys,
    dialer: Dialer,
    ledger: Ledger,
    clock: Clock,
    policy: DialerPolicy,
    applications: Applications,
    detection: Detection,
) -> _Looking:
    followers = Followers(db)
    prober = NetworkProber(dialer, ledger, clock, policy.pools, config.diagnosis.control_targets, private=policy.allow)

    def exits(question: Question) -> Sequence[Exit]:
        return exits_for(policy.pools, question.generation, question.region, config.diagnosis.foreign_pools)

    budget = SharedBudget(db, vault, clock)
    runner = Runner(prober, budget, LedgerMemory(db), exits, clock, base_url=config.server.public_url)
    carrying = Carrying(
        db,
        vault,
        grants,
        keys,
        followers,
        Means(runner.run, detecting(detection, applications, guessing(prober.look_up))),
        scopes=scopes_of(policy.pools, config.egress.pools),
        lease=config.lease,
    )
    decided = DiagnosisPolicy(config.egress.pools, policy.allow, policy.forbidden)
    hindsight = Hindsight(db, ledger, clock, config.egress.pools)
    return _Looking(
        Diagnoses(db, vault, grants, decided, prober.look_up, followers, carrying, hindsight),
        Watches(db, vault, config.egress.pools),
        Watcher(
            db, prober, budget, exits, Authenticating(db, vault, applications, grants, ledger),
            Rhythm(config.diagnosis.watch_every, config.diagnosis.watch_again),
            environments=[str(pool.environment) for pool in policy.pools],
        ),
        Raiser(db, grants, hindsight),
    )  # fmt: skip


async def _open_vault(config: Config, db: Database, clock: Clock) -> Vault:
    """The key ring; made on the very first start, and never a new one beside data that an old one sealed."""
    first = not await any_application(db)
    if not first and not config.key_file.exists():
        raise ConfigError(
            f"the key ring {config.key_file} is missing, and the database holds what it sealed",
            hint="Put it back from your backup; without it no stored password or message can be read.",
        )
    return Vault.load(config.key_file, create=first, clock=clock)


class _StandardError(io.TextIOBase):
    """Standard error, whichever that is when something is written."""

    def write(self, text: str, /) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logging(*, json: bool) -> None:
    """Logs to standard error: for people, or a JSON object a line."""
    stderr = cast("TextIO", _StandardError())
    logging.basicConfig(level=logging.WARNING, stream=stderr, format="%(message)s")
    # While the database is away its pool would write a traceback a second; whoever misses it says so in a line.
    logging.getLogger("asyncpg").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if json else []),
            structlog.processors.JSONRenderer()
            if json
            else structlog.dev.ConsoleRenderer(
                # The default shows local variables, and those hold passwords.
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=stderr),
    )
