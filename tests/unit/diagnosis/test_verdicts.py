"""The table by whole diagnoses: a world, the question, and what is concluded (spec §6.17)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import pytest

from mooring.diagnosis.types import Control, Earlier, Exit, Icmp, Outcome, Probe, Question, Service, Stage, Vantage
from mooring.diagnosis.verdict.types import Code, Reader
from mooring.grants import TlsMode
from tests.unit.diagnosis.virtual import START
from tests.unit.diagnosis.worlds import (
    ADDRESS,
    ADDRESS6,
    BERTH_S,
    HOST,
    Meeting,
    World,
    exits_of,
    keeps_out,
    port,
    question,
)

D, S = Vantage.DYNAMIC, Vantage.STATIC
V2, EU, EU_D = Vantage.OTHER_GENERATION, Vantage.OTHER_REGION, Vantage.OTHER_REGION_DYNAMIC
EVERYBODY = (D, S, V2, EU, EU_D)
IMAP, SMTP, DAV = Service.IMAP, Service.SMTP, Service.CALDAV
BOTH = question(IMAP, SMTP, credentials=True)
PROHIBITED = Icmp(3, 13, "198.51.100.1")
WORKED = tuple(
    Earlier(START - timedelta(minutes=20), v, f"v3-us-{k}-4-{n}", IMAP, HOST, 993)
    for v, k, n in ((D, "dynamic", 10), (S, "static", 20))
)


def once(which: Callable[[Probe], bool]) -> Callable[[Probe], bool]:
    """The first such probe, and no other."""
    first = iter([True])
    return lambda probe: which(probe) and next(first, False)


@dataclass(frozen=True)
class Case:
    name: str
    world: World
    code: Code
    question: Question = BOTH


CASES = (
    Case("all open", World(), Code.NOT_NEEDED),
    Case("no credentials", World(), Code.NOT_NEEDED, question()),
    Case("dropped", World([keeps_out(D)]), Code.NEEDED),
    Case("dropped, no credentials", World([keeps_out(D)]), Code.NEEDED, question()),
    Case("prohibited", World([keeps_out(D, how=Outcome.PROHIBITED, icmp=PROHIBITED)]), Code.NEEDED),
    Case("rejected", World([keeps_out(D, how=Outcome.REJECTED)]), Code.NEEDED),
    Case("reset", World([keeps_out(D, how=Outcome.RESET)]), Code.NEEDED),
    Case("closed", World([keeps_out(D, how=Outcome.CLOSED, stage=Stage.GREETING)]), Code.NEEDED),
    Case("mute", World([keeps_out(D, how=Outcome.MUTE, stage=Stage.GREETING)]), Code.NEEDED),
    Case("text", World([keeps_out(D, how=Outcome.POLICY, stage=Stage.GREETING, said="* BYE go away")]), Code.NEEDED),
    Case("dav 403", World([keeps_out(D, how=Outcome.POLICY, stage=Stage.GREETING)]), Code.NEEDED, question(DAV)),
    Case("5 % lost", World([keeps_out(D)], loss=0.05), Code.NEEDED),
    Case("sending", World([keeps_out(D, ports=[465])]), Code.NEEDED_FOR_SENDING_ONLY),
    Case("sending at RCPT", World([keeps_out(D, how=Outcome.POLICY, ports=[465], stage=Stage.RECIPIENT)]),
         Code.NEEDED_FOR_SENDING_ONLY),
    Case("only submission asked", World([keeps_out(D)]), Code.NEEDED_FOR_SENDING_ONLY, question(SMTP)),
    Case("nobody, by text", World([keeps_out(*EVERYBODY, how=Outcome.POLICY, stage=Stage.GREETING, said="no")]),
         Code.ALLOWLIST_MISSING),
    Case("nobody, prohibited", World([keeps_out(*EVERYBODY, how=Outcome.PROHIBITED, icmp=PROHIBITED)]),
         Code.ALLOWLIST_MISSING),
    Case("nobody, worked before", World([keeps_out(*EVERYBODY)], earlier=WORKED), Code.ALLOWLIST_MISSING, question()),
    Case("one of four missing", World([keeps_out(D, sources=["v3-us-static-4-22"])]), Code.ALLOWLIST_PARTIAL),
    Case("only 993", World([keeps_out(D), keeps_out(S, V2, EU, EU_D, ports=[465, 587])]), Code.ALLOWLIST_PARTIAL),
    Case("v2 list", World([keeps_out(D, S, EU, EU_D)]), Code.ALLOWLIST_OUTDATED),
    Case("eu list", World([keeps_out(D, S, V2, EU_D)]), Code.WRONG_REGION),
    Case("eu only", World([keeps_out(D, S, V2)]), Code.GEOGRAPHIC),
    Case("allow_nets", World([keeps_out(D, how=Outcome.CREDENTIALS, stage=Stage.LOGIN)]),
         Code.FILTER_DISGUISED_AS_WRONG_PASSWORD),
    Case("wrong password", World([keeps_out(D, S, how=Outcome.CREDENTIALS, stage=Stage.LOGIN)]),
         Code.WRONG_CREDENTIALS),
    Case("no such name", World(problem="no_such_name"), Code.WRONG_HOST),
    Case("crowded name", World(problem="crowd"), Code.WRONG_HOST),
    Case("private name", World(problem="private"), Code.INTERNAL_HOST),
    Case("name with a private address", World(problem="mixed"), Code.INTERNAL_HOST),
    Case("web server", World([port(993, Outcome.NOT_TLS, spoken="http", stage=Stage.TLS),
                              port(143, Outcome.RESET)]), Code.WRONG_HOST, question()),
    Case("143 is open", World([port(993, Outcome.RESET)]), Code.WRONG_PORT, question()),
    Case("starttls on 993", World([port(993, Outcome.NOT_TLS, spoken="imap", stage=Stage.TLS)]),
         Code.WRONG_TLS_MODE, question()),
    Case("certificate", World([port(993, Outcome.CERTIFICATE, stage=Stage.TLS)]), Code.CERTIFICATE, question()),
    Case("block list", World([keeps_out(D, how=Outcome.LISTED, stage=Stage.GREETING, said="spamhaus")]),
         Code.REPUTATION, question(SMTP)),
    Case("too many", World([keeps_out(S, D, how=Outcome.LIMITED, stage=Stage.GREETING, said="421 too many")]),
         Code.BANNED, question()),
    Case("one source banned", World([keeps_out(sources=["v3-us-dynamic-4-10"])], earlier=WORKED), Code.BANNED,
         question()),
    Case("IPv6 dead", World([lambda probe, now: keeps_out(*EVERYBODY)(probe, now) if ":" in probe.address else None],
                            addresses=(ADDRESS6, ADDRESS)), Code.ADDRESS_FAMILY),
    Case("down", World([keeps_out(*EVERYBODY)]), Code.SERVER_DOWN, question()),
    Case("nothing listens", World([keeps_out(*EVERYBODY, how=Outcome.RESET)]), Code.SERVER_DOWN, question()),
    Case("dynamic exits dead", World(dead=frozenset({"v3-us-dynamic-4-10", "v3-us-dynamic-4-11"})),
         Code.OWN_EXIT_BROKEN),
    Case("dynamic exits broken", World(broken=frozenset({"v3-us-dynamic-4-10", "v3-us-dynamic-4-11"})),
         Code.OWN_EXIT_BROKEN),
    Case("one dynamic exit dead", World(dead=frozenset({"v3-us-dynamic-4-10"})), Code.NOT_NEEDED),
    Case("one dynamic exit broken", World(broken=frozenset({"v3-us-dynamic-4-10"})), Code.NOT_NEEDED),
    Case("static exits broken", World(broken=frozenset({f"v3-us-static-4-{n}" for n in range(20, 24)})),
         Code.OWN_EXIT_BROKEN),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict_is_right(case: Case) -> None:
    exits = exits_of() + exits_of(family=6)
    evidence, verdict = case.world.diagnose(case.question, exits)
    rows = [(f.row, str(f.code), f.confidence) for f in verdict.findings]
    assert verdict.code is case.code, (rows, [(o.source, str(o.outcome), str(o.stage)) for o in evidence.observations])
    assert verdict.summary
    assert all(verdict.next_steps.values())
    assert 0.5 <= verdict.confidence <= 1


def test_a_private_address_beside_public_ones_has_words_of_its_own() -> None:
    (_, private), (_, mixed) = (World(problem=p).diagnose(question(), exits_of()) for p in ("private", "mixed"))
    assert private.summary == f"{HOST} leads to addresses that are not public, so Mooring does not dial them."
    assert mixed.summary.startswith(f"{HOST} also leads to an address that is not public, beside public ones, so ")
    assert "A and AAAA records" in mixed.next_steps[Reader.MAIL_ADMINISTRATOR][0]
    assert mixed.row == "mixed_name"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_credential_is_shown_from_two_addresses_at_most(case: Case) -> None:
    for service in (IMAP, SMTP, DAV):
        shown = [address for address, s in case.world.shown if s is service]
        assert len(set(shown)) <= 2
        assert len(shown) <= 4  # the world is asked twice, by the two tests


@pytest.mark.parametrize("credentials", [False, True])
def test_a_port_that_nobody_named_is_found(credentials: bool) -> None:
    asked = question(IMAP, SMTP, credentials=credentials)
    usual = tuple(msgspec.structs.replace(target, is_usual_port=True) for target in asked.targets)
    world = World([port(465, Outcome.RESET)])
    evidence, verdict = world.diagnose(msgspec.structs.replace(asked, targets=usual), exits_of())
    assert verdict.code is Code.NOT_NEEDED, verdict
    assert [target.port for target in evidence.question.targets] == [993, 587]
    assert {s for _, s in world.shown} == ({IMAP, SMTP} if credentials else set())


def test_a_wrong_password_is_shown_once() -> None:
    world = World([keeps_out(D, S, how=Outcome.CREDENTIALS, stage=Stage.LOGIN)])
    _, verdict = world.diagnose(BOTH, exits_of())
    assert verdict.code is Code.WRONG_CREDENTIALS
    assert len(world.shown) == 1


GATEWAY = Icmp(3, 13, "10.0.0.1")
BROKEN = frozenset({"v3-us-dynamic-4-10", "v3-us-dynamic-4-11"})
NEEDED = {Code.NEEDED, Code.NEEDED_FOR_SENDING_ONLY}


@pytest.mark.parametrize("how", [Outcome.RESET, Outcome.CLOSED, Outcome.MUTE])
def test_what_a_box_of_ours_answers_does_not_overrule_a_control(how: Outcome) -> None:
    class Boxed(World):
        async def control(
            self, question: Question, way_out: Exit, family: int, *, since: datetime | None = None
        ) -> Control:
            works = way_out.source not in BROKEN
            return Control(way_out.source, way_out.address, family, works, "target", "control.example.net:443")

    stage = Stage.CONNECT if how is Outcome.RESET else Stage.GREETING
    _, verdict = Boxed([keeps_out(D, how=how, stage=stage)]).diagnose(BOTH, exits_of())
    assert verdict.code is Code.OWN_EXIT_BROKEN


def test_our_own_gateway_is_no_proof() -> None:
    world = World([keeps_out(D, how=Outcome.PROHIBITED, icmp=GATEWAY)], has_control=False)
    _, verdict = world.diagnose(BOTH, exits_of())
    assert verdict.confidence <= 0.8
    _, verdict = World([keeps_out(*EVERYBODY, how=Outcome.REJECTED, icmp=GATEWAY)]).diagnose(BOTH, exits_of())
    assert verdict.code is not Code.ALLOWLIST_MISSING


@pytest.mark.parametrize("static", [1, 4])
def test_a_sign_of_life_that_could_not_be_looked_for_is_looked_for_once_more(static: int) -> None:
    rules = [keeps_out(*EVERYBODY, ports=[25, 143, 465, 587, 993])]
    world = World(rules, crowded=once(lambda probe: probe.target.port == 443))
    _, verdict = world.diagnose(BOTH, exits_of(static))
    assert verdict.code is Code.ALLOWLIST_MISSING
    assert len({p.exit.source for p in world.probes if p.target.port == 443}) == min(static, 2)


@pytest.mark.parametrize("source", ["v3-us-dynamic-4-10", "v3-us-static-4-20"])
def test_who_waits_for_room_of_ours_is_not_silent(source: str) -> None:
    world = World(busy={source: BERTH_S - 0.5})
    _, verdict = world.diagnose(BOTH, exits_of())
    assert (verdict.code, len(world.probes)) == (Code.NOT_NEEDED, 4)


@pytest.mark.parametrize("vantage", [D, S])
@pytest.mark.parametrize("exits", [1, 4])
def test_one_of_the_first_pair_that_found_no_room_is_asked_once_more(vantage: Vantage, exits: int) -> None:
    world = World(crowded=once(lambda probe: probe.exit.vantage is vantage and probe.target.service is IMAP))
    _, verdict = world.diagnose(BOTH, exits_of(exits, exits))
    assert (verdict.code, len(world.probes)) == (Code.NOT_NEEDED, 5)
    assert {service for _, service in world.shown} == {IMAP, SMTP}
    assert len({address for address, service in world.shown if service is IMAP}) == 2


@pytest.mark.parametrize("how", [Outcome.SPARED, Outcome.OURS])
def test_what_our_side_lets_down_after_a_login_shows_the_password_nowhere_else(how: Outcome) -> None:
    world = World([keeps_out(S, how=how, stage=Stage.LIST)])
    world.diagnose(question(IMAP, credentials=True), exits_of())
    assert {address for address, _ in world.shown} == {"203.0.113.10", "203.0.113.20"}


@pytest.mark.parametrize("how", ["dead", "broken"])
@pytest.mark.parametrize("static", [2, 3, 4])
def test_a_sign_of_life_is_looked_for_by_a_source_that_works(how: str, static: int) -> None:
    first = frozenset({"v3-us-static-4-20"})
    rules = [keeps_out(*EVERYBODY, ports=[25, 143, 465, 587, 993])]
    world = World(rules, dead=first) if how == "dead" else World(rules, broken=first)
    _, verdict = world.diagnose(BOTH, exits_of(static))
    assert verdict.code is Code.ALLOWLIST_MISSING


def test_what_was_spared_is_asked_once_more_in_the_same_mode() -> None:
    clear = port(993, Outcome.NOT_TLS, spoken="imap", stage=Stage.TLS)

    def in_clear(probe: Probe, now: float) -> Meeting | None:
        return None if probe.target.tls is TlsMode.STARTTLS else clear(probe, now)

    crowded = once(lambda probe: probe.target.tls is TlsMode.STARTTLS)
    world = World([in_clear, port(143, Outcome.RESET)], crowded=crowded)
    _, verdict = world.diagnose(question(), exits_of())
    assert verdict.servers == (f"imap {HOST}:993 starttls",)


def test_silence_is_met_by_all_sources_alike() -> None:
    world = World([keeps_out(*EVERYBODY)])
    world.diagnose(BOTH, exits_of())
    met = Counter(p.exit.source for p in world.probes if p.exit.vantage is S)
    assert max(met.values()) - min(met.values()) <= 1


@pytest.mark.parametrize("how", [Outcome.LIMITED, Outcome.BROKEN, Outcome.FAILED])
def test_a_greylisted_recipient_is_no_filter(how: Outcome) -> None:
    world = World([keeps_out(D, how=how, ports=[465], stage=Stage.RECIPIENT, said="450 4.2.0 greylisted")])
    _, verdict = world.diagnose(BOTH, exits_of())
    assert verdict.code not in NEEDED


def test_who_was_told_too_many_and_is_dropped_is_banned() -> None:
    met: list[int] = []

    def rule(probe: Probe, now: float) -> Meeting | None:
        if probe.exit.vantage is not D:
            return None
        met.append(probe.id)
        first = probe.id == met[0]
        return Meeting(Outcome.LIMITED, Stage.GREETING, "421 too many") if first else Meeting(Outcome.SILENT)

    _, verdict = World([rule]).diagnose(question(), exits_of())
    assert verdict.code is Code.BANNED


def test_everybody_but_us_is_no_list() -> None:
    _, verdict = World([keeps_out(D, S)]).diagnose(question(), exits_of())
    assert verdict.code not in {Code.ALLOWLIST_OUTDATED, Code.WRONG_REGION, Code.GEOGRAPHIC}


def test_one_dynamic_address_may_be_banned() -> None:
    _, verdict = World([keeps_out(D)]).diagnose(question(), exits_of(dynamic=1))
    assert (verdict.code, verdict.confidence) == (Code.NEEDED, 0.9)
    assert any("one dynamic address" in caveat for caveat in verdict.caveats)


def test_a_family_that_nobody_of_ours_looked_at_is_not_dead() -> None:
    exits = exits_of() + tuple(e for e in exits_of(family=6) if e.vantage is S)
    _, verdict = World(addresses=(ADDRESS6, ADDRESS)).diagnose(question(), exits)
    assert verdict.code is Code.NOT_NEEDED


def test_where_the_dynamic_login_is_cut_off_nobody_says_not_needed() -> None:
    _, verdict = World([keeps_out(D, how=Outcome.BROKEN, stage=Stage.LOGIN)]).diagnose(BOTH, exits_of())
    assert verdict.code is not Code.NOT_NEEDED


def test_no_password_is_shown_to_a_host_that_only_dns_names() -> None:
    targets = tuple(msgspec.structs.replace(target, is_confirmed=False) for target in BOTH.targets)
    world = World()
    _, verdict = world.diagnose(msgspec.structs.replace(BOTH, targets=targets), exits_of())
    assert (verdict.code, world.shown) == (Code.NOT_NEEDED, [])
    assert any("No password was shown" in caveat for caveat in verdict.caveats)


@pytest.mark.parametrize("credentials", [False, True])
def test_one_of_two_static_addresses_is_missing(credentials: bool) -> None:
    world = World([keeps_out(D, sources=["v3-us-static-4-21"])])
    _, verdict = world.diagnose(question(credentials=credentials), exits_of(static=2, dynamic=1))
    assert verdict.code is Code.ALLOWLIST_PARTIAL
    assert "203.0.113.21" in verdict.summary
