"""A report: what is handed on of a diagnosis, and nothing that is somebody's secret."""

from datetime import datetime

import msgspec

from mooring.diagnosis import Code, Icmp, MatrixTable, Outcome, Reader, Service, Stage

SCHEMA = "mooring.diagnosis-report"
VERSION = 1
"""Counts up when something in it is renamed or taken away; what is added does not count."""


class AllowList(msgspec.Struct, frozen=True):
    """What a mail administrator allows.

    Attributes:
        version: of the list; 0: it is not published, and these are the addresses that were asked from.
        url: where it always is as it is now.
    """

    environment: str
    addresses: tuple[str, ...]
    url: str
    version: int = 0
    since: datetime | None = None


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One connection, as a firewall's log may have it.

    Attributes:
        at: UTC, when its first packet left.
        source_port: None where nothing came of it, or a proxy chose another one.
        is_proof: whether it is among what proves the verdict.
    """

    probe: int
    at: datetime
    service: Service
    source_address: str
    source_port: int | None
    address: str
    port: int
    stage: Stage
    outcome: Outcome
    words: str
    said: str = ""
    icmp: Icmp | None = None
    is_proof: bool = False


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A certificate that was shown, and at which addresses and ports of the server.

    Attributes:
        spki: SHA-256 of its public key, hexadecimal.
        problem: why it does not verify; "" where it does.
    """

    at: tuple[str, ...]
    names: tuple[str, ...]
    issuer: str
    not_after: datetime
    spki: str
    problem: str = ""


class Answered(msgspec.Struct, frozen=True):
    """An ICMP message that answered, and how often.

    Attributes:
        to: our addresses that got it.
    """

    type: int
    code: int
    sender: str
    to: tuple[str, ...]
    times: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One diagnosis that has a verdict, in one document.

    Attributes:
        hosts: names of the servers; asked: what of them, such as ``imap mail.example.com:993``.
        email: the address that was asked about; "" where it was something else.
        confidence: from 0 to 1; sureness: the same in words.
        row: of the table of verdicts, that matched; proof: ids of the probes that prove it.
        how: how it was found out, in sentences.
        capture: a command that shows these connections on the server's side of the wire.
    """

    schema: str = SCHEMA
    version: int = VERSION
    id: str
    made_at: datetime
    asked_at: datetime
    ended_at: datetime
    generation: str
    region: str
    hosts: tuple[str, ...]
    asked: tuple[str, ...]
    email: str
    code: Code
    title: str
    confidence: float
    sureness: str
    summary: str
    next_steps: dict[Reader, list[str]]
    servers: tuple[str, ...]
    caveats: tuple[str, ...]
    row: str
    proof: tuple[int, ...]
    how: tuple[str, ...]
    allow: AllowList
    matrix: tuple[MatrixTable, ...]
    timeline: tuple[Line, ...]
    capture: str
    certificates: tuple[Shown, ...]
    icmp: tuple[Answered, ...]
