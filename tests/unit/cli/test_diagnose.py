"""``mooring diagnose``: what its command line asks, the matrix while it runs, and what it ends with."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from mooring.cli.diagnose import ask_of, status_of
from mooring.cli.main import cli
from mooring.cli.stages import Board, lines_of
from mooring.diagnosis import (
    Ask,
    Began,
    Code,
    Control,
    Controlled,
    LookedUp,
    Lookup,
    Observed,
    Outcome,
    Passed,
    Probe,
    Progress,
    Service,
    Stage,
    State,
    Step,
    Vantage,
)
from mooring.diagnosis.types import Exit, Target
from mooring.errors import InvalidRequest
from tests.unit.api.fake_diagnoses import DONE, SEEN, VERDICT

NOTHING = {"grant": "", "services": "", "username": "", "password": ""}


@pytest.mark.parametrize(
    ("about", "options", "asked"),
    [
        ("mail.example.com", {}, Ask(host="mail.example.com")),
        ("ann@example.com", {"services": "imap, smtp"}, Ask(email="ann@example.com", services=tuple(Service)[:2])),
        ("ann@example.com", {"password": "p"}, Ask(email="ann@example.com", settings={"imap_password": "p"})),
        (
            "mail.example.com",
            {"username": "ann", "password": "p"},
            Ask(host="mail.example.com", settings={"imap_username": "ann", "imap_password": "p"}),
        ),
        (
            "mail.example.com:587",
            {},
            Ask(settings={"smtp_host": "mail.example.com", "smtp_port": 587}, services=(Service.SMTP,)),
        ),
        (
            "dav.test:8443",
            {},
            Ask(settings={"caldav_host": "dav.test", "caldav_port": 8443}, services=(Service.CALDAV,)),
        ),
        (
            "[2001:db8::1]:10993",
            {},
            Ask(settings={"imap_host": "[2001:db8::1]", "imap_port": 10993}, services=(Service.IMAP,)),
        ),
        (
            "a.test:10025",
            {"services": "smtp"},
            Ask(settings={"smtp_host": "a.test", "smtp_port": 10025}, services=(Service.SMTP,)),
        ),
        ("2001:db8::1", {}, Ask(host="2001:db8::1")),
        ("https://mail.example.com:993/", {}, Ask(host="https://mail.example.com:993/")),
        ("", {"grant": "g1", "services": "smtp"}, Ask(grant_id="g1", services=(Service.SMTP,))),
    ],
)  # fmt: skip
def test_what_is_asked(about: str, options: dict[str, Any], asked: Ask) -> None:
    assert ask_of(about, **{**NOTHING, **options}) == asked


@pytest.mark.parametrize(
    ("about", "options"),
    [
        ("", {}),
        ("mail.example.com", {"grant": "g1"}),
        ("", {"grant": "g1", "password": "p"}),
        ("mail.example.com", {"services": "pop3"}),
        ("mail.example.com:imap", {}),
        ("mail.example.com:99999999999", {}),
        ("mail.example.com:993", {"services": "imap,smtp"}),
    ],
)
def test_what_cannot_be_asked(about: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        ask_of(about, **{**NOTHING, **options})


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.NOT_NEEDED, 0),
        (Code.NEEDED, 10),
        (Code.ALLOWLIST_PARTIAL, 10),
        (Code.WRONG_CREDENTIALS, 11),
        (Code.SERVER_DOWN, 11),
        (Code.OWN_EXIT_BROKEN, 12),
        (Code.INCONCLUSIVE, 13),
    ],
)
def test_what_it_ends_with(code: Code, status: int) -> None:
    assert status_of(replace(DONE, verdict=msgspec.structs.replace(VERDICT, code=code))) == status
    assert status_of(replace(DONE, state=State.FAILED, verdict=None)) == 1


@pytest.mark.parametrize(
    ("name", "words"), [("report.txt", "must end in"), ("report", "must end in"), ("nowhere/x.html", "no folder")]
)
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_asked(
    tmp_path: Path, name: str, words: str
) -> None:
    done = CliRunner().invoke(cli, ["diagnose", "mail.example.com", "--report", str(tmp_path / name), "--json"])
    assert done.exit_code == 1
    assert words in done.stdout


IMAP = Target(Service.IMAP, "imap.example.com", 993)
STATIC = Exit(Vantage.STATIC, "v3-us-static", "s1", "203.0.113.10")
DYNAMIC = Exit(Vantage.DYNAMIC, "v3-us-dynamic", "d1", "198.51.100.20")
TOLD: list[Progress] = [
    LookedUp(Lookup("imap.example.com", ("192.0.2.1",))),
    Began(Probe(2, DYNAMIC, IMAP, "192.0.2.1")),
    Began(Probe(1, STATIC, IMAP, "192.0.2.1")),
    Passed(1, Step(Stage.CONNECT, 12.4)),
]
SILENCE = msgspec.structs.replace(
    SEEN, probe=2, vantage=Vantage.DYNAMIC, source_address=DYNAMIC.address, outcome=Outcome.SILENT,
    stage=Stage.CONNECT, elapsed_ms=8000.0, detail="nobody answered",
)  # fmt: skip


def drawn(board: Board, width: int = 140) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(board.table())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_the_matrix_grows_while_it_is_told() -> None:
    board = Board()
    assert len(drawn(board)) == 1
    for progress in TOLD:
        board.tell(progress)
    head, static, dynamic = drawn(board)
    assert head.split() == ["FROM", "TO", "CONNECT", "TLS", "GREETING", "OFFERS", "LOGIN", "USE", "RESULT"]
    assert static.split() == ["203.0.113.10", "static", "imap", "192.0.2.1:993", "✓", "12", "●"]
    assert dynamic.split() == ["198.51.100.20", "dynamic", "imap", "192.0.2.1:993", "●"]
    board.tell(Observed(SILENCE))
    steps = (Step(Stage.CONNECT, 12.4), Step(Stage.GREETING, 20.0), Step(Stage.CAPABILITY, 21.0))
    board.tell(Observed(msgspec.structs.replace(SEEN, steps=steps, remembered=True)))
    _, static, dynamic = drawn(board)
    assert static.split()[4:] == ["✓", "12", "✓", "20", "✓", "21", "reached", "(a", "moment", "ago)"]
    assert dynamic.split()[4:] == ["✗", "silent"]


def test_what_was_spared_stands_there_without_having_begun() -> None:
    board = Board()
    board.tell(Observed(msgspec.structs.replace(SILENCE, outcome=Outcome.SPARED)))
    assert drawn(board)[1].split()[4:] == ["…", "spared"]
    for width in (20, 60):
        assert drawn(board, width)


def test_a_narrow_terminal_is_shown_the_last_stage() -> None:
    board = Board()
    for progress in TOLD:
        board.tell(progress)
    board.tell(Observed(SILENCE))
    console = Console(file=io.StringIO(), width=80)
    console.print(board.table(80))
    assert isinstance(console.file, io.StringIO)
    head, static, dynamic = console.file.getvalue().splitlines()
    assert head.split() == ["FROM", "TO", "STAGE", "RESULT"]
    assert static.split() == ["203.0.113.10", "static", "imap", "192.0.2.1:993", "✓", "connect", "●"]
    assert dynamic.split() == ["198.51.100.20", "dynamic", "imap", "192.0.2.1:993", "✗", "connect", "silent"]


def test_what_is_spared_again_and_again_is_shown_once_or_not_at_all() -> None:
    board = Board()
    for number in (5, 6, 7):
        board.tell(Observed(msgspec.structs.replace(SILENCE, probe=number, outcome=Outcome.SPARED)))
    assert len(drawn(board)) == 2
    board.tell(Observed(SILENCE))
    assert [line.split()[-1] for line in drawn(board)[1:]] == ["silent"]


def test_lines_for_a_log() -> None:
    told = [*TOLD, Observed(SILENCE), Controlled(Control("d1", DYNAMIC.address, 4, works=True))]
    assert [line for progress in told for line in lines_of(progress)] == [
        "imap.example.com is 192.0.2.1",
        "#2 198.51.100.20 (dynamic) to imap 192.0.2.1:993",
        "#1 203.0.113.10 (static) to imap 192.0.2.1:993",
        "#1 connect after 12 ms",
        "#2 198.51.100.20 (dynamic) to imap 192.0.2.1:993: silent at connect after 8000 ms",
        "our source d1 works (IPv4)",
    ]
