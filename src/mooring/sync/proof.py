"""Whether an account may move: from what was seen of its servers, by the rules of B8 alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mooring.grants import ServerSeen


@dataclass(frozen=True, slots=True)
class Finding:
    """One of the account's servers, as it received the new side.

    Attributes:
        protocol: ``IMAP``, ``SMTP`` or ``CalDAV``.
        failure: in the shape of ``provider_error`` with a ``message``; None: it let us in.
        works_today: whether it lets the old side in; asked only where the new one is not let in.
        is_ours: our own exit failed, and the server said nothing.
    """

    protocol: str
    failure: dict[str, Any] | None = None
    works_today: bool = False
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to move.

    Attributes:
        stops: why not, in the shape of ``provider_error`` with a ``message``; None: move.
        warnings: what was found and does not stand in the way.
    """

    stops: dict[str, Any] | None
    warnings: tuple[str, ...]


def judge(
    findings: Sequence[Finding],
    *,
    before: ServerSeen | None,
    now: ServerSeen | None,
    works_today: bool,
    is_owed: bool = False,
) -> Verdict:
    """Whether the account is at least as well off on the new side.

    A server that lets neither side in is no reason to stay: nothing is lost, and the address that the administrator
    has to allow is the new one.

    Args:
        before: the server as the session found it that synchronises; None when there has been none.
        now: as the new session found it; None when there is none.
        works_today: whether the account is synchronised where it is.
        is_owed: it has to move whatever is found: it has no right to where it is.
    """
    stops: list[dict[str, Any]] = []
    warnings: list[str] = []
    for finding in findings:
        if finding.failure is not None and (finding.is_ours or finding.works_today):
            stops.append(finding.failure)
        elif finding.failure is not None:
            warnings.append(f"{finding.protocol} lets neither side in: {finding.failure['message']}")
    if before is not None and now is not None:
        if None not in {before.uid_validity, now.uid_validity} and before.uid_validity != now.uid_validity:
            said = (
                f"The inbox has another UIDVALIDITY from the new side ({now.uid_validity} instead of "
                f"{before.uid_validity}), so it may be another mailbox."
            )
            if works_today:
                stops.append({"stage": "list", "reason": "uid_validity", "message": said})
            else:
                warnings.append(said)
        warnings += _differences(before, now)
    if is_owed:
        warnings += [str(stop["message"]) for stop in stops]
        stops = []
    return Verdict(stops[0] if stops else None, tuple(warnings))


def _differences(before: ServerSeen, now: ServerSeen) -> list[str]:
    """What is different and may be right: a verified certificate with another key, another machine of the cluster."""
    found: list[str] = []
    if before.remote != now.remote:
        found.append(f"The server was reached at {now.remote} instead of {before.remote}.")
    if before.certificate_key and before.certificate_key != now.certificate_key:
        found.append("The server's certificate has another key; it was verified.")
    if before.capabilities != now.capabilities:
        missing = sorted(set(before.capabilities) - set(now.capabilities))
        added = sorted(set(now.capabilities) - set(before.capabilities))
        words = [*(f"no {name} any more" for name in missing), *(f"{name} besides" for name in added)]
        found.append(f"The server offers other capabilities: {', '.join(words)}.")
    return found
