"""The article's tree, S16 to S21, over what happened to an account anyway: the first row that matches counts.

D: the dynamic addresses, S: the static ones, from which every authentication of v3 leaves (S14). "Let in": the server
took a connection and, as far as is known, served it. "Kept out": it looks like a filter. Where ``table.py`` compares
two groups at one moment, time lies between what is compared here: so a row says less, and what nobody can tell is left
to probes.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from mooring.diagnosis.passive.past import Past
from mooring.diagnosis.types import Evidence, Observation, Outcome, Service, Stage, Vantage
from mooring.diagnosis.verdict.cells import FILTERS, SETTINGS, UNDECIDED, is_statement
from mooring.diagnosis.verdict.combine import Conclusion
from mooring.diagnosis.verdict.odds import chance_of_filter
from mooring.diagnosis.verdict.rows import BAN, LATELY
from mooring.diagnosis.verdict.types import Code, Finding
from mooring.egress import Traffic

APART = 0.9
"""The most that is said where all that was let in came before the first that was kept out: the server may have gone
down in between."""
AGAIN = 0.8
"""The most that is said of a side that was let in before: a ban looks the same as a new rule."""
AT_ONCE_S = 10
"""Seconds within which failures are one failure."""
LEAST = 0.6
"""From here on a difference is told; below it, more has to happen first, or probes have to be sent."""
SEND_SILENT, SEND_REFUSED = 0.85, 0.7
"""How sure S20 is where sending alone fails: a time-out means "likely"; all else depends on the exact error."""

Row = Callable[[Past], Finding | None]


def our_own_exit(past: Past) -> Finding | None:
    """own_exit_broken: the latest of what was to leave could not, because of us."""
    seen = past.evidence.observations
    last = [o for o in seen if o.vantage is seen[-1].vantage] if seen else []
    ours = [o for o in last if o.outcome is Outcome.OURS]
    decided = [o for o in last if o.outcome not in UNDECIDED]
    if not ours or (decided and decided[-1].at > ours[-1].at):
        return None
    exits = sorted({f"{o.source} ({o.source_address})" if o.source else o.environment for o in ours})
    return _found(our_own_exit, Code.OWN_EXIT_BROKEN, 0.9, ours[-3:], exits=exits, detail=[ours[-1].detail])


def s16_name(past: Past) -> Finding | None:
    """S16, wrong_host: before all else the name: it leads nowhere, or to private addresses only (internal_host)."""
    for lookup in past.evidence.lookups:
        service = next(t.service for t in past.targets if t.host == lookup.host)
        match lookup.problem:
            case "no_such_name":
                return Finding(Code.WRONG_HOST, 0.9, s16_name.__name__, service, facts={"detail": [lookup.detail]})
            case "private":
                return Finding(Code.INTERNAL_HOST, 0.9, s16_name.__name__, service, facts={"detail": [lookup.detail]})
            case _:
                pass
    return None


def s16_settings(past: Past) -> Finding | None:
    """S16, wrong_tls_mode, wrong_port, certificate: the server speaks to us, and not as the settings say."""
    for target in past.targets:
        seen = [o for o in past.evidence.observations if o.service is target.service and o.outcome not in UNDECIDED]
        wrong = [o for o in seen if o.outcome in SETTINGS]
        if not wrong or any(o.outcome is Outcome.REACHED and o.at > wrong[-1].at for o in seen):
            continue
        match wrong[-1].outcome:
            case Outcome.CERTIFICATE:
                return _found(s16_settings, Code.CERTIFICATE, 0.9, wrong[-3:], cause=[wrong[-1].detail])
            case Outcome.NOT_TLS | Outcome.NO_STARTTLS:
                return _found(s16_settings, Code.WRONG_TLS_MODE, 0.7, wrong[-3:])
            case _:
                return _found(s16_settings, Code.WRONG_PORT, 0.6, wrong[-3:])
    return None


def s17_part_of_the_list(past: Past) -> Finding | None:
    """S17, allowlist_partial: some addresses of S are let in, and others never are."""
    by_source: dict[str, list[Observation]] = {}
    for o in past.static.seen:
        by_source.setdefault(o.source_address, []).append(o)
    missing = [a for a, seen in by_source.items() if all(o.outcome in FILTERS for o in seen)]
    allowed = [a for a, seen in by_source.items() if all(o.outcome is Outcome.REACHED for o in seen)]
    if not (missing and allowed):
        return None
    out = [o for a in missing for o in by_source[a]]
    into = [o for a in allowed for o in by_source[a]]
    services = {o.service for o in out} & {o.service for o in into}
    chance = _chance(_episodes(out), into)
    if not services or chance < LEAST:
        return None
    return _found(
        s17_part_of_the_list, Code.ALLOWLIST_PARTIAL, min(chance, _most(out, into)), (*out[-3:], *into[-2:]),
        missing=missing, allowed=allowed,
    )  # fmt: skip


def s17_not_allowed(past: Past) -> Finding | None:
    """S17, allowlist_missing: S is kept out, and something shows that the server lives and filters: it says so, or lets
    D in, or has let S in before, or answers at another port.
    """
    out = _kept_out_now(past)
    if not out:
        return None
    missing = [e.address for e in past.evidence.exits if e.vantage is Vantage.STATIC]
    statements = [o for o in out if is_statement(o) or o.outcome is Outcome.REJECTED]
    if statements:
        cause = _said(statements)
        return _found(s17_not_allowed, Code.ALLOWLIST_MISSING, 0.85, statements[-3:], missing=missing, cause=cause)
    since = out[0].at
    dynamic = past.strand(Vantage.DYNAMIC, *Traffic, services={o.service for o in out}).since(since).let_in
    elsewhere = [o for o in past.static.since(since).let_in if (o.host, o.port) != (out[0].host, out[0].port)]
    if elsewhere:
        opened, closed = ([str(s) for s in dict.fromkeys(o.service for o in group)] for group in (elsewhere, out))
        return _found(
            s17_not_allowed, Code.ALLOWLIST_PARTIAL, 0.75, (*out[-3:], *elsewhere[-2:]),
            open_services=opened, closed_services=closed,
        )  # fmt: skip
    if dynamic:
        return _found(s17_not_allowed, Code.ALLOWLIST_MISSING, 0.75, (*out[-3:], *dynamic[-2:]), missing=missing)
    earlier = past.static.let_in
    if earlier and not all(o.outcome is Outcome.RESET for o in out):
        last = earlier[-1].at.isoformat(timespec="seconds")
        return _found(
            s17_not_allowed, Code.ALLOWLIST_MISSING, LEAST, (*out[-3:], earlier[-1]), missing=missing, earlier=[last]
        )  # fmt: skip
    return None


def s19_refused(past: Past) -> Finding | None:
    """S19, wrong_credentials: S is let in, and still nobody is authenticated: it is not a matter of addresses."""
    refused = past.static.of(Outcome.CREDENTIALS)
    if refused and not any(o.at > refused[-1].at and o.depth is refused[-1].depth for o in past.static.let_in):
        return _found(s19_refused, Code.WRONG_CREDENTIALS, 0.85, refused[-3:], cause=_said(refused[-1:]))
    into = past.authentications.let_in
    if not into or past.has_authenticated or past.authentications.now:
        return None
    return _found(s19_refused, Code.WRONG_CREDENTIALS, LEAST, into[-3:])


def s16_nothing_answers(past: Past) -> Finding | None:
    """S16, server_down: S is kept out, and nothing says that the server filters: first the name and the port."""
    out = _kept_out_now(past)
    if not out or past.reading(Vantage.DYNAMIC).let_in:
        return None
    return _found(s16_nothing_answers, Code.SERVER_DOWN, LEAST, out[-3:], cause=sorted({str(o.outcome) for o in out}))


def s18_password_is_a_filter(past: Past) -> Finding | None:
    """S18, filter_disguised_as_wrong_password: accepted at the authentication, from S, and since then never from D."""
    answers = past.reading(Vantage.DYNAMIC).of(Outcome.CREDENTIALS, Outcome.POLICY)
    refused = tuple(o for o in answers if o.stage is Stage.LOGIN)
    account = past.account
    if not refused or account is None or account.synced_at is not None:
        return None
    into = past.authentications.let_in[-1:]
    return _found(
        s18_password_is_a_filter, Code.FILTER_DISGUISED_AS_WRONG_PASSWORD, 0.8 if into else LEAST,
        (*refused[-3:], *into), cause=_said(refused[-1:]),
    )  # fmt: skip


def s18_objects_cannot_be_retrieved(past: Past) -> Finding | None:
    """S18, needed: the authentication got in from S, and D, which reads, is kept out."""
    d, s = past.reading(Vantage.DYNAMIC), past.static
    out = d.now
    into = s.let_in or _remembered(past)
    if not (out and into) or not past.has_authenticated or _kept_out_now(past):
        return None
    before = d.let_in
    since = s.since(out[0].at).let_in
    if before and not since:
        return None  # it worked, and nobody else has got in since: it may simply be down
    chance = _chance(_episodes(out), since or into, explicit=any(map(is_statement, out)))
    confidence = min(chance, AGAIN if before else _most(out, into))
    if confidence < LEAST:
        return None
    proof = (*out[-3:], *(o for o in (since or into)[-2:] if isinstance(o, Observation)))
    sources = sorted({o.source_address for o in out})
    if before and len(sources) == 1 and out[0].at - before[-1].at < LATELY:
        until = (out[-1].at + BAN).isoformat(timespec="minutes")
        return _found(
            s18_objects_cannot_be_retrieved, Code.BANNED, LEAST, proof, sources=sources, until=[until],
            cause=_said(out[-1:]),
        )  # fmt: skip
    return _found(s18_objects_cannot_be_retrieved, Code.NEEDED, confidence, proof, cause=_said(out[-3:]))


def s20_not_sent(past: Past) -> Finding | None:
    """S20, needed_for_sending_only: D reads, and is kept out where it sends. A time-out means: likely."""
    d = past.sending(Vantage.DYNAMIC)
    out = d.now
    read = past.reading(Vantage.DYNAMIC)
    if not out or not read.let_in or read.now:
        return None
    into = past.strand(Vantage.STATIC, *Traffic, services=(Service.SMTP,)).let_in
    silent = all(o.outcome in {Outcome.SILENT, Outcome.MUTE} for o in out)
    likely = SEND_SILENT if silent or any(map(is_statement, out)) else SEND_REFUSED
    confidence = (
        max(likely, min(_chance(_episodes(out), into), _most(out, into))) if into else min(likely, SEND_REFUSED)
    )
    if d.let_in:
        confidence = min(confidence, LEAST)
    return _found(
        s20_not_sent, Code.NEEDED_FOR_SENDING_ONLY, confidence, (*out[-3:], *into[-1:]), cause=_said(out[-3:])
    )  # fmt: skip


def s20_refused_for_another_reason(past: Past) -> Finding | None:
    """S20, not_needed: sending fails by what the server says of the letter, or of the login: no matter of addresses."""
    d, read = past.sending(Vantage.DYNAMIC), past.reading(Vantage.DYNAMIC)
    last = d.seen[-1:] if d.seen and d.seen[-1].outcome in {Outcome.FAILED, Outcome.CREDENTIALS} else ()
    if not last or not read.let_in or read.now:
        return None
    if last[0].outcome is Outcome.CREDENTIALS:
        return _found(s20_refused_for_another_reason, Code.WRONG_CREDENTIALS, LEAST, last, cause=_said(last))
    return _found(s20_refused_for_another_reason, Code.NOT_NEEDED, 0.75, (*last, *read.let_in[-1:]))


def s21_all_works(past: Past) -> Finding | None:
    """S21, not_needed: authenticated, read from D, sent from D where something was sent."""
    read, send = past.reading(Vantage.DYNAMIC), past.sending(Vantage.DYNAMIC)
    account = past.account
    if not read.let_in or read.now or send.now or (account is not None and not account.is_in_step):
        return None
    confidence = 0.95 if send.let_in else 0.9
    return _found(s21_all_works, Code.NOT_NEEDED, confidence, (*read.let_in[-2:], *send.let_in[-1:]))


def s21_already_on(past: Past) -> Finding | None:
    """S21: all works, from S alone. Whether D would do nobody has seen: no further action, and no verdict about D."""
    read = past.reading(Vantage.STATIC)
    account = past.account
    if not read.let_in or read.now or past.reading(Vantage.DYNAMIC).seen:
        return None
    if account is not None and not account.is_in_step:
        return None
    return _found(
        s21_already_on, Code.INCONCLUSIVE, 0.5, read.let_in[-2:],
        detail=["All works from the static addresses, which are in use already; the dynamic ones were not tried"],
    )  # fmt: skip


def too_little(past: Past) -> Finding | None:
    """inconclusive: too little has happened, or what happened is contradictory."""
    seen = past.evidence.observations
    detail = "In the last days there was no connection with it" if not seen else "What happened anyway is too little"
    return _found(
        too_little, Code.INCONCLUSIVE, 0.5, seen[-6:], detail=[f"{detail}: a diagnosis with probes decides it"]
    )


ROWS: Sequence[Row] = (
    our_own_exit,
    s16_name,
    s16_settings,
    s17_part_of_the_list,
    s17_not_allowed,
    s16_nothing_answers,
    s18_password_is_a_filter,
    s19_refused,
    s18_objects_cannot_be_retrieved,
    s20_not_sent,
    s20_refused_for_another_reason,
    s21_all_works,
    s21_already_on,
    too_little,
)
"""In the order in which they are asked."""


def conclude_from_the_past(evidence: Evidence) -> Conclusion:
    """What follows from what happened anyway. The same evidence always leads to the same."""
    past = Past(evidence)
    finding = next(found for row in ROWS if (found := row(past)) is not None)
    caveats = ["passive"]
    if finding.code is Code.WRONG_CREDENTIALS:
        caveats.append("filter_may_look_like_this")
    return Conclusion(finding, (finding,), tuple(caveats))


def _found(row: Row, code: Code, confidence: float, proof: Sequence[Observation], **facts: Sequence[str]) -> Finding:
    services = {o.service for o in proof}
    return Finding(
        code, round(confidence, 3), row.__name__, services.pop() if len(services) == 1 else None,
        proof=tuple(dict.fromkeys(o.probe for o in proof)),
        facts={name: kept for name, values in facts.items() if (kept := [v for v in values if v])},
    )  # fmt: skip


def _kept_out_now(past: Past) -> tuple[Observation, ...]:
    """What S is kept out from just now, at one service: the latest."""
    services = {t.service: past.strand(Vantage.STATIC, *Traffic, services=(t.service,)).now for t in past.targets}
    return max((out for out in services.values() if out), key=lambda out: out[-1].at, default=())


def _remembered(past: Past) -> tuple[datetime, ...]:
    """The authentication that made the grant, where the ledger has it no more."""
    if past.account is None or past.evidence.question.generation != "v3":
        return ()
    return (past.account.authenticated_at,)


def _episodes(out: Sequence[Observation]) -> list[Observation]:
    """One for each address of the server and ten seconds: what is tried all at once fails together."""
    return list({(o.address, o.source_address, int(o.at.timestamp() // AT_ONCE_S)): o for o in out}.values())


def _said(observations: Sequence[Observation]) -> list[str]:
    """How these ended: in the server's words where it had any."""
    return list(dict.fromkeys(o.said or str(o.outcome) for o in observations))[:3]


def _chance(out: Sequence[Observation], into: Sequence[object], *, explicit: bool = False) -> float:
    return chance_of_filter(
        blocked_failed=len(out), blocked_reached=0, admitted_failed=0, admitted_reached=len(into),
        explicit=explicit or any(map(is_statement, out)),
    )  # fmt: skip


def _most(out: Sequence[Observation], into: Sequence[Observation] | Sequence[datetime]) -> float:
    """The most that can be said, by what came after what."""
    first = out[0].at
    after = any((o.at if isinstance(o, Observation) else o) > first for o in into)
    return 1.0 if after else APART
