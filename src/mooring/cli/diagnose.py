"""``mooring diagnose``: does this mail server need static addresses, and how do we know."""

import getpass
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.live import Live
from rich.text import Text

from mooring.bootstrap import Installation, open_installation
from mooring.cli.apps import operator
from mooring.cli.output import DEFAULT_CONFIG, ConfigPath, Json, console, errors, read_config, run, show_json
from mooring.cli.stages import Board, line_of, lines_of
from mooring.cli.tables import shown
from mooring.config import Generation
from mooring.diagnosis import (
    PORTS,
    Ask,
    Asker,
    Code,
    Diagnosis,
    Observed,
    Outcome,
    Progress,
    Service,
    Tell,
    Verdict,
    view_of,
)
from mooring.errors import InvalidRequest, NotFound
from mooring.reports import READERS, Report, report_html, report_json, title_of

EXIT_STATUS: Mapping[Code, int] = {
    Code.NOT_NEEDED: 0,
    Code.NEEDED: 10,
    Code.NEEDED_FOR_SENDING_ONLY: 10,
    Code.ALLOWLIST_MISSING: 10,
    Code.ALLOWLIST_PARTIAL: 10,
    Code.ALLOWLIST_OUTDATED: 10,
    Code.WRONG_REGION: 10,
    Code.FILTER_DISGUISED_AS_WRONG_PASSWORD: 10,
    Code.GEOGRAPHIC: 10,
    Code.OWN_EXIT_BROKEN: 12,
    Code.INCONCLUSIVE: 13,
}
"""0: nothing is needed · 10: the server filters by address · 12: our own side · 13: nobody can say."""
ELSE_WRONG = 11
"""The status of every other verdict: something else is wrong, with the server or with what is known of it."""

REPORTS: Mapping[str, Callable[[Report], bytes]] = {
    ".json": lambda report: msgspec.json.format(report_json(report)) + b"\n",
    ".html": lambda report: report_html(report).encode(),
}
"""What ``--report`` writes, by the end of the file's name: what can be handed on."""

COMMAND = "tcpdump "
"""What a command in a step begins with."""

SUREST = 0.99
"""Nobody is told of more than that: it is a probability, and no proof."""


def diagnose(
    about: Annotated[str, typer.Argument(metavar="[HOST[:PORT]|EMAIL]", help="A mail server, or a mailbox.")] = "",
    grant: Annotated[str, typer.Option(help="A connected account, by its id, with its own password.")] = "",
    app: Annotated[str, typer.Option(help="As this application sees it, by its id. Default: as an operator.")] = "",
    generation: Annotated[Generation | None, typer.Option(help="As this generation sees it; default v3.")] = None,
    region: Annotated[str, typer.Option(help="As this region sees it; default that of the first pool.")] = "",
    services: Annotated[str, typer.Option(help="Of imap, smtp, caldav those to ask about, joined by commas.")] = "",
    username: Annotated[str, typer.Option(help="Who logs in; default the e-mail address.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Take the password from the first line of standard input.")
    ] = False,
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Ask for the password, and log in.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write what can be forwarded to this file as well: NAME.html or NAME.json.")
    ] = None,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Find out whether a mail server needs static addresses: from all of ours, stage by stage, with the proof.

    Status: 0 nothing is needed, 10 the server filters by address,
    11 something else is wrong, 12 our own side is broken,
    13 nobody can say, 1 it could not be found out.
    """

    async def work() -> Diagnosis:
        write = _report_of(report)
        password = _password(from_stdin=password_stdin, asked=ask_password)
        ask = ask_of(about, grant=grant, services=services, username=username, password=password)
        # Exits of ours that are not there are something to be found out, too.
        async with open_installation(read_config(config), plumbed=False) as installation:
            asker = await _asker(installation, ask, app, generation, region)
            with _watched(shown_at_all=not json) as tell:
                done = await installation.diagnoses.carry_out(ask, asker, by=operator(), tell=tell)
            if report is not None and write is not None and done.verdict is not None:
                report.write_bytes(write(installation.reports.of(done)))
        return done

    done = run(work(), json=json)
    if json:
        show_json(view_of(done))
    else:
        _show(done)
    raise typer.Exit(status_of(done))


def ask_of(about: str, *, grant: str, services: str, username: str, password: str) -> Ask:
    """What the command line asks about.

    Raises:
        InvalidRequest: nothing, or two things at once, or a service that there is not.
    """
    wanted = _services(services)
    if bool(about) == bool(grant):
        raise InvalidRequest("Name a host, an e-mail address or a --grant, and one of them only.")
    if grant:
        if username or password:
            raise InvalidRequest(
                "A grant logs in with its own password.", hint="Leave --username and the password out."
            )
        return Ask(grant_id=grant, services=wanted)
    settings: dict[str, Any] = {}
    if username:
        settings["imap_username"] = username
    if password:
        settings["imap_password"] = password
    if "@" in about:
        return Ask(email=about, settings=settings or None, services=wanted)
    host, port = _host_and_port(about)
    if port is None:
        return Ask(host=host, settings=settings or None, services=wanted)
    usual = next((service for service, ports in PORTS.items() if port in ports), Service.IMAP)
    if wanted is not None and len(wanted) != 1:
        raise InvalidRequest("A port is one service's.", hint="Name one of --services with it, or none.")
    service = wanted[0] if wanted is not None else usual
    settings |= {f"{service}_host": host, f"{service}_port": port}
    return Ask(settings=settings, services=(service,))


def status_of(done: Diagnosis) -> int:
    """What the command ends with."""
    return EXIT_STATUS.get(done.verdict.code, ELSE_WRONG) if done.verdict is not None else 1


def _services(text: str) -> tuple[Service, ...] | None:
    names = [name.strip() for name in text.split(",") if name.strip()]
    try:
        return tuple(Service(name) for name in names) or None
    except ValueError:
        raise InvalidRequest(f"--services: write some of {', '.join(Service)}, joined by commas.") from None


def _host_and_port(text: str) -> tuple[str, int | None]:
    """``name``, ``name:993``, ``192.0.2.1:993``, ``2001:db8::1`` or ``[2001:db8::1]:993``."""
    if "://" in text or (text.count(":") > 1 and "]:" not in text):
        return text, None
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, None
    if not (port.isascii() and port.isdecimal() and len(port) <= 5):
        raise InvalidRequest(f"{port[:20]!r} is not a port.", hint="Write HOST or HOST:PORT.")
    return host, int(port)


async def _asker(installation: Installation, ask: Ask, app: str, generation: Generation | None, region: str) -> Asker:
    if app:
        application = await installation.applications.get(app)
        if ask.grant_id and (await installation.grants.get(ask.grant_id)).application_id != app:
            raise NotFound(f"The application {app} has no grant {ask.grant_id!r}.")
        own = Asker(application.id, str(application.generation), application.region)
    else:
        own = await installation.diagnoses.asker_of(ask)
    if generation is None and not region:
        return own
    if own.application_id:
        raise InvalidRequest("An application has its own generation and region.", hint="Leave the options out.")
    if generation is Generation.WEBHOOK:
        raise InvalidRequest("--generation: write v2 or v3; webhooks are not mail.")
    pools = installation.config.egress.pools
    chosen = str(generation or Generation.V3)
    first = next((p.environment.region for p in pools if p.environment.generation == chosen), own.region)
    return Asker("", chosen, region or first)


def _password(*, from_stdin: bool, asked: bool) -> str:
    if not (from_stdin or asked):
        return ""
    if not from_stdin and not sys.stdin.isatty():
        raise InvalidRequest(
            "There is no terminal to ask for the password at.",
            hint="Write it to standard input, with --password-stdin.",
        )
    typed = sys.stdin.readline().rstrip("\r\n") if from_stdin else getpass.getpass("Password of the mailbox: ")
    if not typed:
        # Without one nothing would be logged in to, and that be taken for a login that works.
        raise InvalidRequest("The password is empty.", hint="Leave the option out to diagnose without logging in.")
    return typed


def _report_of(path: Path | None) -> Callable[[Report], bytes] | None:
    """How the report is written, known before anything is asked.

    Raises:
        InvalidRequest: nobody knows how, or where.
    """
    if path is None:
        return None
    write = REPORTS.get(path.suffix.lower())
    if write is None:
        raise InvalidRequest(f"--report: the file's name must end in {' or '.join(REPORTS)}.")
    if not path.absolute().parent.is_dir():
        raise InvalidRequest(f"--report: there is no folder {path.absolute().parent}.")
    return write


@contextmanager
def _watched(*, shown_at_all: bool) -> Generator[Tell]:
    """Show what is told while the block lasts: a matrix that changes or, where nobody looks at one, lines."""
    if not shown_at_all:
        yield lambda _: None
    elif console.is_terminal:
        board = Board()
        with Live(console=console, refresh_per_second=8, get_renderable=lambda: board.table(console.width)):
            yield board.tell
    else:
        yield _saying()


def _saying() -> Tell:
    """Say each thing that happens in a line; what is not asked, once."""
    spared: set[tuple[str, str]] = set()

    def say(progress: Progress) -> None:
        if isinstance(progress, Observed) and progress.observation.outcome is Outcome.SPARED:
            o = progress.observation
            way = (o.source, f"{o.service} {o.address}:{o.port}")
            if way in spared:
                return
            spared.add(way)
        for line in lines_of(progress):
            console.print(shown(line), soft_wrap=True)

    return say


def _show(done: Diagnosis) -> None:
    """The verdict, its proof, and what to do next, for each reader."""
    if done.verdict is None:
        problem = done.error or {"message": "There is no verdict."}
        errors.print(Text("error: ", "bold red") + shown(problem["message"]))
        return
    verdict = done.verdict
    console.print()
    sure = f"  {verdict.code}, {min(verdict.confidence, SUREST):.0%} sure"
    console.print(Text(title_of(verdict.code), "bold") + Text(sure, "dim"))
    console.print(shown(verdict.summary))
    seen = {o.probe: o for o in done.evidence.observations} if done.evidence is not None else {}
    _show_lines("Proof", [line_of(seen[number]) for number in verdict.proof if number in seen])
    _show_lines("What would work", list(verdict.servers))
    _show_lines("To be kept in mind", list(verdict.caveats))
    _show_steps(verdict)
    console.print(Text(f"\nDiagnosis {done.id}", "dim"))


def _show_steps(verdict: Verdict) -> None:
    for reader, title in READERS.items():
        _show_lines(title, verdict.next_steps.get(reader, []))


def _show_lines(title: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print(Text(f"\n{title}", "bold"))
    for line in lines:
        # A command is copied whole; the terminal breaks it, and we do not.
        whole = COMMAND in line
        for number, piece in enumerate(line.splitlines()):
            console.print(Text("- " if number == 0 else "  ") + shown(piece), soft_wrap=whole)
