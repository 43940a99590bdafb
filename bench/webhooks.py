"""How long a fact takes to its endpoint: mail that arrives, one message at a time; and many facts to many endpoints."""

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from bench.first_sync import brought_in_step
from bench.installation import client, connect, running
from bench.mailboxes import alike, connected
from bench.report import Finding, Series
from mooring.config import load_config
from mooring.events import EventType, Fact, append
from mooring.store import Database, EmbeddedPostgres
from tests.endpoint import endpoint
from tests.lab import Dovecot, Laboratory, User, mails
from tests.running import Running
from tests.store.webhooks.receivers import Receiver, hang, receiving
from tests.waiting import until, until_async

SOURCE = "127.0.1.30"
MESSAGES = 60
FACTS, GRANTS = 10_000, 200
HEALTHY = 8
PATIENCE_S = 240.0


def latency(lab: Laboratory) -> Iterator[Finding]:
    """From APPEND's OK to the endpoint: by IDLE, a fetch, a commit, an announcement, a POST."""
    # A mailbox that Dovecot has hibernated is told of at once. Of one that it has not, it waits for half a second,
    # and what comes in the moment before it hibernates is not told at all until we look (both measured).
    dovecot = Dovecot(lab.root / "hooked", lab.certificate, hibernate_s=1)
    dovecot.server.start()
    try:
        yield from _latency(lab, dovecot)
    finally:
        dovecot.server.stop()


def _latency(lab: Laboratory, dovecot: Dovecot) -> Iterator[Finding]:
    user = dovecot.set_user(User("hooked@lab.test", "hooked-password"))
    with running(lab, webhook=[SOURCE]) as mooring, client(mooring) as api, endpoint() as told:
        made = {"trigger_types": ["message.created"], "webhook_url": told.url}
        api.post("/v3/webhooks", json=made).raise_for_status()
        brought_in_step(api, connect(api, user))
        arrived: list[float] = []
        for mail in mails(MESSAGES, seed=61, to=user.address):
            until(lambda: dovecot.is_asleep(user.address), timeout_s=60, what="the mailbox is idle")
            dovecot.append(user.address, "INBOX", mail.raw)
            arrived.append(time.time())
            until(lambda: len(told.told) == len(arrived), timeout_s=60, what="the message is told")
    took_ms = sorted((t.at - at) * 1000 for t, at in zip(told.told, arrived, strict=True))
    series = Series("APPEND to endpoint", "ms", tuple(took_ms))
    conditions = f"{MESSAGES} messages, one mailbox in IDLE, each when Dovecot has hibernated it again"
    yield Finding("webhook-p50", "from mail's arrival to the endpoint, half of them", _share(took_ms, 0.5), "ms", 100,
                  at_least=False, series=(), conditions=conditions)  # fmt: skip
    yield Finding("webhook-p99", "the same, all but one in a hundred", _share(took_ms, 0.99), "ms", 500,
                  at_least=False, series=(series,), conditions=conditions)  # fmt: skip


def lanes(lab: Laboratory) -> Iterator[Finding]:
    """Eight healthy endpoints alone; then beside one that hangs and one that fails half the time."""
    dovecot = Dovecot(lab.root / "many", lab.certificate)
    dovecot.server.start()
    try:
        users = alike(dovecot, lab.root / "many", GRANTS, FACTS // GRANTS)
        with running(lab, webhook=[SOURCE]) as mooring, client(mooring) as api:
            grants = connected(api, users)
            alone, beside = asyncio.run(_compare(mooring, api, grants))
    finally:
        dovecot.server.stop()
    yield Finding(
        "lanes",
        "seconds until eight healthy endpoints have every fact, beside a hung and a moody one, over those alone",
        beside / alone, "", 1.2, at_least=False,
        series=(Series("alone", "s", (alone,)), Series("beside", "s", (beside,))),
        conditions=(
            f"{FACTS:,} facts about the stored messages of {GRANTS} accounts, each to every endpoint; the healthy "
            "eight got each fact once, in its account's order"
        ),
    )  # fmt: skip


async def _compare(mooring: Running, api: httpx.Client, grants: Sequence[str]) -> tuple[float, float]:
    async with _database(mooring) as db, AsyncExitStack() as stack:
        healthy = [await stack.enter_async_context(receiving()) for _ in range(HEALTHY)]
        for receiver in healthy:
            await asyncio.to_thread(_hook, api, receiver)
        messages = {grant: await _messages(db, grant) for grant in grants}
        started = await _happen(db, mooring.application_id, messages)
        alone = await _told(healthy, messages, started)
        hung, moody = await stack.enter_async_context(receiving()), await stack.enter_async_context(receiving())
        for receiver in (hung, moody):
            await asyncio.to_thread(_hook, api, receiver)
        moods = itertools.cycle((200, 500))
        hung.behaviour = hang
        moody.behaviour = lambda _told: next(moods)
        started = await _happen(db, mooring.application_id, messages)
        return alone, await _told(healthy, messages, started)


def _hook(api: httpx.Client, receiver: Receiver) -> None:
    made = {"trigger_types": ["message.created"], "webhook_url": receiver.url}
    api.post("/v3/webhooks", json=made, timeout=30).raise_for_status()


async def _messages(db: Database, grant: str) -> list[str]:
    rows = await db.fetch("SELECT id FROM messages WHERE grant_id = $1 ORDER BY id", grant)
    return [row["id"] for row in rows]


async def _happen(db: Database, application_id: str, messages: Mapping[str, Sequence[str]]) -> float:
    """Say of each message, in order, that it has come; the time at which that begins."""
    started = time.perf_counter()
    for grant, ids in messages.items():
        async with db.transaction() as tx:
            facts = [Fact(EventType.MESSAGE_CREATED, {"id": identity}) for identity in ids]
            await append(tx, application_id=application_id, grant_id=grant, facts=facts)
    return started


async def _told(receivers: Sequence[Receiver], messages: Mapping[str, Sequence[str]], started: float) -> float:
    """Seconds from then until each of these was told of each message, once and in its grant's order."""
    count = sum(map(len, messages.values()))

    async def everybody_has_all() -> bool:
        return all(len(receiver.taken) >= count for receiver in receivers)

    await until_async(everybody_has_all, timeout_s=PATIENCE_S, what="every endpoint has every fact")
    took = time.perf_counter() - started
    for receiver in receivers:
        told: dict[str, list[str]] = defaultdict(list)
        for delivered in receiver.taken:
            told[delivered.told["data"]["grant_id"]].append(delivered.told["data"]["object"]["id"])
        if told != messages:
            raise RuntimeError("an endpoint got facts otherwise than once and in order")
        receiver.taken.clear()
        receiver.came.clear()
    return took


@asynccontextmanager
async def _database(mooring: Running) -> AsyncGenerator[Database]:
    embedded = load_config(mooring.folder / "mooring.toml", {}).database.embedded
    assert embedded is not None
    async with EmbeddedPostgres(embedded).connect_or_start() as url:
        db = await Database.open(url, max_size=2)
        try:
            yield db
        finally:
            await db.close()


def _share(took: Sequence[float], share: float) -> float:
    return took[min(int(len(took) * share), len(took) - 1)]
