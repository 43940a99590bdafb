"""What pages show of diagnoses: what was asked, how far it is, and what was found out. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mooring.dashboard.again import Again
from mooring.dashboard.views import Sign
from mooring.diagnosis import SERVICES, Diagnosis, Service, State, Watch
from mooring.reports import title_of, tone_of


@dataclass(frozen=True, slots=True)
class Form:
    """What is filled in to ask; a password is never among it.

    Attributes:
        about: a host, or an e-mail address.
        services: those that are ticked.
        username: who logs in, where that is not the address.
        ports: by service; none or "" for the usual one.
        again: the diagnosis that is asked once more, instead of all these.
    """

    about: str = ""
    application_id: str = ""
    services: frozenset[Service] = frozenset({Service.IMAP, Service.SMTP})
    username: str = ""
    ports: Mapping[Service, str] = field(default_factory=dict[Service, str])
    again: Again | None = None


@dataclass(frozen=True, slots=True)
class DiagnosisRow:
    """A diagnosis among others.

    Attributes:
        about: the host, or the address, in a line.
        services: what of it, in a line.
        verdict: in a word; title: in a sentence.
    """

    id: str
    about: str
    services: str
    application: str
    by: str
    at: datetime
    verdict: Sign
    title: str


def row_of(diagnosis: Diagnosis, names: Mapping[str, str]) -> DiagnosisRow:
    """The row of this one.

    Args:
        names: the applications', by id.
    """
    return DiagnosisRow(
        id=diagnosis.id,
        about=about(diagnosis),
        services=", ".join(
            f"{SERVICES[t.service]} {t.port}" if t.port else SERVICES[t.service] for t in diagnosis.question.targets
        ),
        application=names.get(diagnosis.application_id, "the operator"),
        by=diagnosis.by,
        at=diagnosis.created_at,
        verdict=sign_of(diagnosis),
        title=title(diagnosis),
    )


def about(diagnosis: Diagnosis) -> str:
    """What it is about: the account's or the given address, or the servers."""
    hosts = dict.fromkeys(target.host for target in diagnosis.question.targets if target.host)
    return ", ".join(hosts) or diagnosis.question.email


def sign_of(diagnosis: Diagnosis) -> Sign:
    """How far it is, or what was found out, in a word."""
    match diagnosis.state:
        case State.QUEUED:
            return Sign("queued", "waiting")
        case State.RUNNING:
            return Sign("running", "waiting")
        case State.FAILED:
            return Sign("failed", "bad")
        case State.DONE:
            assert diagnosis.verdict is not None
            code = diagnosis.verdict.code
            return Sign(code.replace("_", " "), tone_of(code))


def title(diagnosis: Diagnosis) -> str:
    """What was found out, in a line; "" as long as nothing was."""
    if diagnosis.verdict is not None:
        return title_of(diagnosis.verdict.code)
    return str((diagnosis.error or {}).get("message", ""))


def progress_of(diagnosis: Diagnosis) -> str:
    """How far it is, in a sentence that changes seldom: it is read aloud each time."""
    match diagnosis.state:
        case State.QUEUED:
            return "It waits for its turn."
        case State.RUNNING:
            return "It is being found out."
        case State.DONE:
            return f"Done: {title(diagnosis)}."
        case State.FAILED:
            return "It ended without a verdict."


def counts_of(diagnosis: Diagnosis, watch: Watch) -> str:
    """How many connections there have been; "" where nobody waits for more."""
    if diagnosis.state is not State.RUNNING:
        return ""
    ended, going = len(watch.observations), len(watch.going)
    return f"{ended} connection{'' if ended == 1 else 's'} ended, {going} under way."
