"""What the four readers are told: whole sentences, in words of their own, whatever is known."""

import re

import pytest

from mooring.diagnosis.types import Evidence, Outcome, Question, Service, Stage, Target
from mooring.diagnosis.verdict.combine import Conclusion
from mooring.diagnosis.verdict.types import Code, Finding, Reader, Verdict
from mooring.diagnosis.verdict.words import SENTENCES, verdict_of
from tests.unit.diagnosis.observing import seen
from tests.unit.diagnosis.test_verdicts import CASES, Case
from tests.unit.diagnosis.worlds import exits_of

JARGON = ("TCP", "ICMP", "IPv", "tcpdump", "POST ", "GET ", "grant", "allowlist", "dynamic", "SYN", "DNS", "exit")
BASE = "https://mooring.example.test/"
TARGETS = (Target(Service.IMAP, "mail.example.test", 993), Target(Service.SMTP, "mail.example.test", 465))
FACTS = {
    "cause": ["silent", "NO {we} are closed..", "550 5.7.1 Go away."],
    "missing": ["192.0.2.1"],
    "allowed": ["192.0.2.2"],
    "environments": ["v3-eu-static"],
    "servers": ["imap mail.example.test:143 starttls", "smtp 2001:db8::1:465 implicit", "caldav mail.example.test:443"],
    "spoken": ["http"],
    "elsewhere": ["http on port 443"],
    "names": ["a.example.test"],
    "sources": ["192.0.2.1"],
    "until": ["2026-11-29T10:06+00:00"],
    "earlier": ["2026-11-28T10:06:07+01:00"],
    "exits": ["s1 (192.0.2.1)"],
    "stray": ["an address that is not public"],
    "detail": ["It was so."],
    "dead": ["IPv6"],
    "alive": ["IPv4"],
    "read": ["mail.example.test"],
    "open_services": ["imap"],
    "closed_services": ["smtp"],
}

ALWAYS = {
    Code.WRONG_REGION: ("environments", "allowed"),
    Code.GEOGRAPHIC: ("environments", "allowed"),
    Code.ALLOWLIST_OUTDATED: ("environments", "allowed"),
    Code.BANNED: ("until", "sources"),
    Code.REPUTATION: ("sources",),
    Code.ADDRESS_FAMILY: ("dead", "alive"),
}
"""What the rows of a verdict find out in any case."""


def told(code: Code, facts: dict[str, list[str]], *, with_exits: bool = True) -> Verdict:
    question = Question("", "v3", "us", "s", TARGETS)
    evidence = Evidence(question, exits_of() if with_exits else ())
    finding = Finding(code, 0.9, "row", Service.IMAP, facts=facts)
    return verdict_of(evidence, Conclusion(finding, (finding,), ()), BASE)


def sentences(verdict: Verdict) -> list[str]:
    return [verdict.summary, *(step for steps in verdict.next_steps.values() for step in steps)]


def assert_readable(verdict: Verdict) -> None:
    assert verdict.next_steps.keys() == set(Reader)
    for sentence in sentences(verdict):
        assert sentence
        assert not re.search(r"\.\.|: \.|: ,|, ,|\{\}|  ", sentence), sentence
        assert sentence[0].isupper() or sentence[0].isdigit() or sentence.startswith(TARGETS[0].host[:4]), sentence
        assert not any(re.search(rf"\b{outcome}\b", sentence) for outcome in Outcome if "_" in outcome), sentence
    for step in verdict.next_steps[Reader.END_USER]:
        assert [word for word in JARGON if word in step] == []
        assert step.endswith(".")


@pytest.mark.parametrize("code", Code)
def test_every_verdict_speaks_to_every_reader_whatever_is_known(code: Code) -> None:
    always = {name: FACTS[name] for name in ALWAYS.get(code, ())}
    for more in (FACTS, {}, *({name: values} for name, values in FACTS.items())):
        facts = {**always, **more}
        verdict = told(code, facts)
        assert_readable(verdict)
        assert all(verdict.next_steps.values()), facts
        assert_readable(told(code, facts, with_exits=False))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_diagnosis_tells_is_readable(case: Case) -> None:
    _, verdict = case.world.diagnose(case.question, exits_of() + exits_of(family=6))
    assert_readable(verdict)


def test_every_sentence_can_be_filled() -> None:
    """A name in braces that no row finds out would keep its sentence from ever being told."""
    known = {
        *FACTS,
        "host",
        "service",
        "port",
        "ports",
        "static",
        "let_in",
        "environment",
        "region",
        "list_url",
        "open",
        "closed",
    }
    for code in Code:
        text = str(SENTENCES[code]).replace("{{", "").replace("}}", "")
        assert set(re.findall(r"\{(\w+)\}", text)) <= known, code


def test_facts_are_told_as_people_read_them() -> None:
    assert "no answer, NO {we} are closed, 550 5.7.1 Go away." in told(Code.NEEDED, FACTS).summary
    assert "2026-11-29 10:06 UTC" in told(Code.BANNED, FACTS).next_steps[Reader.END_USER][0]
    assert "last let us in at 2026-11-28 09:06 UTC" in told(Code.ALLOWLIST_MISSING, FACTS).summary
    (settings,) = told(Code.WRONG_PORT, FACTS).next_steps[Reader.END_USER]
    assert settings == (
        "Use these settings: IMAP at mail.example.test, port 143 (STARTTLS), "
        "SMTP submission at 2001:db8::1, port 465 (SSL/TLS), CalDAV at mail.example.test, port 443."
    )
    assert f"{BASE}allowlist/v3/us.txt" in told(Code.NEEDED, {}).next_steps[Reader.MAIL_ADMINISTRATOR][1]


def test_either_port_of_submission_is_to_be_opened_where_nobody_named_one() -> None:
    targets = (*TARGETS[:1], Target(Service.SMTP, "mail.example.test", 465, is_usual_port=True))
    evidence = Evidence(Question("", "v3", "us", "s", targets), exits_of())
    finding = Finding(Code.ALLOWLIST_MISSING, 0.9, "row")
    verdict = verdict_of(evidence, Conclusion(finding, (finding,), ()))
    assert (
        "mail.example.test:993, mail.example.test:465 or 587 from" in verdict.next_steps[Reader.MAIL_ADMINISTRATOR][0]
    )


def test_a_firewalls_log_is_searched_for_what_it_refused_first() -> None:
    both = (seen(1, Stage.CAPABILITY, local="203.0.113.20:40000"), seen(2, Stage.CONNECT, Outcome.SILENT))
    evidence = Evidence(Question("", "v3", "us", "s", TARGETS), exits_of(), observations=both)
    finding = Finding(Code.NEEDED, 0.9, "row", Service.IMAP, proof=(1, 2))
    steps = verdict_of(evidence, Conclusion(finding, (finding,), ())).next_steps[Reader.MAIL_ADMINISTRATOR]
    lines = [step for step in steps if " UTC: TCP from " in step]
    assert [line.rpartition(": ")[2] for line in lines] == ["no answer", "got through"]
    assert "(any port)" in lines[0]
    assert "(40000)" in lines[1]
