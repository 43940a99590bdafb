"""The table: from what each group of ours saw of one service at one address to what that means. The first row that
matches counts (spec §6.17; facts/egress 5.5). Each row is a function of a few lines; its docstring is the row.

D: the dynamic addresses, S: the static ones. "Let in": the server spoke to us. "Kept out": it looks like a filter.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from math import comb

from mooring.diagnosis.cells import (
    FILTERS,
    SETTINGS,
    UNANSWERED,
    Cell,
    State,
    is_statement,
    logged_in,
)
from mooring.diagnosis.odds import CALL, chance_of_filter
from mooring.diagnosis.types import Code, Finding, Observation, Outcome, Service, Stage, Vantage

UNPROVED = 0.8
"""The most that is said where nothing proves that our own way out of the silent side works."""
LATELY = timedelta(hours=1)
"""What worked so shortly ago and does not now is a ban sooner than a new rule."""
BAN = timedelta(minutes=10)
"""Default bantime of fail2ban 1.0; banned for longer after repeats."""

RELAY_PORT = 25
"""Servers speak to servers there: it shows that the host lives, and is nothing to send by."""

Row = Callable[[Cell], Finding | None]


def judge_cell(cell: Cell) -> Finding:
    """What is concluded about this service at this address."""
    for row in ROWS:
        finding = row(cell)
        if finding is not None:
            return finding
    return _found(too_little, cell, Code.INCONCLUSIVE, 0.5, cell.asked)


def both_reach(cell: Cell) -> Finding | None:
    """not_needed: D and S reach everything that is asked for."""
    d, s = cell.dynamic, cell.static
    if not (d.reached and s.reached and d.all_are(Outcome.REACHED) and s.all_are(Outcome.REACHED)):
        return None
    if cell.layout.question.with_credentials and logged_in(s.seen) and not logged_in(d.seen):
        return None
    confidence = 0.98 if cell.layout.question.with_credentials and logged_in(d.seen) else 0.95
    return _found(both_reach, cell, Code.NOT_NEEDED, confidence, (*d.reached[:1], *s.reached[:1]))


def own_exit_is_broken(cell: Cell) -> Finding | None:
    """own_exit_broken: the exits of D or of S do not work at all, so there is nothing to compare."""
    broken = [v for v in (Vantage.DYNAMIC, Vantage.STATIC) if cell.layout.is_unusable(v, cell.family)]
    if not broken:
        return None
    exits = [f"{e.source} ({e.address})" for v in broken for e in cell.layout.broken(v, cell.family)]
    proof = [o for o in cell.layout.evidence.observations if o.vantage in broken and o.family == cell.family]
    return _found(own_exit_is_broken, cell, Code.OWN_EXIT_BROKEN, 0.95, proof, exits=exits)


def password_is_a_filter(cell: Cell) -> Finding | None:
    """filter_disguised_as_wrong_password: the same credential is accepted from S and refused from D."""
    accepted, refused = logged_in(cell.static.seen), cell.dynamic.of(Outcome.CREDENTIALS)
    if not (accepted and refused) or logged_in(cell.dynamic.seen):
        return None
    return _found(
        password_is_a_filter, cell, Code.FILTER_DISGUISED_AS_WRONG_PASSWORD, 0.97, (*accepted, *refused),
        cause=_words(refused),
    )  # fmt: skip


def credentials_are_wrong(cell: Cell) -> Finding | None:
    """wrong_credentials: refused from S, and from D where that was tried."""
    refused = cell.static.of(Outcome.CREDENTIALS)
    if not refused or logged_in(cell.own.seen):
        return None
    return _found(credentials_are_wrong, cell, Code.WRONG_CREDENTIALS, 0.85, refused, cause=_words(refused))


def certificate_is_wrong(cell: Cell) -> Finding | None:
    """certificate: TLS works, and the certificate does not verify, from S (and from D where it was let in)."""
    shown = cell.static.of(Outcome.CERTIFICATE) or cell.dynamic.of(Outcome.CERTIFICATE)
    if not shown or cell.own.reached:
        return None
    names = [n for o in shown[:1] if o.certificate for n in o.certificate.names]
    first = shown[0]
    problem = [(first.certificate.problem if first.certificate else "") or first.detail]
    return _found(certificate_is_wrong, cell, Code.CERTIFICATE, 0.97, shown, names=names, cause=problem)


def tls_mode_is_wrong(cell: Cell) -> Finding | None:
    """wrong_tls_mode: the same protocol is spoken, but TLS begins another way."""
    wrong = [o for o in cell.own.seen if o.outcome in {Outcome.NOT_TLS, Outcome.NO_STARTTLS}]
    if not wrong or cell.own.reached:
        return None
    spoken = {o.spoken for o in wrong} - {""}
    if spoken - {str(cell.target.service), "tls"}:
        return None
    working = _working(cell)
    return _found(tls_mode_is_wrong, cell, Code.WRONG_TLS_MODE, 0.95, (*wrong, *working), servers=_servers(working))


def protocol_is_another(cell: Cell) -> Finding | None:
    """wrong_port, or wrong_host where the host speaks the service nowhere: what answers is another protocol."""
    kinds = {Outcome.OTHER_PROTOCOL, Outcome.NOT_TLS, Outcome.NO_STARTTLS}
    wrong = [o for o in cell.own.seen if o.outcome in kinds]
    if not wrong or cell.own.reached:
        return None
    working = _working(cell)
    code = Code.WRONG_PORT if working or _is_mail_host(cell) else Code.WRONG_HOST
    spoken = sorted({o.spoken for o in wrong} - {""})
    return _found(
        protocol_is_another, cell, code, 0.9, (*wrong, *working), spoken=spoken, servers=_servers(working)
    )  # fmt: skip


def port_is_closed(cell: Cell) -> Finding | None:
    """wrong_port: the port is closed for D and S, while another mail port of the host answers both."""
    own = cell.own
    if not own.all_are(Outcome.RESET) or not cell.static.seen:
        return None
    working = _working(cell)
    if not working and not _is_mail_host(cell):
        return None
    confidence = 0.9 if working else 0.6
    return _found(port_is_closed, cell, Code.WRONG_PORT, confidence, (*own.seen, *working), servers=_servers(working))


def block_list_is_named(cell: Cell) -> Finding | None:
    """reputation: the refusal names a block list."""
    listed = cell.own.of(Outcome.LISTED)
    if not listed:
        return None
    sources = sorted({o.source_address for o in listed})
    return _found(block_list_is_named, cell, Code.REPUTATION, 0.95, listed, sources=sources, cause=_words(listed))


def server_says_too_many(cell: Cell) -> Finding | None:
    """banned: the server says itself that it is too many, too fast, or for now."""
    limited = cell.own.of(Outcome.LIMITED)
    if not limited or len(limited) < len(cell.own.kept_out):
        return None
    return _banned(server_says_too_many, cell, limited, 0.85, cause=_words(limited))


def one_source_is_banned(cell: Cell) -> Finding | None:
    """banned: one source alone is refused while the others of its group get in, or it alone worked a while ago."""
    for side in (cell.dynamic, cell.static):
        other = cell.static if side is cell.dynamic else cell.dynamic
        refused = side.refused_sources
        if len(refused) != 1 or (side.vantage is Vantage.STATIC and not other.let_in):
            continue
        seen = side.by_source()[refused[0]]
        worked = _worked_lately(cell, seen)
        alone = len(side.by_source()) > 1 and len(side.admitted_sources) == len(side.by_source()) - 1
        if not alone and not (worked and other.let_in):
            continue
        sure = _chance(
            seen, [o for o in cell.own.seen if o.source_address != refused[0]], choices=len(side.by_source())
        )
        if sure >= CALL:
            return _banned(one_source_is_banned, cell, seen, 0.9 if worked else 0.75, sources=refused)
    return None


def some_static_are_missing(cell: Cell) -> Finding | None:
    """allowlist_partial: D is kept out, and some addresses of S are let in and others are not."""
    d, s = cell.dynamic, cell.static
    if d.let_in or not (s.refused_sources and s.admitted_sources):
        return None
    missing = [o for o in s.seen if o.source_address in s.refused_sources]
    admitted = [o for o in s.seen if o.source_address in s.admitted_sources]
    sources = len(s.by_source())
    confidence = _chance(missing, admitted, choices=comb(sources, len(s.refused_sources)))
    if confidence < CALL:
        return None
    return _found(
        some_static_are_missing, cell, Code.ALLOWLIST_PARTIAL, confidence, (*missing, *admitted[:2]),
        missing=s.refused_sources, allowed=s.admitted_sources,
    )  # fmt: skip


def dynamic_is_filtered(cell: Cell) -> Finding | None:
    """needed: S is let in, D is not, often enough that it is no chance."""
    d, s = cell.dynamic, cell.static
    kept_out, let_in = d.kept_out, s.let_in
    if not (kept_out and let_in) or len(kept_out) <= len(d.let_in) or len(s.kept_out) >= len(let_in):
        return None
    if any(o.outcome in SETTINGS for o in let_in):
        return None
    confidence = _chance(d.seen, s.seen)
    if confidence < CALL:
        return None
    proved = [o for o in kept_out if o.outcome not in UNANSWERED or cell.layout.is_proved(o.source, o.family)]
    facts = {"cause": _words(kept_out), "unproved": [] if proved else sorted({o.source_address for o in kept_out})}
    return _found(
        dynamic_is_filtered, cell, Code.NEEDED, confidence if proved else min(confidence, UNPROVED),
        (*kept_out, *let_in), **facts,
    )  # fmt: skip


def recipient_is_filtered(cell: Cell) -> Finding | None:
    """needed, of SMTP: both log in, and D is refused at RCPT by policy while S is not."""
    s = [o for o in cell.static.reached if Stage.RECIPIENT in o.passed]
    d = [o for o in cell.dynamic.seen if o.stage is Stage.RECIPIENT and o.outcome is not Outcome.REACHED]
    if not (s and d):
        return None
    confidence = _chance(d, s)
    return _found(recipient_is_filtered, cell, Code.NEEDED, max(confidence, 0.9), (*d, *s), cause=_words(d))


def other_list_is_allowed(cell: Cell) -> Finding | None:
    """allowlist_outdated: neither D nor S is let in, and the static list of the other API generation is."""
    return _other_group(cell, Vantage.OTHER_GENERATION, Code.ALLOWLIST_OUTDATED)


def other_region_is_let_in(cell: Cell) -> Finding | None:
    """wrong_region, or geographic where the other region's dynamic addresses are let in as well."""
    side = cell.side(Vantage.OTHER_REGION_DYNAMIC)
    if side.let_in and not side.kept_out:
        return _other_group(cell, Vantage.OTHER_REGION_DYNAMIC, Code.GEOGRAPHIC)
    finding = _other_group(cell, Vantage.OTHER_REGION, Code.WRONG_REGION)
    if finding is None or side.kept_out:
        return finding
    # Nothing tells an allowlist from a block by country without a dynamic address over there.
    return _found(other_region_is_let_in, cell, Code.WRONG_REGION, min(finding.confidence, 0.7), cell.asked)


def nobody_is_let_in(cell: Cell) -> Finding | None:
    """allowlist_missing: neither is let in, and there is positive evidence that the server lives and filters."""
    own = cell.own
    if not cell.static.seen or own.let_in:
        return None
    statements = [o for o in own.seen if is_statement(o) or o.outcome is Outcome.REJECTED]
    if statements:
        return _missing(nobody_is_let_in, cell, 0.9, statements, cause=_words(statements))
    if own.all_are(Outcome.RESET):
        return None
    earlier = cell.layout.earlier(cell.target.host, cell.target.port)
    if earlier:
        last = max(e.at for e in earlier).isoformat(timespec="seconds")
        return _missing(nobody_is_let_in, cell, 0.65, own.seen, earlier=[last])
    working = _working(cell)
    if _both_groups(working):
        return _found(
            nobody_is_let_in, cell, Code.WRONG_PORT, 0.7, (*own.seen, *working), servers=_servers(working)
        )  # fmt: skip
    if working:
        ports = sorted({str(o.port) for o in working})
        return _found(
            nobody_is_let_in, cell, Code.ALLOWLIST_PARTIAL, 0.75, (*own.seen, *working),
            open_ports=ports, closed_ports=[str(cell.target.port)],
        )  # fmt: skip
    alive = cell.layout.lives(cell.target.host, but=(cell.target.service, cell.target.port))
    if alive and own.all_are(*UNANSWERED):
        return _missing(nobody_is_let_in, cell, 0.65, (*own.seen, *alive[:2]))
    return None


def host_is_for_something_else(cell: Cell) -> Finding | None:
    """wrong_host: its mail ports are closed to everybody, and it answers on a port that is not mail's."""
    alive = cell.layout.lives(cell.target.host, but=(cell.target.service, cell.target.port))
    spoke = [o for o in alive if o.outcome is not Outcome.RESET and o.service is not cell.target.service]
    if not (cell.own.all_are(Outcome.RESET) and cell.static.seen and spoke):
        return None
    spoken = sorted({o.spoken or ("http" if o.service is Service.CALDAV else str(o.service)) for o in spoke})
    return _found(host_is_for_something_else, cell, Code.WRONG_HOST, 0.7, (*cell.own.seen, *spoke), spoken=spoken)


def server_is_down(cell: Cell) -> Finding | None:
    """server_down: nothing reaches, and nothing says that it filters."""
    own = cell.own
    if not cell.static.seen or not own.all_are(Outcome.SILENT, Outcome.UNREACHABLE, Outcome.RESET):
        return None
    return _found(
        server_is_down, cell, Code.SERVER_DOWN, 0.7, own.seen, cause=sorted({str(o.outcome) for o in own.seen})
    )


def both_get_through(cell: Cell) -> Finding | None:
    """not_needed: both reach it, though not each time, and not one of them more than the other."""
    d, s = cell.dynamic, cell.static
    if not (d.reached and s.reached) or len(d.reached) < len(d.kept_out) or any(o.outcome in SETTINGS for o in s.seen):
        return None
    filtered = _chance(d.seen, s.seen)
    if filtered > 0.5:
        return None
    return _found(both_get_through, cell, Code.NOT_NEEDED, min(0.9, 1 - filtered), (*d.seen, *s.seen), flaps=["yes"])


def too_little(cell: Cell) -> Finding | None:
    """inconclusive: contradictory, or too little was seen."""
    flaps = [str(s.vantage) for s in (cell.dynamic, cell.static) if s.state is State.FLAPS]
    return _found(too_little, cell, Code.INCONCLUSIVE, 0.5, cell.asked, flaps=flaps)


ROWS: Sequence[Row] = (
    both_reach,
    own_exit_is_broken,
    block_list_is_named,
    password_is_a_filter,
    recipient_is_filtered,
    credentials_are_wrong,
    certificate_is_wrong,
    tls_mode_is_wrong,
    protocol_is_another,
    server_says_too_many,
    one_source_is_banned,
    some_static_are_missing,
    dynamic_is_filtered,
    both_get_through,
    port_is_closed,
    other_list_is_allowed,
    other_region_is_let_in,
    nobody_is_let_in,
    host_is_for_something_else,
    server_is_down,
    too_little,
)
"""In the order in which they are asked."""


def _found(
    row: Row, cell: Cell, code: Code, confidence: float, proof: Sequence[Observation], **facts: Sequence[str]
) -> Finding:
    return Finding(
        code,
        round(confidence, 3),
        row.__name__,
        cell.target.service,
        cell.address,
        tuple(dict.fromkeys(o.probe for o in proof)),
        {name: kept for name, values in facts.items() if (kept := [v for v in values if v])},
    )


def _banned(row: Row, cell: Cell, proof: Sequence[Observation], confidence: float, **facts: Sequence[str]) -> Finding:
    until = (max(o.at for o in proof) + BAN).isoformat(timespec="minutes")
    sources = sorted({o.source_address for o in proof})
    return _found(row, cell, Code.BANNED, confidence, proof, until=[until], **{"sources": sources, **facts})


def _missing(row: Row, cell: Cell, confidence: float, proof: Sequence[Observation], **facts: Sequence[str]) -> Finding:
    missing = [e.address for e in cell.layout.exits(Vantage.STATIC, cell.family)]
    return _found(row, cell, Code.ALLOWLIST_MISSING, confidence, proof, missing=missing, **facts)


def _other_group(cell: Cell, vantage: Vantage, code: Code) -> Finding | None:
    side = cell.side(vantage)
    if cell.own.let_in or not cell.own.seen or not side.let_in or side.kept_out:
        return None
    elsewhere = cell.side(Vantage.OTHER_REGION).seen if vantage is Vantage.OTHER_REGION_DYNAMIC else ()
    confidence = _chance(cell.own.seen, (*side.seen, *elsewhere))
    if confidence < CALL:
        return None
    allowed = sorted({o.source_address for o in side.seen})
    environments = sorted({o.environment for o in side.seen})
    missing = [e.address for e in cell.layout.exits(Vantage.STATIC, cell.family)]
    return _found(
        other_list_is_allowed if vantage is Vantage.OTHER_GENERATION else other_region_is_let_in, cell, code,
        confidence, (*cell.own.seen, *side.seen), allowed=allowed, environments=environments, missing=missing,
    )  # fmt: skip


def _chance(blocked: Sequence[Observation], admitted: Sequence[Observation], *, choices: int = 1) -> float:
    out, into = _counts(blocked), _counts(admitted)
    return chance_of_filter(
        blocked_failed=out[0], blocked_reached=out[1], admitted_failed=into[0], admitted_reached=into[1],
        explicit=any(map(is_statement, blocked)), choices=choices,
    )  # fmt: skip


def _counts(seen: Sequence[Observation]) -> tuple[int, int]:
    failed = sum(o.outcome in FILTERS for o in seen)
    return failed, len(seen) - failed


def _worked_lately(cell: Cell, seen: Sequence[Observation]) -> bool:
    since = min(o.at for o in seen) - LATELY
    names = {o.source for o in seen}
    return any(e.source in names and e.at >= since for e in cell.layout.earlier(cell.target.host, cell.target.port))


def _working(cell: Cell) -> list[Observation]:
    """Other ports or modes of the same address that speak the service."""
    service = cell.target.service
    return [
        o for o in cell.alternatives if o.service is service and o.outcome in {Outcome.REACHED, Outcome.CERTIFICATE}
    ]


def _both_groups(observations: Sequence[Observation]) -> bool:
    return {Vantage.DYNAMIC, Vantage.STATIC} <= {o.vantage for o in observations}


def _is_mail_host(cell: Cell) -> bool:
    """Whether another service of the host spoke to us."""
    alive = cell.layout.lives(cell.target.host, but=(cell.target.service, cell.target.port))
    return any(Stage.GREETING in o.passed and o.service is not Service.CALDAV for o in alive)


def _servers(working: Sequence[Observation]) -> list[str]:
    """What would work, as ``imap mail.example.com:993 implicit``."""
    return list(dict.fromkeys(f"{o.service} {o.host}:{o.port} {o.tls or ''}".strip() for o in working))


def _words(observations: Sequence[Observation]) -> list[str]:
    """What the server, or the network, said: its own words where it had any."""
    found = [o.said or _icmp_words(o) or str(o.outcome) for o in observations]
    return list(dict.fromkeys(found))[:3]


def _icmp_words(observation: Observation) -> str:
    icmp = observation.icmp
    return f"ICMP {icmp.type}/{icmp.code} from {icmp.sender}" if icmp else ""
