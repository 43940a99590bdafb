"""What is handed on of a diagnosis: whole, readable without anything else, and nobody's secret."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from mooring.allowlist import AddressList, Entry
from mooring.clock import SystemClock
from mooring.config import EnvironmentName, Generation, Kind
from mooring.diagnosis import Code, Diagnosis, Evidence, Outcome, Reader, Stage, State, Verdict
from mooring.diagnosis.types import Certificate, Icmp, Question, Service, Vantage
from mooring.errors import Conflict
from mooring.reports import POLICY, Report, Reports, report_html, report_json, report_of, sureness_of, title_of, tone_of
from tests.unit.diagnosis.observing import TARGET, lookup, seen
from tests.unit.diagnosis.virtual import START
from tests.unit.diagnosis.worlds import World, exits_of, keeps_out, question

LIST = AddressList(
    EnvironmentName(Generation.V3, "us", Kind.STATIC), 3, int(START.timestamp()),
    tuple(Entry(f"203.0.113.{n}", 4) for n in range(20, 24)),
)  # fmt: skip
HOSTILE = "554 </q><script>alert(1)</script> \u202egnp.exe \x1b[31m\u2028 ann@example.com"


def diagnosis_of(evidence: Evidence, verdict: Verdict, **more: Any) -> Diagnosis:
    fields: dict[str, Any] = {
        "id": "d1", "application_id": "app", "grant_id": "", "by": "application", "state": State.DONE,
        "question": evidence.question, "verdict": verdict, "evidence": evidence, "error": None, "run": 1,
        "created_at": START, "started_at": START, "ended_at": START + timedelta(seconds=8.1),
    }  # fmt: skip
    return Diagnosis(**fields | more)


def reported(diagnosis: Diagnosis, listed: AddressList = LIST) -> Report:
    return report_of(diagnosis, listed=listed, base_url="https://mooring.example.com", made_at=START)


def partial(**more: Any) -> Report:
    """One of four static addresses is missing."""
    world = World([keeps_out(Vantage.DYNAMIC, sources=["v3-us-static-4-22"])])
    evidence, verdict = world.diagnose(question(Service.IMAP, Service.SMTP, credentials=True), exits_of())
    return reported(diagnosis_of(evidence, verdict, **more))


def of(*observations: Any, question_: Question | None = None, code: Code = Code.NEEDED, **more: Any) -> Report:
    """A report over hand-made evidence."""
    asked = question_ or question()
    evidence = Evidence(asked, exits_of(), (lookup(),), tuple(observations), ended_at=START)
    steps = {reader: [f"What a {reader} does: {HOSTILE}"] for reader in Reader}
    verdict = Verdict(code, 0.9, f"It said {HOSTILE}.", steps, row="row", proof=(1,))
    return reported(diagnosis_of(evidence, verdict, **more))


class Page(HTMLParser):
    """What a browser would make of it: elements with their attributes, and the words."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_tells_everything_that_an_administrator_needs() -> None:
    page = Page(report_html(partial()))
    for told in (
        "The allowlist is incomplete", "As good as certain", "and not these: 203.0.113.22.",
        "For the mail administrator", "For the person whose mailbox it is", "For the developer", "For support",
        "Add to the rule: 203.0.113.22.", "v3-us-static, version 3", "https://mooring.example.com/allowlist/v3/us.txt",
        "2026-11-29 12:00:0", "no answer within 8.0 s", "tcpdump -n -i any '(host 203.0.113.20 or ",
        "and (icmp or icmp6 or (tcp and (port 465 or port 993)))'", "How it was found out",
        "mail.example.com led to 198.51.100.7.", "some_static_are_missing", "4 addresses (static)",
    ):  # fmt: skip
        assert told in page.words, told
    assert page.words.count("TCP from") == 0


def test_it_needs_nothing_from_elsewhere_and_allows_nothing() -> None:
    source = report_html(partial())
    page = Page(source)
    names = [name for name, _ in page.elements]
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(names)
    attributes = [attribute for _, has in page.elements for attribute in has]
    assert not [a for a in attributes if a.startswith("on") or a in {"style", "src", "srcset"}]
    assert "@import" not in source
    assert "url(" not in source
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in POLICY
    [inside] = [has["content"] for _, has in page.elements if has.get("http-equiv") == "Content-Security-Policy"]
    assert inside is not None
    assert POLICY.startswith(inside)
    assert "default-src 'none'" in inside


def test_the_picture_can_be_read_without_seeing_it() -> None:
    page = Page(report_html(partial()))
    assert page.words.count("How far each of our addresses came at IMAP mail.example.com:993 (TLS)") == 1
    scopes = [has.get("scope") for name, has in page.elements if name == "th"]
    assert set(scopes) == {"col", "row"}
    glyphs = [has for name, has in page.elements if name == "b"]
    assert glyphs
    assert all(has.get("aria-hidden") == "true" for has in glyphs)
    assert "✗failed" in page.words
    assert "proof" in page.words
    ids = [has["id"] for _, has in page.elements if "id" in has]
    assert len(ids) == len(set(ids))
    assert [name for name, _ in page.elements].count("h1") == 1


def test_what_servers_say_is_text_and_nothing_else() -> None:
    names = ("<img src=x onerror=alert(1)>", "\u202emoc.elpmaxe")
    shown = Certificate(names, "CN=<b>evil</b>", datetime(2027, 1, 1, tzinfo=UTC), "ab" * 32, "<i>expired</i>")
    report = of(
        seen(1, Stage.GREETING, Outcome.POLICY, said=HOSTILE, detail=HOSTILE),
        seen(2, Stage.TLS, Outcome.CERTIFICATE, certificate=shown),
    )
    source = report_html(report)
    page = Page(source)
    assert not {"script", "img", "i"} & {name for name, _ in page.elements}
    assert "<script>alert(1)</script>" in page.words
    for text in (source, report_json(report).decode(), json.dumps(json.loads(report_json(report)), ensure_ascii=False)):
        assert not [c for c in text if c != "\n" and not c.isprintable()]
    assert "\\u202e" not in report_json(report).decode()


def test_a_user_who_is_called_as_our_words_are_leaves_commands_whole() -> None:
    named = msgspec.structs.replace(question(), targets=(msgspec.structs.replace(TARGET, username="host"),), email="")
    report = of(seen(1, Stage.LOGIN, Outcome.POLICY, said="BYE host, not you"), question_=named)
    assert report.capture.startswith("tcpdump -n -i any '(host ")
    assert report.timeline[0].said == "BYE ***, not you"


def test_users_names_are_left_out_unless_they_were_asked_about() -> None:
    target = msgspec.structs.replace(TARGET, username="bank-ann")
    said = "BYE bank-ann <ANN@example.com> of mail.example.com must not"
    asked_by_address = msgspec.structs.replace(question(), targets=(target,), email="ann@example.com")
    observation = seen(1, Stage.LOGIN, Outcome.POLICY, said=said)
    by_address = of(observation, question_=asked_by_address)
    assert by_address.email == "ann@example.com"
    assert by_address.timeline[0].said == "BYE *** <ANN@example.com> of mail.example.com must not"
    of_a_grant = of(observation, question_=asked_by_address, grant_id="g1")
    for text in (report_html(of_a_grant), report_json(of_a_grant).decode()):
        assert "ann@example.com" not in text.lower()
        assert "bank-ann" not in text
        assert "mail.example.com" in text
    by_host = of(observation, question_=msgspec.structs.replace(asked_by_address, email=""))
    assert "bank-ann" not in report_json(by_host).decode()


def test_a_user_who_is_called_as_one_of_our_own_words_breaks_nothing() -> None:
    for name in ("static", "imap", "login", "failed", "mail"):
        target = msgspec.structs.replace(TARGET, username=name)
        report = of(
            seen(1, Stage.LOGIN, Outcome.CREDENTIALS), question_=msgspec.structs.replace(question(), targets=(target,))
        )
        assert report.matrix[0].rows[0].vantage is Vantage.STATIC
        assert "mail.example.com" in report_html(report)


def test_as_json_it_is_one_document_that_says_what_it_is() -> None:
    report = partial()
    document = json.loads(report_json(report))
    assert list(document)[:2] == ["schema", "version"]
    assert (document["schema"], document["version"]) == ("mooring.diagnosis-report", 1)
    assert msgspec.json.decode(report_json(report), type=Report) == report
    assert document["allow"]["addresses"] == [f"203.0.113.{n}" for n in range(20, 24)]
    assert set(document["next_steps"]) == set(Reader)
    assert {line["probe"] for line in document["timeline"] if line.get("is_proof")} == set(document["proof"])
    assert document["matrix"][0]["rows"][0]["cells"][0] == {
        "stage": "resolve", "mark": "passed", "passed": 1, "asked": 1,
    }  # fmt: skip
    for secret in ("subject", "password", "api_key"):
        assert f'"{secret}' not in report_json(report).decode()


def test_the_timeline_has_what_left_and_from_which_port() -> None:
    report = of(
        seen(3, Stage.CAPABILITY, local="10.0.0.7:51234"), seen(1, Stage.CONNECT, Outcome.OURS),
        seen(2, Stage.CONNECT, Outcome.SPARED), seen(4, Stage.CONNECT, Outcome.SILENT, remembered=True),
        seen(5, Stage.CONNECT, Outcome.PROHIBITED, icmp=Icmp(3, 13, "198.51.100.1"), source="203.0.113.21"),
    )  # fmt: skip
    assert [(line.probe, line.source_address, line.source_port) for line in report.timeline] == [
        (3, "203.0.113.20", 51234), (5, "203.0.113.21", None),
    ]  # fmt: skip
    [icmp] = report.icmp
    assert (icmp.sender, icmp.to, icmp.times) == ("198.51.100.1", ("203.0.113.21",), 1)
    assert "10.0.0.7" not in report_html(report)


def test_where_no_list_is_published_the_addresses_are_those_that_were_asked_from() -> None:
    evidence, verdict = World().diagnose(question(), exits_of())
    report = reported(diagnosis_of(evidence, verdict), AddressList(LIST.environment, 0, 0, ()))
    assert report.allow.addresses == tuple(f"203.0.113.{n}" for n in range(20, 24))
    assert (report.allow.version, report.allow.since) == (0, None)
    assert (
        "version" not in re.sub(r"<style>.*?</style>", "", report_html(report), flags=re.DOTALL).partition("<main")[2]
    )


def test_without_a_verdict_there_is_nothing_to_report() -> None:
    evidence, verdict = World().diagnose(question(), exits_of())
    whole = diagnosis_of(evidence, verdict)
    running = replace(whole, state=State.RUNNING, verdict=None, evidence=None, ended_at=None)
    failed = replace(running, state=State.FAILED, error={"type": "timeout", "message": "No time."}, ended_at=START)
    reports = Reports(lambda _: LIST, "https://mooring.example.com/", SystemClock())
    with pytest.raises(Conflict, match="has not ended yet"):
        reports.of(running)
    with pytest.raises(Conflict, match=r"No time\."):
        reports.of(failed)


@pytest.mark.parametrize("code", Code)
def test_every_verdict_has_a_title(code: Code) -> None:
    assert title_of(code)
    assert not title_of(code).endswith(".")
    assert tone_of(code) in {"good", "bad", "waiting"}
    assert title_of(code) in Page(report_html(of(seen(1, Stage.CAPABILITY), code=code))).words


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(1.0, "as good as certain"), (0.9, "very likely"), (0.6, "more likely than not"), (0, "a guess")],
)
def test_confidence_in_words(confidence: float, words: str) -> None:
    assert sureness_of(confidence) == words
