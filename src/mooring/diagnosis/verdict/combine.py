"""From what is concluded about each service at each address to one conclusion about what was asked. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from mooring.diagnosis.types import Evidence, Outcome, Service, Target, Vantage
from mooring.diagnosis.verdict.cells import Layout
from mooring.diagnosis.verdict.table import judge_cell
from mooring.diagnosis.verdict.types import Code, Finding

DEAD = frozenset({Code.SERVER_DOWN})
_ON_SILENCE = frozenset({Code.SERVER_DOWN, Code.ALLOWLIST_MISSING})

PRECEDENCE = (
    Code.FILTER_DISGUISED_AS_WRONG_PASSWORD,
    Code.ALLOWLIST_PARTIAL,
    Code.NEEDED,
    Code.REPUTATION,
    Code.BANNED,
    Code.ALLOWLIST_OUTDATED,
    Code.GEOGRAPHIC,
    Code.WRONG_REGION,
    Code.ALLOWLIST_MISSING,
    Code.CERTIFICATE,
    Code.WRONG_TLS_MODE,
    Code.WRONG_PORT,
    Code.WRONG_HOST,
    Code.INTERNAL_HOST,
    Code.WRONG_CREDENTIALS,
    Code.OWN_EXIT_BROKEN,
    Code.NEEDED_FOR_SENDING_ONLY,
    Code.ADDRESS_FAMILY,
    Code.SERVER_DOWN,
    Code.INCONCLUSIVE,
    Code.NOT_NEEDED,
)
"""Of several services, which conclusion is the one: what a filter explains first, then what is to be corrected."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the evidence leads to, before it is put into words.

    Attributes:
        caveats: what could not be told apart, or was not looked at, as words of ``words.py``.
    """

    finding: Finding
    findings: tuple[Finding, ...]
    caveats: tuple[str, ...]


def conclude(evidence: Evidence) -> Conclusion:
    """The one conclusion. The same evidence always leads to the same."""
    layout = Layout(evidence)
    findings: list[Finding] = []
    services: list[Finding] = []
    for target in evidence.question.targets:
        by_address = [judge_cell(cell) for cell in layout.cells(target)]
        findings += by_address
        services.append(_of_service(layout, target, by_address))
    whole = _of_all(evidence.question.targets, services)
    return Conclusion(whole, tuple(findings), tuple(_caveats(layout, whole, findings)))


def _of_service(layout: Layout, target: Target, by_address: Sequence[Finding]) -> Finding:
    """The conclusion about one service, from those about the addresses of its host."""
    if not by_address:
        return _unreached(layout, target)
    codes = {f.code for f in by_address}
    fine = [f for f in by_address if f.code is Code.NOT_NEEDED]
    dead = [f for f in by_address if f not in fine]
    good, bad = {_family(f) for f in fine}, {_family(f) for f in dead}
    proved = all(_is_proved(layout, family) for family in bad)
    if fine and dead and good.isdisjoint(bad) and proved and all(map(_answers_nobody, dead)):
        proof = tuple(p for f in (*dead, *fine) for p in f.proof)
        families = {"dead": [f"IPv{n}" for n in sorted(bad)], "alive": [f"IPv{n}" for n in sorted(good)]}
        return Finding(Code.ADDRESS_FAMILY, 0.9, "families_disagree", target.service, "", proof, families)
    needed = [f for f in by_address if f.code is Code.NEEDED]
    forgotten = [f for f in by_address if f.code is Code.ALLOWLIST_MISSING or _is_silent(f)]
    forgotten = [f for f in forgotten if _is_proved(layout, _family(f))]
    if needed and forgotten and {_family(f) for f in needed}.isdisjoint(map(_family, forgotten)):
        return _one_family_forgotten(layout, target, needed, forgotten)
    if fine and codes <= {Code.NOT_NEEDED, Code.NEEDED, Code.OWN_EXIT_BROKEN, *DEAD, Code.INCONCLUSIVE, Code.BANNED}:
        # The dialer goes on to the next address: one that both reach is enough.
        return max(fine, key=lambda f: f.confidence)
    informed = [f for f in by_address if f.code not in {*DEAD, Code.INCONCLUSIVE, Code.OWN_EXIT_BROKEN}]
    return _first(informed or by_address)


def _one_family_forgotten(
    layout: Layout, target: Target, needed: Sequence[Finding], forgotten: Sequence[Finding]
) -> Finding:
    """allowlist_partial: over one family the static addresses are let in, over the other nobody is."""
    families = {_family(f) for f in forgotten}
    static = [e for e in layout.evidence.exits if e.vantage is Vantage.STATIC]
    facts = {
        "missing": [e.address for e in static if e.family in families],
        "allowed": [e.address for e in static if e.family not in families],
    }
    proof = tuple(p for f in (*forgotten, *needed) for p in f.proof)
    return Finding(Code.ALLOWLIST_PARTIAL, 0.7, "one_family_is_missing", target.service, "", proof, facts)


def _unreached(layout: Layout, target: Target) -> Finding:
    """What is concluded where no address of the host was ever looked at."""
    lookup = next((x for x in layout.evidence.lookups if x.host == target.host), None)
    detail = {"detail": [lookup.detail]} if lookup and lookup.detail else {}
    match lookup.problem if lookup else "":
        case "no_such_name":
            return Finding(Code.WRONG_HOST, 0.9, "no_such_name", target.service, facts=detail)
        case "crowd":
            return Finding(Code.WRONG_HOST, 0.9, "crowded_name", target.service, facts=detail)
        case "private":
            return Finding(Code.INTERNAL_HOST, 0.97, "private_name", target.service, facts=detail)
        case "mixed":
            stray = {"stray": ["an address that is not public"]}
            return Finding(Code.INTERNAL_HOST, 0.97, "mixed_name", target.service, facts={**detail, **stray})
        case "resolver" | "busy":
            return Finding(Code.INCONCLUSIVE, 0.5, "no_resolver", target.service, facts=detail)
        case _:
            lacking = sorted({"IPv6" if ":" in address else "IPv4" for address in (lookup.addresses if lookup else ())})
            facts = {**detail, "exits": [f"it has only {' and '.join(lacking)} addresses, and none of ours is"]}
            return Finding(Code.OWN_EXIT_BROKEN, 0.9, "no_exit", target.service, facts=facts)


def _of_all(targets: Sequence[Target], services: Sequence[Finding]) -> Finding:
    """The conclusion about everything that was asked."""
    host_of = {target.service: target.host for target in targets}
    reading = [f for f in services if f.service is not Service.SMTP]
    sending = [f for f in services if f.service is Service.SMTP]
    if any(f.code is Code.NEEDED for f in sending) and all(f.code is Code.NOT_NEEDED for f in reading):
        found = next(f for f in sending if f.code is Code.NEEDED)
        read = {"read": list(dict.fromkeys(host_of[f.service] for f in reading if f.service))} if reading else {}
        return msgspec.structs.replace(found, code=Code.NEEDED_FOR_SENDING_ONLY, facts={**found.facts, **read})
    ports = _some_services_are_open(services)
    return ports or _first(services)


def _some_services_are_open(services: Sequence[Finding]) -> Finding | None:
    """allowlist_partial: S reaches one service, and at another nobody is let in."""
    shut = [f for f in services if f.code is Code.ALLOWLIST_MISSING]
    opened = [f for f in services if f.code in {Code.NEEDED, Code.NOT_NEEDED, Code.ALLOWLIST_PARTIAL}]
    if not (shut and opened):
        return None
    filtered = any(f.code is not Code.NOT_NEEDED for f in opened)
    facts = {
        "open_services": [str(f.service) for f in opened],
        "closed_services": [str(f.service) for f in shut],
        **{k: v for f in opened for k, v in f.facts.items() if k in {"missing", "allowed"}},
    }
    proof = tuple(p for f in (*shut, *opened) for p in f.proof)
    confidence = 0.85 if filtered else 0.6
    return Finding(Code.ALLOWLIST_PARTIAL, confidence, "some_services_are_open", None, "", proof, facts)


def _first(findings: Sequence[Finding]) -> Finding:
    """The one that comes first in the order of precedence; of several the surest."""
    return min(findings, key=lambda f: (PRECEDENCE.index(f.code), -f.confidence))


def _answers_nobody(finding: Finding) -> bool:
    """Whether the address is silent to everybody, and nothing there says that it filters: the host lives elsewhere."""
    silent = finding.code is Code.ALLOWLIST_MISSING and "cause" not in finding.facts
    closed = finding.code is Code.WRONG_PORT and "servers" not in finding.facts
    return silent or closed or finding.code in DEAD


def _certificates_differ(evidence: Evidence) -> bool:
    """Whether one and the same port showed different keys to different addresses of ours."""
    shown: dict[tuple[str, int, str], set[str]] = {}
    for o in evidence.observations:
        if o.certificate is not None:
            shown.setdefault((o.address, o.port, o.host), set()).add(o.certificate.spki)
    return any(len(keys) > 1 for keys in shown.values())


def _proved_anywhere(layout: Layout) -> bool:
    return any(_is_proved(layout, family) for family in (4, 6))


def _is_silent(finding: Finding) -> bool:
    return finding.code is Code.SERVER_DOWN and finding.facts.get("cause") == [str(Outcome.SILENT)]


def _is_proved(layout: Layout, family: int) -> bool:
    """Whether one of our own exits is known to work in this family."""
    own = (*layout.exits(Vantage.DYNAMIC, family), *layout.exits(Vantage.STATIC, family))
    return any(layout.is_proved(way_out.source, family) for way_out in own)


def _family(finding: Finding) -> int:
    return 6 if ":" in finding.address else 4


def _caveats(layout: Layout, whole: Finding, findings: Sequence[Finding]) -> list[str]:
    """What limits the conclusion."""
    evidence = layout.evidence
    found: list[str] = []
    if not evidence.question.with_credentials and whole.code in {Code.NOT_NEEDED, Code.NEEDED}:
        found.append("no_credentials")
    if evidence.question.with_credentials and not all(t.is_confirmed for t in evidence.question.targets):
        found.append("not_confirmed")
    if not any(e.vantage is Vantage.DYNAMIC for e in evidence.exits):
        found.append("no_dynamic_exits")
    if not any(e.vantage is Vantage.STATIC for e in evidence.exits):
        found.append("no_static_exits")
    if whole.facts.get("unproved") or (whole.code in _ON_SILENCE and not _proved_anywhere(layout)):
        found.append("exit_unproved")
    found += [
        name
        for fact, name in (("alone", "one_dynamic_source"), ("blockable", "port_may_be_blocked_here"))
        if whole.facts.get(fact)
    ]
    if whole.code is Code.WRONG_CREDENTIALS:
        found.append("filter_may_look_like_this")
    if any(o.outcome is Outcome.SPARED for o in evidence.observations):
        found.append("spared")
    if any(f.code is Code.OWN_EXIT_BROKEN for f in findings) and whole.code is not Code.OWN_EXIT_BROKEN:
        found.append("one_exit_broken")
    if _certificates_differ(evidence):
        found.append("certificates_differ")
    dead = {f.address for f in findings if f.code in DEAD}
    if dead and whole.code is not Code.SERVER_DOWN:
        found.append("some_addresses_dead")
    if whole.code is Code.NOT_NEEDED and any(f.code is Code.NEEDED for f in findings):
        found.append("one_family_filtered")
    return found
