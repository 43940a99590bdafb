"""Rows of the table about filters by address, and what looks like them. Each function is a row; its docstring says it.

D: the dynamic addresses, S: the static ones. "Let in": the server spoke to us. "Kept out": it looks like a filter.
"""

from math import comb

from mooring.diagnosis.types import Depth, Outcome, Service, Stage, Vantage
from mooring.diagnosis.verdict.cells import (
    SETTINGS,
    UNANSWERED,
    Cell,
    State,
    is_statement,
    is_theirs,
    logged_in,
    proves_nothing,
)
from mooring.diagnosis.verdict.odds import CALL, KNOWN, PRIOR
from mooring.diagnosis.verdict.rows import (
    banned,
    both_groups,
    chance,
    found,
    list_missing,
    servers_of,
    what_works,
    words_of,
    worked_lately,
)
from mooring.diagnosis.verdict.types import Code, Finding

DOUBTFUL = 0.9
"""The most that is said of one dynamic address, which may be banned; and of silence at ports of sending, which
networks like to block on their way out, for some addresses and not for others."""
UNPROVED = 0.8
"""The most that is said where nothing proves that our own way out of the silent side works."""


def both_reach(cell: Cell) -> Finding | None:
    """not_needed: D and S reach everything that is asked for."""
    d, s = cell.dynamic, cell.static
    if not (d.reached and s.reached and d.all_are(Outcome.REACHED) and s.all_are(Outcome.REACHED)):
        return None
    if cell.layout.lacks_login(cell.target):
        return None
    confidence = 0.98 if logged_in(d.seen) else 0.95
    return found(both_reach, cell, Code.NOT_NEEDED, confidence, (*d.reached[:1], *s.reached[:1]))


def own_exit_is_broken(cell: Cell) -> Finding | None:
    """own_exit_broken: the exits of D or of S do not work at all, so there is nothing to compare."""
    broken = [v for v in (Vantage.DYNAMIC, Vantage.STATIC) if cell.layout.is_unusable(v, cell.family)]
    if not broken:
        return None
    exits = [f"{e.source} ({e.address})" for v in broken for e in cell.layout.broken(v, cell.family)]
    proof = [o for o in cell.layout.evidence.observations if o.vantage in broken and o.family == cell.family]
    return found(own_exit_is_broken, cell, Code.OWN_EXIT_BROKEN, 0.95, proof, exits=exits)


def password_is_a_filter(cell: Cell) -> Finding | None:
    """filter_disguised_as_wrong_password: the same credential is accepted from S and refused from D."""
    accepted, refused = logged_in(cell.static.seen), cell.dynamic.of(Outcome.CREDENTIALS)
    if not (accepted and refused) or logged_in(cell.dynamic.seen):
        return None
    return found(
        password_is_a_filter, cell, Code.FILTER_DISGUISED_AS_WRONG_PASSWORD, 0.97, (*accepted, *refused),
        cause=words_of(refused),
    )  # fmt: skip


def block_list_is_named(cell: Cell) -> Finding | None:
    """reputation: the refusal names a block list."""
    listed = cell.own.of(Outcome.LISTED)
    if not listed:
        return None
    sources = sorted({o.source_address for o in listed})
    return found(block_list_is_named, cell, Code.REPUTATION, 0.95, listed, sources=sources, cause=words_of(listed))


def server_says_too_many(cell: Cell) -> Finding | None:
    """banned: the server says itself that it is too many, too fast, or for now."""
    limited = [o for side in (cell.dynamic, cell.static) if not side.let_in for o in side.of(Outcome.LIMITED)]
    if not limited:
        return None
    return banned(server_says_too_many, cell, limited, 0.85, cause=words_of(limited))


def one_source_is_banned(cell: Cell) -> Finding | None:
    """banned: one source alone is refused while the others of its group get in, or it alone worked a while ago."""
    for side in (cell.dynamic, cell.static):
        other = cell.static if side is cell.dynamic else cell.dynamic
        refused = side.refused_sources
        if len(refused) != 1 or (side.vantage is Vantage.STATIC and not other.let_in):
            continue
        seen = side.by_source()[refused[0]]
        worked = worked_lately(cell, seen)
        alone = len(side.by_source()) > 1 and len(side.admitted_sources) == len(side.by_source()) - 1
        if not alone and not (worked and other.let_in):
            continue
        others = [o for o in cell.own.seen if o.source_address != refused[0]]
        sure = chance(seen, others, choices=len(side.by_source()))
        if sure >= CALL:
            return banned(one_source_is_banned, cell, seen, 0.9 if worked else 0.75, sources=refused)
    return None


def some_static_are_missing(cell: Cell) -> Finding | None:
    """allowlist_partial: D is kept out, and some addresses of S are let in and others are not."""
    d, s = cell.dynamic, cell.static
    if d.let_in or not (s.refused_sources and s.admitted_sources):
        return None
    missing = [o for o in s.seen if o.source_address in s.refused_sources]
    admitted = [o for o in s.seen if o.source_address in s.admitted_sources]
    sources = len(s.by_source())
    filters = bool(d.seen) and chance(d.seen, admitted) >= CALL
    confidence = chance(
        missing, admitted, choices=comb(sources, len(s.refused_sources)), prior=KNOWN if filters else PRIOR
    )
    if confidence < CALL:
        return None
    return found(
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
    confidence = chance(d.seen, s.seen)
    if confidence < CALL:
        return None
    proved = [o for o in kept_out if not proves_nothing(o) or cell.layout.is_proved(o.source, o.family)]
    alone = len(cell.layout.exits(Vantage.DYNAMIC, cell.family)) == 1
    blockable = cell.target.service is Service.SMTP and d.all_are(Outcome.SILENT)
    sure = min(confidence, DOUBTFUL if alone or blockable else 1.0, 1.0 if proved else UNPROVED)
    return found(
        dynamic_is_filtered, cell, Code.NEEDED, sure, (*kept_out, *let_in), cause=words_of(kept_out),
        unproved=[] if proved else sorted({o.source_address for o in kept_out}),
        alone=["yes"] if alone else [], blockable=["yes"] if blockable else [],
    )  # fmt: skip


def recipient_is_filtered(cell: Cell) -> Finding | None:
    """needed, of SMTP: both log in, and D is refused at RCPT by policy while S is not."""
    s = [o for o in cell.static.reached if Stage.RECIPIENT in o.passed]
    d = [o for o in cell.dynamic.of(Outcome.POLICY) if o.stage is Stage.RECIPIENT]
    if not (s and d):
        return None
    return found(recipient_is_filtered, cell, Code.NEEDED, chance(d, s), (*d, *s), cause=words_of(d))


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
    return found(other_region_is_let_in, cell, Code.WRONG_REGION, min(finding.confidence, 0.7), cell.asked)


def nobody_is_let_in(cell: Cell) -> Finding | None:
    """allowlist_missing: neither is let in, and there is positive evidence that the server lives and filters."""
    own = cell.own
    if not cell.static.seen or own.let_in:
        return None
    statements = [o for o in own.seen if is_statement(o) or (o.outcome is Outcome.REJECTED and is_theirs(o))]
    if statements:
        return list_missing(nobody_is_let_in, cell, 0.9, statements, cause=words_of(statements))
    if own.all_are(Outcome.RESET):
        return None
    earlier = cell.layout.earlier(cell.target.host, cell.target.port)
    if earlier:
        last = max(e.at for e in earlier).isoformat(timespec="seconds")
        return list_missing(nobody_is_let_in, cell, 0.65, own.seen, earlier=[last])
    working = what_works(cell)
    if both_groups(working):
        return found(
            nobody_is_let_in, cell, Code.WRONG_PORT, 0.7, (*own.seen, *working), servers=servers_of(working)
        )  # fmt: skip
    if working:
        ports = sorted({str(o.port) for o in working})
        return found(
            nobody_is_let_in, cell, Code.ALLOWLIST_PARTIAL, 0.75, (*own.seen, *working),
            open_ports=ports, closed_ports=[str(cell.target.port)],
        )  # fmt: skip
    alive = cell.layout.lives(cell.target.host, but=(cell.target.service, cell.target.port))
    if alive and own.all_are(*UNANSWERED):
        return list_missing(nobody_is_let_in, cell, 0.65, (*own.seen, *alive[:2]))
    return None


def both_get_through(cell: Cell) -> Finding | None:
    """not_needed: both reach it, though not each time, and not one of them more than the other."""
    d, s = cell.dynamic, cell.static
    if not (d.reached and s.reached) or len(d.reached) < len(d.kept_out) or any(o.outcome in SETTINGS for o in s.seen):
        return None
    deep = [o for o in d.seen if o.depth is Depth.FULL]
    if cell.layout.lacks_login(cell.target) or (deep and not any(o.outcome is Outcome.REACHED for o in deep)):
        return None
    filtered = chance(d.seen, s.seen)
    if filtered > 0.5:
        return None
    return found(both_get_through, cell, Code.NOT_NEEDED, min(0.9, 1 - filtered), (*d.seen, *s.seen), flaps=["yes"])


def too_little(cell: Cell) -> Finding | None:
    """inconclusive: contradictory, or too little was seen."""
    flaps = [str(s.vantage) for s in (cell.dynamic, cell.static) if s.state is State.FLAPS]
    spared = [o.detail for o in cell.layout.evidence.observations if o.outcome is Outcome.SPARED and o.detail]
    return found(too_little, cell, Code.INCONCLUSIVE, 0.5, cell.asked, flaps=flaps, detail=spared[:1])


def _other_group(cell: Cell, vantage: Vantage, code: Code) -> Finding | None:
    side = cell.side(vantage)
    if cell.own.let_in or not cell.own.seen or not side.let_in or side.kept_out:
        return None
    others = {Vantage.OTHER_GENERATION, Vantage.OTHER_REGION} - {vantage}
    if vantage is Vantage.OTHER_REGION_DYNAMIC:
        others.discard(Vantage.OTHER_REGION)
    if any(cell.side(other).let_in for other in others):
        # Everybody but us gets in: no list of an administrator's looks like that.
        return None
    elsewhere = cell.side(Vantage.OTHER_REGION).seen if vantage is Vantage.OTHER_REGION_DYNAMIC else ()
    confidence = chance(cell.own.seen, (*side.seen, *elsewhere))
    if confidence < CALL:
        return None
    if not any(cell.layout.is_proved(o.source, o.family) for o in cell.own.seen):
        confidence = min(confidence, UNPROVED)
    allowed = sorted({o.source_address for o in side.seen})
    environments = sorted({o.environment for o in side.seen})
    missing = [e.address for e in cell.layout.exits(Vantage.STATIC, cell.family)]
    return found(
        other_list_is_allowed if vantage is Vantage.OTHER_GENERATION else other_region_is_let_in, cell, code,
        confidence, (*cell.own.seen, *side.seen), allowed=allowed, environments=environments, missing=missing,
    )  # fmt: skip
