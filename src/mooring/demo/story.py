"""The story: an account connects, cannot be read, is diagnosed, is switched to static addresses, is read and sends; and
the proof.

Every chapter checks what it tells. What does not happen as told ends the story with ``NotAsTold``.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mooring.clock import Clock
from mooring.demo.authority import Certificate, issue_certificate
from mooring.demo.client import LOOK_S, Answer, Client, open_client
from mooring.demo.errors import NotAsTold
from mooring.demo.letters import INBOX, SENT
from mooring.demo.proof import differences
from mooring.demo.running import Application, Layout, mooring_up, run_command
from mooring.demo.tables import connections_table, evidence_table, ledger_table, messages_table
from mooring.demo.types import Summary, Teller
from mooring.errors import ConfigError
from mooring.net.listener import free_port

if TYPE_CHECKING:
    from mooring.demo.mailhost import MailHost

PARTS = ("pymap", "aiosmtpd")
"""What the extra ``demo`` brings."""

STATIC = (IPv4Address("127.0.10.1"), IPv4Address("127.0.10.2"))
DYNAMIC = (IPv4Address("127.0.20.1"),)
MAIL_HOST = IPv4Address("127.0.30.1")
"""All of 127.0.0.0/8 is this host, so that different addresses can play different parts on one machine."""

PATIENCE_S = 25.0
"""Seconds for what is to happen by itself: dials from dynamic addresses cease within 25 (spec §6.12)."""
SHOWN = 8
"""Messages that are shown."""
SUBJECT = "Moored, and reachable"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the chapters play with."""

    host: "MailHost"
    layout: Layout
    application: Application
    client: Client


async def tell(teller: Teller, clock: Clock) -> Summary:
    """Tell the story, and leave nothing of it behind.

    Raises:
        NotAsTold: something did not happen as told.
        ConfigError: this host cannot play all the parts, or the extra ``demo`` is not installed.
    """
    if missing := [part for part in PARTS if find_spec(part) is None]:
        raise ConfigError(
            f"the demonstration needs {' and '.join(missing)}", hint="Run `make demo`, or: pip install 'mooring[demo]'"
        )
    started = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="mooring-demo-") as folder:
        async with _stage(teller, clock, Path(folder)) as stage:
            grant = await _connect(teller, stage)
            refusal = await _be_refused(teller, stage, grant)
            verdict = await _diagnose(teller, stage, grant)
            await _switch_on(teller, stage, grant)
            messages = await _read(teller, stage, grant)
            await _send(teller, stage, grant)
            ledger = await _prove(teller, stage)
            connections = stage.host.connections
            return Summary(
                static=[str(address) for address in STATIC],
                dynamic=[str(address) for address in DYNAMIC],
                refusal=refusal,
                verdict=verdict,
                messages=messages,
                visited_from=sorted({connection.source for connection in connections}),
                connections=connections,
                ledger=ledger,
                seconds=round(clock.monotonic() - started, 1),
            )


@asynccontextmanager
async def _stage(teller: Teller, clock: Clock, folder: Path) -> AsyncGenerator[Stage]:
    """The mail host and Mooring, both running."""
    # Its parts are an extra: whoever only runs the other commands need not have them.
    from mooring.demo.mailhost import open_mail_host

    certificate, layout = _furnish(folder, clock)
    async with AsyncExitStack() as running:
        with teller.chapter("mail_host", "A mail host whose firewall admits two addresses") as told:
            host = await running.enter_async_context(open_mail_host(MAIL_HOST, STATIC, certificate, clock))
            told.say(
                f"IMAP at {host.imap.endpoint} (TLS), SMTP at {host.smtp.endpoint} (STARTTLS), "
                f"with the mailbox of {host.address}.",
                f"SYNs from {_listed(STATIC)} are answered; the kernel drops those of everybody else without a word.",
            )
        with teller.chapter("mooring", "Mooring: database, API and worker, as `mooring up` runs them") as told:
            application = await running.enter_async_context(mooring_up(layout))
            client = await running.enter_async_context(open_client(layout.url, application.api_key))
            await client.wait_until_ready()
            told.say(
                f"It answers at {layout.url}. Its static addresses are {_listed(STATIC)}, "
                f"its dynamic one is {_listed(DYNAMIC)}.",
                f"The application {application.id} was made, with static IPs off.",
            )
        yield Stage(host, layout, application, client)


def _furnish(folder: Path, clock: Clock) -> tuple[Certificate, Layout]:
    """The mail host's certificate, and Mooring's configuration."""
    # Started by root, PostgreSQL runs as somebody else, who has to get through to its data.
    folder.chmod(0o711)
    certificate = issue_certificate(folder, MAIL_HOST, clock.now())
    layout = Layout(folder, certificate.authority, free_port(IPv4Address("127.0.0.1")), STATIC, DYNAMIC)
    layout.write_config()
    return certificate, layout


async def _connect(teller: Teller, stage: Stage) -> str:
    """S14: authentication leaves by static addresses, so it works; the grant's id."""
    with teller.chapter("connect", f"POST /v3/connect/custom: connect {stage.host.address}") as told:
        answer = await stage.client.post("/v3/connect/custom", {"provider": "imap", "settings": stage.host.settings})
        _expect(answer.status == 201, f"the account could not be connected: {_words(answer)}")
        grant = answer.data["id"]
        _expect(answer.data["environment"] == "dynamic", "the grant was not placed in the dynamic environment")
        came = {connection.source for connection in stage.host.connections}
        _expect(came <= {str(a) for a in STATIC}, f"the mail host was reached from {came}")
        told.say(
            f"201. IMAP and SMTP were tried from {_listed(sorted(came))} before anything was stored: "
            "authentication always leaves by static addresses.",
            f"The grant {grant} exists, and is read from the dynamic environment.",
        )
        return grant


async def _be_refused(teller: Teller, stage: Stage, grant: str) -> dict[str, Any]:
    """S18: a grant exists, and nothing can be retrieved."""
    with teller.chapter("refused", "GET …/messages: read it from a dynamic address") as told:
        answer = await stage.client.get(f"/v3/grants/{grant}/messages", limit=SHOWN)
        _expect(answer.status == 504, f"504 was due, and the answer was {answer.status}")
        _expect(answer.error["type"] == "api.provider_error", f"the error was called {answer.error['type']}")
        refusal = answer.error["provider_error"]
        expected = {"class": "live", "environment": "dynamic", "source": str(DYNAMIC[0]), "stage": "connect"}
        _expect(expected.items() <= refusal.items(), f"the error tells something else: {refusal}")
        told.say(
            f"504 api.provider_error: class {refusal['class']}, from {refusal['source']} ({refusal['environment']}), "
            f"{refusal['stage']}: {refusal['reason']}.",
            answer.error["message"],
        )
        return refusal


async def _diagnose(teller: Teller, stage: Stage, grant: str) -> dict[str, Any]:
    """B3: the same server, from every address of ours, and what follows; the verdict."""
    with teller.chapter("diagnose", "POST /v3/diagnoses: does this server need static addresses?") as told:
        asked = await stage.client.post("/v3/diagnoses", {"grant_id": grant})
        _expect(asked.status == 202, f"it could not be asked: {_words(asked)}")

        async def ended() -> dict[str, Any] | None:
            found = (await stage.client.get(f"/v3/diagnoses/{asked.data['id']}", wait=int(PATIENCE_S))).data
            return found if found["state"] in {"done", "failed"} else None

        diagnosis = await _until(ended, "the diagnosis did not end", patience_s=2 * PATIENCE_S)
        verdict = diagnosis["verdict"]
        _expect(verdict is not None, f"there is no verdict: {diagnosis['error']}")
        _expect(verdict["code"] == "needed", f"the verdict is {verdict['code']}: {verdict['summary']}")
        told.say(
            f"{verdict['code']}, {verdict['confidence']:.0%} sure. {verdict['summary']}",
            evidence_table(diagnosis["evidence"]),
            f"For the developer: {verdict['next_steps']['developer'][0]}",
            f"For the mail administrator: {verdict['next_steps']['mail_administrator'][0]}",
            f"`mooring diagnose --grant {grant}` tells the same at a terminal.",
        )
        return {name: verdict[name] for name in ("code", "confidence", "summary", "next_steps")}


async def _switch_on(teller: Teller, stage: Stage, grant: str) -> None:
    """The operator's decision, by the operator's command."""
    application = stage.application.id
    with teller.chapter("switch_on", f"mooring app set-static-ips {application} on") as told:
        changed = await run_command(stage.layout, "app", "set-static-ips", application, "on")
        _expect(changed["moving"] == 1, f"the grant does not begin to move: {changed}")

        async def ended() -> Answer | None:
            moves = await stage.client.get(f"/v3/grants/{grant}/moves")
            return moves if moves.status == 200 and moves.data[0]["ended_at"] else None

        move = (await _until(ended, "the grant did not move")).data[0]
        _expect(move["state"] == "done", f"the grant did not move: {move}")
        told.say("Static IPs are on, and the grant moved to the static environment; nobody authenticated again.")


async def _read(teller: Teller, stage: Stage, grant: str) -> int:
    """The mailbox, complete; how many messages the inbox holds."""
    with teller.chapter("read", "GET …/messages: read it from the static addresses") as told:
        held = len(await stage.host.mailbox.letters(INBOX))

        async def everything() -> Answer | None:
            answer = await stage.client.get(f"/v3/grants/{grant}")
            if answer.status != 200 or answer.data["sync"]["state"] != "ok":
                return None
            inbox = await _inbox(stage, grant)
            return await stage.client.get(f"/v3/grants/{grant}/messages", limit=200, **{"in": inbox})

        answer = await _until(everything, "the mailbox was not synchronised")
        _expect(len(answer.data) == held, f"the inbox holds {held} messages, and the API lists {len(answer.data)}")
        threads = {message["thread_id"] for message in answer.data}
        files = [name["filename"] for message in answer.data for name in message["attachments"]]
        told.say(
            f"200. All {held} messages of the inbox, in {len(threads)} threads, as of {answer.synced_at}; "
            f"attached: {', '.join(files)}.",
            messages_table(answer.data[:SHOWN]),
        )
        return held


async def _send(teller: Teller, stage: Stage, grant: str) -> None:
    """To oneself: it arrives, and the copy lies in Sent."""
    with teller.chapter("send", f"POST …/messages/send: write to {stage.host.address}") as told:
        body = {"to": [{"email": stage.host.address}], "subject": SUBJECT, "body": "All lines are fast."}
        answer = await stage.client.post(f"/v3/grants/{grant}/messages/send", body)
        _expect(answer.status == 200, f"it was not sent: {_words(answer)}")
        inbox = await _inbox(stage, grant)

        async def arrival() -> Answer | None:
            found = await stage.client.get(f"/v3/grants/{grant}/messages", subject=SUBJECT, **{"in": inbox})
            return found if found.status == 200 and found.data else None

        async def copy() -> bytes | None:
            copies = [raw for raw in await stage.host.mailbox.letters(SENT) if SUBJECT.encode() in raw]
            return copies[0] if len(copies) == 1 else None

        await _until(arrival, "the message did not arrive")
        await _until(copy, "there is not one copy in Sent")
        told.say("200. It arrived in the inbox, where the API lists it, and one copy lies in the mail host's Sent.")


async def _prove(teller: Teller, stage: Stage) -> list[dict[str, Any]]:
    """The ledger, which agrees with the mail host about every connection."""
    with teller.chapter("proof", "GET /v3/connections: what was dialled, and what the mail host saw") as told:
        ledger: list[dict[str, Any]] = []
        wrong: list[str] = []

        async def agreement() -> bool | None:
            nonlocal ledger, wrong
            ledger = (await stage.client.get("/v3/connections", limit=200)).data
            wrong = differences(ledger, stage.host.connections, [str(address) for address in STATIC])
            return None if wrong else True

        try:
            await _until(agreement, "the ledger and the mail host do not agree")
        except NotAsTold as e:
            raise NotAsTold(f"{e.message}: {'; '.join(wrong)}") from None
        dropped = sum(entry["environment"] == "dynamic" for entry in ledger)
        seen = stage.host.connections
        came = sorted({connection.source for connection in seen})
        _expect(dropped > 0, "the ledger has no dial from a dynamic address, and there were some")
        told.say(
            f"{len(ledger)} dials in the ledger, {dropped} of them from dynamic addresses:",
            ledger_table(ledger),
            "The mail host's own list of who ever connected:",
            connections_table(seen),
            f"Every connection that it saw is in the ledger with the same address and port, and the other way round. "
            f"They came from {_listed(came)}: only static addresses ever reached it.",
        )
        return ledger


async def _inbox(stage: Stage, grant: str) -> str:
    folders = (await stage.client.get(f"/v3/grants/{grant}/folders")).data
    found = [folder["id"] for folder in folders if "\\Inbox" in folder["attributes"]]
    _expect(len(found) == 1, "the account has no inbox")
    return found[0]


async def _until(look: Callable[[], Awaitable[T | None]], otherwise: str, *, patience_s: float = PATIENCE_S) -> T:
    """What ``look`` finds, once it does.

    Raises:
        NotAsTold: it never does.
    """
    try:
        async with asyncio.timeout(patience_s):
            while True:
                if (found := await look()) is not None:
                    return found
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise NotAsTold(f"{otherwise} within {patience_s:.0f} s") from None


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise NotAsTold(otherwise)


def _words(answer: Answer) -> str:
    return answer.error.get("message") or f"status {answer.status}"


def _listed(addresses: Any) -> str:
    return " and ".join(str(address) for address in addresses)
