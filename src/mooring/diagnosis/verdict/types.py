"""The words of a verdict: what can be concluded, about what, from which probes, and for whom."""

from enum import StrEnum

import msgspec

from mooring.diagnosis.types import Service


class Code(StrEnum):
    """What can be concluded (spec §6.17)."""

    NOT_NEEDED = "not_needed"
    NEEDED = "needed"
    NEEDED_FOR_SENDING_ONLY = "needed_for_sending_only"
    ALLOWLIST_MISSING = "allowlist_missing"
    ALLOWLIST_PARTIAL = "allowlist_partial"
    ALLOWLIST_OUTDATED = "allowlist_outdated"
    WRONG_REGION = "wrong_region"
    FILTER_DISGUISED_AS_WRONG_PASSWORD = "filter_disguised_as_wrong_password"  # noqa: S105 - a name, no password
    WRONG_HOST = "wrong_host"
    WRONG_PORT = "wrong_port"
    WRONG_TLS_MODE = "wrong_tls_mode"
    CERTIFICATE = "certificate"
    WRONG_CREDENTIALS = "wrong_credentials"
    BANNED = "banned"
    REPUTATION = "reputation"
    GEOGRAPHIC = "geographic"
    INTERNAL_HOST = "internal_host"
    ADDRESS_FAMILY = "address_family"
    SERVER_DOWN = "server_down"
    OWN_EXIT_BROKEN = "own_exit_broken"
    INCONCLUSIVE = "inconclusive"


class Reader(StrEnum):
    """Who reads a verdict; each has next steps in words of their own."""

    END_USER = "end_user"
    DEVELOPER = "developer"
    MAIL_ADMINISTRATOR = "mail_administrator"
    SUPPORT = "support"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is concluded about one part of the question: a service, and there maybe one address.

    Attributes:
        row: the row of the table that matched.
        proof: ids of the probes that prove it.
        facts: what the row has found out, for the words: names of addresses, ports, list, cause.
    """

    code: Code
    confidence: float
    row: str
    service: Service | None = None
    address: str = ""
    proof: tuple[int, ...] = ()
    facts: dict[str, list[str]] = {}


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """One conclusion, for four readers.

    Attributes:
        confidence: 0 to 1: how often such a conclusion is right.
        summary: a sentence or two, in plain words.
        row: the row of the table that matched, and ``proof`` the probes that prove it.
        findings: what was concluded about each service and address, from which the verdict follows.
        caveats: what could not be told apart, or was not looked at.
        servers: what would work instead, as ``imap mail.example.com:993 implicit``.
    """

    code: Code
    confidence: float
    summary: str
    next_steps: dict[Reader, list[str]]
    row: str
    proof: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()
    caveats: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
