"""The article's tree, S16 to S21, over what happened to an account anyway: the first row that matches counts.

D: the dynamic addresses, S: the static ones, from which every authentication of v3 leaves (S14). "Let in": the server
took a connection and, as far as is known, served it. "Kept out": it looks like a filter. Where ``table.py`` compares
two groups at one moment, time lies between what is compared here: so a row says less, and what nobody can tell is left
to probes. What is below ``LEAST`` is told to who asks, and never raised: so is all that rests on one lost connection,
on an exit of ours of which nothing shows that it worked, and on a success of before alone.
"""

from collections.abc import Sequence

from mooring.diagnosis.passive.past import KEPT_OUT, READING, Past, between, episodes
from mooring.diagnosis.passive.weighing import (
    AGAIN,
    APART,
    FAINT,
    LEAST,
    SEVERAL,
    Row,
    chance,
    chance_of_not_sent,
    found,
    in_order,
    is_lasting,
    kept_out_now,
    lacks_proof,
    remembered,
    said,
)
from mooring.diagnosis.types import Evidence, Observation, Outcome, Service, Stage, Vantage
from mooring.diagnosis.verdict.cells import SETTINGS, UNDECIDED, is_statement, is_theirs
from mooring.diagnosis.verdict.combine import Conclusion
from mooring.diagnosis.verdict.rows import BAN, LATELY
from mooring.diagnosis.verdict.types import Code, Finding
from mooring.egress import Traffic


def our_own_exit(past: Past) -> Finding | None:
    """own_exit_broken: the latest of what was to leave could not, because of us; or an exit opens nothing elsewhere."""
    seen = past.evidence.observations
    last = [o for o in seen if o.vantage is seen[-1].vantage] if seen else []
    ours = [o for o in last if o.outcome is Outcome.OURS]
    decided = [o for o in last if o.outcome not in UNDECIDED]
    if not ours or (decided and decided[-1].at > ours[-1].at):
        return _dead_exit(past)
    exits = sorted({f"{o.source} ({o.source_address})" if o.source else o.environment for o in ours})
    return found(our_own_exit, Code.OWN_EXIT_BROKEN, 0.9, ours[-3:], exits=exits, detail=[ours[-1].detail])


def _dead_exit(past: Past) -> Finding | None:
    """An exit that a group left by last, and that no other host answers: for sure where these did before."""
    for vantage in (Vantage.DYNAMIC, Vantage.STATIC):
        seen = [o for o in past.evidence.observations if o.vantage is vantage and o.outcome not in UNDECIDED]
        control = past.control(seen[-1].source) if seen else None
        if control is None or control.works or not control.detail or seen[-1].outcome not in KEPT_OUT:
            continue
        silent = [o for o in seen if o.source == control.source and o.outcome in KEPT_OUT]
        return found(
            our_own_exit, Code.OWN_EXIT_BROKEN, 0.9 if control.works is False else FAINT, silent[-3:],
            exits=[f"{control.source} ({control.source_address})"], detail=[control.detail],
        )  # fmt: skip
    return None


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
                return found(s16_settings, Code.CERTIFICATE, 0.9, wrong[-3:], cause=[wrong[-1].detail])
            case Outcome.NOT_TLS | Outcome.NO_STARTTLS:
                return found(s16_settings, Code.WRONG_TLS_MODE, 0.7, wrong[-3:])
            case _:
                return found(s16_settings, Code.WRONG_PORT, 0.6, wrong[-3:])
    return None


def s17_part_of_the_list(past: Past) -> Finding | None:
    """S17, allowlist_partial: some addresses of S are let in, and others never are, at the same time."""
    for target in past.targets:
        by_source: dict[str, list[Observation]] = {}
        for o in past.static(target.service).seen:
            by_source.setdefault(o.source_address, []).append(o)
        missing = [a for a, seen in by_source.items() if all(o.outcome in KEPT_OUT for o in seen)]
        allowed = [a for a, seen in by_source.items() if all(o.outcome is Outcome.REACHED for o in seen)]
        out = past.founded(in_order(o for a in missing for o in by_source[a]))
        into = between(in_order(o for a in allowed for o in by_source[a]), out)
        if not into or chance(out, into) < LEAST:
            continue
        return found(
            s17_part_of_the_list, Code.ALLOWLIST_PARTIAL, chance(out, into), (*out[-3:], *into[-2:]),
            missing=list(dict.fromkeys(o.source_address for o in out)), allowed=allowed,
        )  # fmt: skip
    return None


def s17_not_allowed(past: Past) -> Finding | None:
    """S17, allowlist_missing: S is kept out, and something shows that the server lives and filters: it says so, or lets
    D in meanwhile; less surely that it has let S in before, or answers at another port.
    """
    out = kept_out_now(past)
    if not out:
        return None
    missing = [e.address for e in past.evidence.exits if e.vantage is Vantage.STATIC]
    statements = [o for o in out if is_statement(o) or (o.outcome is Outcome.REJECTED and is_theirs(o))]
    if statements:
        cause = said(statements)
        return found(s17_not_allowed, Code.ALLOWLIST_MISSING, 0.85, statements[-3:], missing=missing, cause=cause)
    founded = past.founded(out)
    if len(episodes(founded)) < SEVERAL:
        return None
    dynamic = between(past.strand(Vantage.DYNAMIC, *Traffic, services={out[0].service}).let_in, founded)
    if dynamic:
        return found(s17_not_allowed, Code.ALLOWLIST_MISSING, 0.75, (*out[-3:], *dynamic[-2:]), missing=missing)
    if not is_lasting(founded) or all(o.outcome is Outcome.RESET for o in out):
        return None
    earlier = past.static(out[0].service).let_in
    if earlier:
        last = earlier[-1].at.isoformat(timespec="seconds")
        return found(
            s17_not_allowed, Code.ALLOWLIST_MISSING, FAINT, (*out[-3:], earlier[-1]), missing=missing, earlier=[last]
        )  # fmt: skip
    others = past.strand(Vantage.STATIC, *Traffic, services={*Service} - {out[0].service})
    elsewhere = between([o for o in others.let_in if o.host == out[0].host], founded)
    if not elsewhere:
        return None
    opened, closed = ([str(s) for s in dict.fromkeys(o.service for o in group)] for group in (elsewhere, out))
    return found(
        s17_not_allowed, Code.ALLOWLIST_PARTIAL, FAINT, (*out[-3:], *elsewhere[-2:]),
        open_services=opened, closed_services=closed,
    )  # fmt: skip


def s19_refused(past: Past) -> Finding | None:
    """S19, wrong_credentials: S is let in, and still nobody is authenticated: it is not a matter of addresses."""
    static = past.strand(Vantage.STATIC, *Traffic)
    refused = static.of(Outcome.CREDENTIALS)
    if refused and not any(o.at > refused[-1].at and o.depth is refused[-1].depth for o in static.let_in):
        return found(s19_refused, Code.WRONG_CREDENTIALS, 0.85, refused[-3:], cause=said(refused[-1:]))
    into = past.authentications.let_in
    if not into or past.has_authenticated or past.authentications.now:
        return None
    return found(s19_refused, Code.WRONG_CREDENTIALS, LEAST, into[-3:])


def s16_nothing_answers(past: Past) -> Finding | None:
    """S16, server_down: S is kept out, and nothing says that the server filters: first the name and the port."""
    out = kept_out_now(past)
    if not out or past.reading(Vantage.DYNAMIC, out[0].service).since(out[0].at).let_in:
        return None
    confidence = LEAST if is_lasting(past.founded(out)) else 0.5
    return found(
        s16_nothing_answers, Code.SERVER_DOWN, confidence, out[-3:], cause=sorted({str(o.outcome) for o in out})
    )  # fmt: skip


def s18_password_is_a_filter(past: Past) -> Finding | None:
    """S18, filter_disguised_as_wrong_password: accepted at the authentication, from S, and since then never from D."""
    answers = past.reading(Vantage.DYNAMIC).of(Outcome.CREDENTIALS, Outcome.POLICY)
    refused = tuple(o for o in answers if o.stage is Stage.LOGIN)
    account = past.account
    if not refused or account is None or account.synced_at is not None:
        return None
    into = past.authentications.let_in[-1:]
    return found(
        s18_password_is_a_filter, Code.FILTER_DISGUISED_AS_WRONG_PASSWORD, 0.8 if into else LEAST,
        (*refused[-3:], *into), cause=said(refused[-1:]),
    )  # fmt: skip


def s18_objects_cannot_be_retrieved(past: Past) -> Finding | None:
    """S18, needed: the authentication got in from S, and D, which reads, is kept out. Each service for itself."""
    about_each = (_cannot_be_retrieved(past, service) for service in READING)
    return next((finding for finding in about_each if finding is not None), None)


def _cannot_be_retrieved(past: Past, service: Service) -> Finding | None:
    out = past.founded(past.reading(Vantage.DYNAMIC, service).now)
    s = past.static(service)
    if not out or not past.has_authenticated or s.now:
        return None
    explicit = any(map(is_statement, out))
    if not explicit and len(episodes(out)) < SEVERAL:
        return None
    meanwhile = between(s.let_in, out)
    worked_at = past.worked_from_dynamic(service, out)
    if worked_at is not None and not meanwhile:
        return None  # it worked, and nobody else has got in while it did not: it may simply be down
    into = meanwhile if worked_at is not None else s.let_in
    admitted = into or remembered(past)
    if not admitted:
        return None
    likely = chance(out, admitted)
    confidence = min(likely, 1.0 if meanwhile else APART, AGAIN if worked_at is not None else 1.0)
    if confidence < LEAST:
        return None
    proof = (*out[-3:], *into[-2:])
    sources = sorted({o.source_address for o in out})
    # A ban ends, and a rule does not.
    lately = worked_at is not None and out[0].at - worked_at < LATELY and out[-1].at - out[0].at < LATELY
    if lately and len(sources) == 1:
        until = (out[-1].at + BAN).isoformat(timespec="minutes")
        return found(
            s18_objects_cannot_be_retrieved, Code.BANNED, LEAST, proof, sources=sources, until=[until],
            cause=said(out[-1:]),
        )  # fmt: skip
    return found(s18_objects_cannot_be_retrieved, Code.NEEDED, confidence, proof, cause=said(out[-3:]))


def s20_not_sent(past: Past) -> Finding | None:
    """S20, needed_for_sending_only: D reads, and is kept out where it sends. A time-out means: likely."""
    d = past.sending(Vantage.DYNAMIC)
    out, founded = d.now, past.founded(d.now)
    if not out or not past.reads(Vantage.DYNAMIC):
        return None
    into = past.static(Service.SMTP).let_in
    meanwhile = between(into, founded)
    if d.let_in and not meanwhile and not any(map(is_statement, out)):
        return None  # it was sent by before, and nobody else has got in since: it may simply be down
    confidence = chance_of_not_sent(founded, into) if founded else FAINT
    if d.let_in:
        confidence = min(confidence, LEAST)
    return found(
        s20_not_sent, Code.NEEDED_FOR_SENDING_ONLY, confidence, (*out[-3:], *into[-1:]), cause=said(out[-3:])
    )  # fmt: skip


def s20_refused_for_another_reason(past: Past) -> Finding | None:
    """S20, not_needed: sending fails by what the server says of the letter, or of the login: no matter of addresses."""
    d, read = past.sending(Vantage.DYNAMIC), past.reading(Vantage.DYNAMIC)
    last = d.seen[-1:] if d.seen and d.seen[-1].outcome in {Outcome.FAILED, Outcome.CREDENTIALS} else ()
    if not last or not past.reads(Vantage.DYNAMIC):
        return None
    if last[0].outcome is Outcome.CREDENTIALS:
        return found(s20_refused_for_another_reason, Code.WRONG_CREDENTIALS, LEAST, last, cause=said(last))
    return found(s20_refused_for_another_reason, Code.NOT_NEEDED, 0.75, (*last, *read.let_in[-1:]))


def s21_all_works(past: Past) -> Finding | None:
    """S21, not_needed: authenticated, read from D, sent from D where something was sent."""
    read, send = past.reading(Vantage.DYNAMIC), past.sending(Vantage.DYNAMIC)
    account = past.account
    if not past.reads(Vantage.DYNAMIC) or (send.seen and not send.works):
        return None
    if account is not None and not account.is_in_step:
        return None
    confidence = 0.95 if send.let_in else 0.9
    return found(s21_all_works, Code.NOT_NEEDED, confidence, (*read.let_in[-2:], *send.let_in[-1:]))


def s21_already_on(past: Past) -> Finding | None:
    """S21: all works, from S alone. Whether D would do nobody has seen: no further action, and no verdict about D."""
    read = past.reading(Vantage.STATIC)
    account = past.account
    if not past.reads(Vantage.STATIC) or past.reading(Vantage.DYNAMIC).seen:
        return None
    if account is not None and not account.is_in_step:
        return None
    return found(
        s21_already_on, Code.INCONCLUSIVE, 0.5, read.let_in[-2:],
        detail=["All works from the static addresses, which are in use already; the dynamic ones were not tried"],
    )  # fmt: skip


def too_little(past: Past) -> Finding | None:
    """inconclusive: too little has happened, or what happened is contradictory."""
    seen = past.evidence.observations
    detail = "In the last days there was no connection with it" if not seen else "What happened anyway is too little"
    decides = [f"{detail}: a diagnosis with probes decides it"]
    if lacks_proof(past):
        decides.append("Nothing shows that our own way out worked while it was not answered")
    return found(too_little, Code.INCONCLUSIVE, 0.5, seen[-6:], detail=decides)


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
    finding = next(finding for row in ROWS if (finding := row(past)) is not None)
    caveats = ["passive"]
    if finding.code is Code.WRONG_CREDENTIALS:
        caveats.append("filter_may_look_like_this")
    if finding.code is Code.SERVER_DOWN and lacks_proof(past):
        caveats.append("exit_unproved")
    if finding.code is Code.NEEDED_FOR_SENDING_ONLY:
        caveats.append("port_may_be_blocked_here")
    return Conclusion(finding, (finding,), tuple(caveats))
