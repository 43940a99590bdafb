"""How gently servers are probed: pure rules, over all applications and processes.

A probe of ours must never be what gets an address banned, and many who ask about one server must not cost it more
than one who does. What may not be asked again is answered by what was seen a moment ago, or said to be spared.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mooring.diagnosis.types import Depth, Observation, Outcome, Service, Stage


@dataclass(frozen=True, slots=True)
class Rule:
    """So many, in the time before now."""

    most: int
    within_s: float


UNUSED = Rule(3, 600)
"""Connections from a source to a server's service that were accepted and did not log in, which fail2ban's aggressive
modes count."""
SUSPECT = Rule(4, 600)
"""The same, together with logins that were refused: fail2ban bans at the fifth."""
UNANSWERED = Rule(10, 600)
"""Connections that the server never accepted: nothing on it counts them, a firewall may."""
SERVER = Rule(60, 600)
"""Connections that one address of a server has seen, from all sources: if all came at once, about what Postfix lets
one have. What it never accepted it cannot count; ``UNANSWERED`` is for that."""
REFUSED = Rule(2, 900)
"""Refused logins of one user at one service of a server, whoever asked: a wrong password, and another one."""
REFUSED_USER = Rule(4, 900)
"""The same at all its mail services, where one directory may stand behind them: many lock a user out at the fifth."""
LIMITED = Rule(1, 600)
"""Told once that it is too much, a source leaves a server alone for as long as fail2ban's bans last."""

FRESH_S = 20.0
"""Seconds for which an answer of a server is as good for the next who asks."""
REMEMBERED_S = 600.0
"""Seconds for which it may stand for one that is not asked for."""
UNDECIDED_S = 4.0
"""Seconds after which a server that accepts has mostly said its first words: a probe that is still under way meets
silence, as a rule, and no longer counts as accepted."""
FLIGHT_S = 30.0
"""Seconds that a probe may be under way; one that has said nothing by then is not waited for."""
PATIENT_S = 9.0
"""Seconds from when a diagnosis first asked something for which it waits with asking again: what was under way then has
met the time-out of a connection (8 s) by the end of them."""
LONGEST_S = max(rule.within_s for rule in (UNUSED, SUSPECT, UNANSWERED, SERVER, REFUSED, REFUSED_USER, LIMITED))


@dataclass(frozen=True, slots=True)
class LockOut:
    """What a product counts by default before it shuts somebody out, or slows them down.

    Attributes:
        unused, refused: how many connections without a login, and refused logins, of one address set it off; None:
            they do not.
        at_once: connections of one address that may be open at a time; None: any number.
    """

    product: str
    unused: int | None
    refused: int | None
    within_s: float
    at_once: int | None
    does: str


LOCK_OUTS = (
    LockOut("fail2ban", None, 5, 600, None, "bans the address for 10 minutes (maxretry, findtime, bantime)"),
    LockOut("fail2ban, aggressive mode", 5, 5, 600, None, "the same, for connections without a login as well"),
    LockOut("Dovecot, login penalty", None, None, 60, None, "answers 2 seconds later, doubling up to 15"),
    LockOut("Dovecot, mail_max_userip_connections", None, None, 0, 10, "refuses a user's further logins"),
    LockOut("Courier, MAXPERIP", None, None, 0, 4, "closes further connections at once"),
    LockOut("Postfix, anvil", None, None, 60, 50, "421 (smtpd_client_connection_count_limit)"),
    LockOut("Exchange, receive connector", None, None, 0, 20, "421 (MaxInboundConnectionPerSource)"),
)
"""Defaults as their own documentation has them, November 2026. The rules above stay below every count."""


class Became(StrEnum):
    """What became of a connection that a probe was allowed."""

    #: it is under way, or its process died
    PENDING = "pending"
    #: the server accepted it, and nobody logged in
    ACCEPTED = "accepted"
    #: the server never accepted it
    UNANSWERED = "unanswered"
    LOGGED_IN = "logged_in"
    #: these credentials were refused
    REFUSED = "refused"
    #: the server said that it is too much
    LIMITED = "limited"


@dataclass(frozen=True, slots=True)
class Key:
    """What a probe asks of a server, whoever wants to know.

    Attributes:
        server: its address.
        tls: the mode that is asked for; "": to be found out.
    """

    server: str
    source: str
    service: str
    port: int
    host: str
    tls: str


@dataclass(frozen=True, slots=True)
class Spent:
    """A connection that a probe was allowed.

    Attributes:
        login: whose, as a keyed hash; None where nobody was to be logged in.
    """

    key: Key
    login: bytes | None
    became: Became
    age_s: float


@dataclass(frozen=True, slots=True)
class Fact:
    """What was seen a moment ago.

    Attributes:
        id: of the connection that saw it.
    """

    id: int
    observation: Observation
    age_s: float


@dataclass(frozen=True, slots=True)
class Wish:
    """A probe that somebody wants to send.

    Attributes:
        again: the same diagnosis has asked it already, and wants another answer.
        since_s: seconds since it first did.
        had: the facts that it has, or will have seen itself: one of them twice would count as two.
    """

    key: Key
    login: bytes | None
    again: bool = False
    since_s: float = 0.0
    had: frozenset[int] = frozenset()


class Choice(StrEnum):
    """What is done about a wish."""

    GO = "go"
    #: what was seen a moment ago is the answer
    RECALL = "recall"
    #: the answer is on its way to somebody else, or what is under way leaves no room just now
    WAIT = "wait"
    SPARE = "spare"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done about a wish, and why it is not sent.

    Attributes:
        recalled: what is the answer instead.
    """

    choice: Choice
    why: str = ""
    recalled: Fact | None = None


@dataclass(slots=True)
class Books:
    """What has been spent and seen, as far as it concerns these wishes; of what was seen, the latest in front."""

    spent: list[Spent]
    facts: dict[Key, tuple[Fact, ...]] = field(default_factory=dict[Key, tuple[Fact, ...]])

    def within(self, rule: Rule) -> list[Spent]:
        """What was spent in the time of a rule."""
        return [spent for spent in self.spent if spent.age_s < rule.within_s]


def decide(wishes: Sequence[Wish], books: Books, *, may_wait: bool) -> list[Decision]:
    """What is done about each wish; those that go count for the ones behind them.

    Args:
        may_wait: whether there is time to wait for what is under way.
    """
    running = Books(list(books.spent), books.facts)
    services = _services_by_login(wishes)
    decisions: list[Decision] = []
    recalled = defaultdict[Key, set[int]](set)
    for wanted in wishes:
        had = recalled[wanted.key]
        wish = replace(wanted, again=wanted.again or bool(had), had=wanted.had | had)
        decision = _about(wish, books, running, services, may_wait=may_wait)
        if decision.recalled is not None:
            had.add(decision.recalled.id)
        if decision.choice is Choice.GO:
            running.spent.append(Spent(wish.key, wish.login, Became.PENDING, 0.0))
        decisions.append(decision)
    return decisions


def became_of(observation: Observation) -> Became | None:
    """What a probe's connection counts as; None: there was none."""
    match observation.outcome:
        case Outcome.OURS:
            return None
        case Outcome.SPARED if not observation.passed:
            return None
        case Outcome.SILENT | Outcome.RESET | Outcome.PROHIBITED | Outcome.REJECTED | Outcome.UNREACHABLE:
            return Became.UNANSWERED
        case Outcome.LIMITED:
            return Became.LIMITED
        case Outcome.CREDENTIALS:
            return Became.REFUSED
        case _:
            return Became.LOGGED_IN if Stage.LOGIN in observation.passed else Became.ACCEPTED


def further_became(service: Service, became: Became | None) -> Became:
    """What the further connections of a probe count as.

    Web servers may end a connection with every answer: where the user was let in, all of them were his.
    """
    if service is Service.CALDAV and became is Became.LOGGED_IN:
        return Became.LOGGED_IN
    return Became.ACCEPTED


_ANONYMOUS = frozenset({Stage.RESOLVE, Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.CAPABILITY})


def fact_of(observation: Observation) -> Observation | None:
    """What may be kept of an observation for whoever asks next: the server's part of it, and nothing of a user.

    None: there is nothing.
    """
    if observation.remembered or became_of(observation) is None:
        return None
    if observation.stage in _ANONYMOUS:
        return _anonymous(observation)
    passed = tuple(step for step in observation.steps if step.stage in _ANONYMOUS)
    if not passed:
        return None
    # Whatever failed later had to do with a user; up to there all went well.
    return _anonymous(observation, Outcome.REACHED, passed[-1].stage)


def _anonymous(observation: Observation, outcome: Outcome | None = None, stage: Stage | None = None) -> Observation:
    """The observation as one of a probe that was meant to go as far as the greeting."""
    return Observation(
        probe=0,
        at=observation.at,
        vantage=observation.vantage,
        environment=observation.environment,
        source=observation.source,
        source_address=observation.source_address,
        service=observation.service,
        host=observation.host,
        port=observation.port,
        address=observation.address,
        outcome=outcome or observation.outcome,
        stage=stage or observation.stage,
        depth=Depth.GREETING,
        steps=tuple(step for step in observation.steps if step.stage in _ANONYMOUS),
        elapsed_ms=observation.elapsed_ms,
        local=observation.local,
        tls=observation.tls,
        said="" if outcome else observation.said,
        spoken=observation.spoken,
        detail="" if outcome else observation.detail,
        icmp=observation.icmp,
        retransmits=observation.retransmits,
        rtt_ms=observation.rtt_ms,
        certificate=observation.certificate,
        offers=observation.offers,
    )


def _about(
    wish: Wish, books: Books, running: Books, services: Mapping[bytes, Sequence[str]], *, may_wait: bool
) -> Decision:
    facts = [fact for fact in books.facts.get(wish.key, ()) if fact.id not in wish.had and fact.age_s < REMEMBERED_S]
    if wish.login is None and not wish.again:
        if facts and facts[0].age_s < FRESH_S:
            return Decision(Choice.RECALL, recalled=facts[0])
        if may_wait and any(s.key == wish.key and _is_under_way(s) for s in books.spent):
            return Decision(Choice.WAIT)
    decision = _about_connection(wish, running)
    if decision.choice is Choice.GO and wish.login is not None:
        decision = _about_login(wish.key.service, wish.login, books, services[wish.login], may_wait=may_wait)
        if decision.choice is not Choice.GO:
            return decision
    if decision.choice is Choice.GO:
        return decision
    # Of a probe that was to log in, only a failure before that is an answer.
    may_recall = bool(facts) and (wish.login is None or facts[0].observation.outcome is not Outcome.REACHED)
    has_time = not wish.again or wish.since_s < PATIENT_S
    wants = wish.login is not None or (wish.again and not may_recall)
    if may_wait and has_time and wants and _would_go_once_settled(wish, books, running):
        # What is under way ends within seconds, and may then count for nothing, or be an answer to this.
        return Decision(Choice.WAIT)
    return Decision(Choice.RECALL, decision.why, facts[0]) if may_recall else decision


def _about_connection(wish: Wish, books: Books) -> Decision:
    """Whether this connection is one too many."""
    key = wish.key
    here = [
        s for s in books.spent if (s.key.server, s.key.source, s.key.service) == (key.server, key.source, key.service)
    ]

    def count(rule: Rule, *became: Became) -> int:
        return sum(s.became in became and s.age_s < rule.within_s for s in here)

    begun = sum(s.became is Became.PENDING and s.login is None and s.age_s < UNDECIDED_S for s in here)
    unused = count(UNUSED, Became.ACCEPTED, Became.LIMITED) + begun
    limited = [s for s in books.within(LIMITED) if s.became is Became.LIMITED and s.key.server == key.server]
    if any(s.key.source == key.source for s in limited):
        why = "the server has told this source a moment ago that it is too much, so it is left alone for 10 minutes"
    elif (
        sum(s.key.server == key.server and s.became is not Became.UNANSWERED for s in books.within(SERVER))
        >= SERVER.most
    ):
        why = f"the server has had {SERVER.most} connections of ours in 10 minutes"
    elif wish.login is None and unused >= UNUSED.most:
        why = f"it has had {UNUSED.most} connections without a login from this source in 10 minutes"
    elif count(SUSPECT, Became.ACCEPTED, Became.LIMITED, Became.REFUSED, Became.PENDING) >= SUSPECT.most:
        why = f"it has had {SUSPECT.most} refused logins and connections without one from this source in 10 minutes"
    elif count(UNANSWERED, Became.UNANSWERED) >= UNANSWERED.most:
        why = f"it has not answered this source {UNANSWERED.most} times in 10 minutes"
    else:
        return Decision(Choice.GO)
    return Decision(Choice.SPARE, f"Not asked: {why}; more could get the address banned.")


def _would_go_once_settled(wish: Wish, books: Books, running: Books) -> bool:
    """Whether it is only what is under way, of this diagnosis or another, that makes this connection one too many."""
    settled = [spent for spent in books.spent if not _is_under_way(spent)]
    mine = running.spent[len(books.spent) :]
    return len(settled) < len(books.spent) and _about_connection(wish, Books([*settled, *mine])).choice is Choice.GO


def _about_login(service: str, login: bytes, books: Books, services: Sequence[str], *, may_wait: bool) -> Decision:
    """Whether this user's password may be shown.

    One diagnosis is refused once at each service at most: the second source shows only what the first was let in by.
    """
    mine = sorted((s for s in books.within(REFUSED) if s.login == login), key=lambda s: s.age_s)
    refused: list[str] = []
    for spent in mine:
        if spent.became is Became.LOGGED_IN:
            break  # servers forget what was before, too
        if spent.became is Became.REFUSED:
            refused.append(spent.key.service)
    if refused.count(service) >= REFUSED.most or len(refused) >= REFUSED_USER.most:
        return Decision(Choice.SPARE, "Not asked: another login of this user just now could lock the account.")
    if not refused and any(spent.became is Became.LOGGED_IN for spent in mine):
        return Decision(Choice.GO)
    under_way = {s.key.service for s in mine if _is_under_way(s)}
    at_this_one = refused.count(service) + (service in under_way)
    at_all = len(refused) + len(under_way) + services.index(service)
    if at_this_one < REFUSED.most and at_all < REFUSED_USER.most:
        return Decision(Choice.GO)
    if may_wait and under_way:
        return Decision(Choice.WAIT)
    return Decision(Choice.SPARE, "Not asked: another login of this user just now could lock the account.")


def _services_by_login(wishes: Sequence[Wish]) -> Mapping[bytes, Sequence[str]]:
    """The services that each user is to be logged in at, the most telling first."""
    order = [str(service) for service in Service]
    found: dict[bytes, set[str]] = {}
    for wish in wishes:
        if wish.login is not None:
            found.setdefault(wish.login, set()).add(wish.key.service)
    return {login: sorted(services, key=order.index) for login, services in found.items()}


def _is_under_way(spent: Spent) -> bool:
    return spent.became is Became.PENDING and spent.age_s < FLIGHT_S
