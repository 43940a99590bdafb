"""The picture of sources by stages: from whole diagnoses, from hand-made evidence, and while one runs."""

import pytest

from mooring.diagnosis import Mark, MatrixTable, Stage, Told, Watch, matrix_of, matrix_text
from mooring.diagnosis.progress import Began, Concluded, LookedUp, Observed, Passed, Progress
from mooring.diagnosis.types import Icmp, Outcome, Service, Step, Vantage
from mooring.grants import TlsMode
from tests.unit.diagnosis.observing import REFUSED, TARGET, lookup, probe, seen, told
from tests.unit.diagnosis.worlds import ADDRESS, HOST, World, exits_of, keeps_out, port, question

IMAP, SMTP = Service.IMAP, Service.SMTP


def one_table(*observations: object, tls: TlsMode | None = None) -> MatrixTable:
    [table] = matrix_of([TARGET], [lookup()], list(observations))  # pyright: ignore[reportArgumentType]
    return table


def marks(table: MatrixTable, row: int = 0) -> str:
    """A row's marks, a letter each."""
    return "".join({Mark.UNDER_WAY: "u", Mark.NOT_ASKED: "."}.get(c.mark, c.mark[0]) for c in table.rows[row].cells)


def test_one_address_of_four_is_missing() -> None:
    world = World([keeps_out(Vantage.DYNAMIC, sources=["v3-us-static-4-22"])])
    evidence, verdict = world.diagnose(question(IMAP, SMTP, credentials=True), exits_of())
    imap, smtp = matrix_of(evidence.question.targets, evidence.lookups, evidence.observations)
    assert (imap.service, smtp.service) == (IMAP, SMTP)
    assert imap.columns == (
        Stage.RESOLVE, Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.CAPABILITY, Stage.LOGIN, Stage.LIST,
    )  # fmt: skip
    assert smtp.columns[-1] is Stage.RECIPIENT
    assert [r.source_address for r in imap.rows] == [
        "203.0.113.20", "203.0.113.21", "203.0.113.22", "203.0.113.23", "203.0.113.10", "203.0.113.11",
    ]  # fmt: skip
    assert [r.vantage for r in imap.rows] == [Vantage.STATIC] * 4 + [Vantage.DYNAMIC] * 2
    assert [marks(imap, n) for n in range(6)] == ["ppppppp", "ppppp..", "pf.....", "ppppp..", "pf.....", "pf....."]
    assert imap.rows[2].words.startswith("no answer within 8.0 s (")
    text = matrix_text([imap, smtp], proof=verdict.proof)
    assert "* static   203.0.113.22 → 198.51.100.7  ✓" in text
    assert "✓ passed   ✗ failed   · not asked   * proves the verdict" in text


def test_probes_of_one_source_are_one_row_with_how_many_of_them_came_how_far() -> None:
    table = one_table(
        seen(1, Stage.CAPABILITY), seen(2, Stage.CONNECT, Outcome.SILENT), seen(3, Stage.CAPABILITY, ms=40.0)
    )
    [row] = table.rows
    assert marks(table) == "pmppp.."
    connect = row.cells[1]
    assert (connect.passed, connect.asked, connect.ms) == (2, 3, 30.0)
    assert row.words == "got through (2 of 3); no answer (1 of 3)"
    assert row.probes == (1, 2, 3)
    assert "± 2 of 3" in matrix_text([table])


def test_starttls_has_its_own_order() -> None:
    target = TARGET.__class__(IMAP, HOST, 143)
    [table] = matrix_of([target], [lookup()], [])
    assert table.tls is TlsMode.STARTTLS
    assert table.columns[1:5] == (Stage.CONNECT, Stage.GREETING, Stage.CAPABILITY, Stage.TLS)
    assert "nothing was seen yet" in matrix_text([table])


def test_what_was_spared_was_not_asked_and_what_is_ours_is_not_the_servers() -> None:
    spared, ours = (
        seen(1, Stage.CONNECT, Outcome.SPARED), seen(2, Stage.CONNECT, Outcome.OURS, detail="wg0 is down")
    )  # fmt: skip
    assert marks(one_table(spared)) == "p......"
    table = one_table(ours)
    assert marks(table) == "po....."
    assert table.rows[0].words == "not sent: our own exit failed: wg0 is down"
    assert "! our own exit failed" in matrix_text([table])


def test_a_name_that_leads_nowhere_is_a_row_without_an_address() -> None:
    [table] = matrix_of([TARGET], [lookup(problem="no_such_name")], [])
    assert marks(table) == "f......"
    assert table.rows[0].words == "there is no such name"
    assert "✗" in matrix_text([table])


def test_a_name_with_one_private_address_is_not_called_private() -> None:
    private, mixed = ([matrix_of([TARGET], [lookup(problem=p)], [])[0].rows[0].words] for p in ("private", "mixed"))
    assert private == ["leads to addresses that are not public"]
    assert mixed == ["also leads to an address that is not public"]


def test_alternatives_stand_behind_what_was_asked() -> None:
    evidence, _ = World([port(993, Outcome.RESET)]).diagnose(question(), exits_of())
    tables = matrix_of(evidence.question.targets, evidence.lookups, evidence.observations)
    assert [t.is_alternative for t in tables] == [False] + [True] * (len(tables) - 1)
    assert "IMAP mail.example.com:143 (STARTTLS), looked at beside it" in matrix_text(tables)


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (seen(1, Stage.CONNECT, Outcome.PROHIBITED, icmp=Icmp(3, 13, ADDRESS)),
         "refused by ICMP: prohibited (type 3 code 13 from 198.51.100.7)"),
        (seen(1, Stage.TLS, Outcome.NOT_TLS, spoken="http"), "speaks no TLS here, but http"),
        (seen(1, Stage.CONNECT, Outcome.SILENT, remembered=True), "no answer, as seen a moment ago"),
    ],
)  # fmt: skip
def test_words(observation: object, words: str) -> None:
    assert one_table(observation).rows[0].words == words


def test_plain_text_holds_no_word_that_steers_a_terminal() -> None:
    said = "554 \x1b[2Jgone \u202eevil\r\nIMAP fine"
    text = matrix_text([one_table(seen(1, Stage.GREETING, Outcome.POLICY, said=said))])
    assert not [c for c in text if c != "\n" and not c.isprintable()]
    assert "refused for where we come from" in text
    assert len(text.splitlines()) == 5


def test_ascii_is_ascii() -> None:
    text = matrix_text([one_table(seen(1, Stage.GREETING, Outcome.POLICY, said="554 тут нет"))], ascii_only=True)
    assert text.isascii()
    assert "203.0.113.20 -> 198.51.100.7  +" in text
    assert "+ passed   x failed   . not asked" in text


def test_it_fills_while_probes_run() -> None:
    watch = Watch((TARGET,))
    watch.take(LookedUp(lookup()))
    assert watch.matrix[0].rows == ()
    watch.take(Began(probe(1)))
    assert marks(watch.matrix[0]) == "pu....."
    watch.take(Passed(1, Step(Stage.CONNECT, 12.0)))
    assert marks(watch.matrix[0]) == "ppu...."
    watch.take(Observed(seen(1, Stage.GREETING, Outcome.CLOSED)))
    assert marks(watch.matrix[0]) == "pppf..."
    watch.take(Began(probe(2)))
    assert marks(watch.matrix[0]) == "pppf..."
    assert watch.matrix[0].rows[0].probes == (1, 2)
    watch.take(Concluded(REFUSED))
    assert watch.verdict == REFUSED


def test_what_another_process_tells_is_put_together_and_forgotten_when_it_begins_anew() -> None:
    heard: list[Progress] = [LookedUp(lookup()), Began(probe(1)), Passed(1, Step(Stage.CONNECT, 12.0))]
    watch = Watch(())
    for one in told(heard):
        watch.hear(one)
    assert (watch.number, marks(watch.matrix[0])) == (3, "ppu....")
    watch.hear(Told(4, "started", {"kind": "started", "run": 2}))
    assert (watch.number, watch.matrix) == (4, ())
    watch.hear(Told(5, "failed", {"kind": "failed"}))
    assert watch.number == 5
