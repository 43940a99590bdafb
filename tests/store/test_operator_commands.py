"""``mooring operator``: somebody is made, listed, given another password, and deleted."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mooring.store import Database
from tests.store.grant_house import open_house

PASSWORD = "nine grey herons"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def mooring(tmp_path: Path, database_url: str) -> Command:
    """Runs a command of a Mooring over the test's database, with this on its standard input."""
    (tmp_path / "mooring.toml").write_text(f'[database]\nurl = "{database_url}"\n')

    def run(*words: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "mooring", "operator", *words], cwd=tmp_path, input=typed, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip

    return run


def printed(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return json.loads(done.stdout)


async def test_from_the_first_to_the_last(mooring: Command, database: Database, tmp_path: Path) -> None:
    house = await open_house(database, tmp_path)
    assert printed(mooring("list", "--json")) == []
    made = printed(mooring("create", "olga", "--password-stdin", "--json", typed=f"{PASSWORD}\n"))
    assert (made["name"], made["role"], made["application_id"]) == ("olga", "operator", None)
    admin = ("create", "adam", "--application", house.application.id, "--password-stdin", "--json")
    assert printed(mooring(*admin, typed=f"{PASSWORD}\n"))["role"] == "admin"
    assert [operator["name"] for operator in printed(mooring("list", "--json"))] == ["olga", "adam"]
    table = mooring("list").stdout
    assert house.application.id in table
    before = await database.fetchval("SELECT password FROM operators WHERE name = 'olga'")
    printed(mooring("password", "OLGA", "--password-stdin", "--json", typed="seven calm harbours\n"))
    assert await database.fetchval("SELECT password FROM operators WHERE name = 'olga'") != before
    assert printed(mooring("delete", "olga", "--json"))["operator_id"] == made["operator_id"]
    assert [operator["name"] for operator in printed(mooring("list", "--json"))] == ["adam"]


@pytest.mark.parametrize(
    ("words", "typed", "error"),
    [
        (("create", "olga", "--password-stdin"), "too short\n", "InvalidRequest"),
        (("create", "olga"), f"{PASSWORD}\n", "InvalidRequest"),
        (("create", "olga", "--application", "nobody", "--password-stdin"), f"{PASSWORD}\n", "NotFound"),
        (("password", "olga", "--password-stdin"), f"{PASSWORD}\n", "NotFound"),
    ],
)
async def test_what_cannot_be_is_told(
    mooring: Command, database: Database, words: tuple[str, ...], typed: str, error: str
) -> None:
    done = mooring(*words, "--json", typed=typed)
    assert done.returncode == 1
    told = json.loads(done.stdout)["error"]
    assert told["type"] == error
    assert told["hint"]
    assert "Traceback" not in done.stderr
    assert await database.fetchval("SELECT count(*) FROM operators") == 0


@pytest.mark.usefixtures("mooring")
@pytest.mark.parametrize("second", [PASSWORD, "another password"])
async def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(
    database: Database, tmp_path: Path, second: str
) -> None:
    status, shown = at_a_terminal(tmp_path, "create", "olga", answers={"characters): ": PASSWORD, "more: ": second})
    assert status == (0 if second == PASSWORD else 1)
    assert PASSWORD not in shown
    assert ("can sign in" in shown) == (second == PASSWORD)
    assert await database.fetchval("SELECT count(*) FROM operators") == int(second == PASSWORD)


def at_a_terminal(folder: Path, *words: str, answers: dict[str, str]) -> tuple[int, str]:
    """Run a command at a terminal, and answer what it asks for; its status, and all that the terminal showed."""
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mooring", "operator", *words], cwd=folder, stdin=terminal, stdout=terminal,
        stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    shown = ""
    for question, answer in answers.items():
        shown += _until(person, question)
        os.write(person, f"{answer}\n".encode())
    shown += _until(person, None)
    os.close(person)
    return process.wait(), shown


def _until(terminal: int, words: str | None) -> str:
    """What appears on a terminal up to these words; up to its end for None."""
    shown = ""
    while words is None or words not in shown:
        try:
            shown += os.read(terminal, 4096).decode()
        except OSError:
            # What Linux says of a terminal that nobody writes to any more.
            break
    return shown
