"""``mooring diagnose`` as it is run: what it prints, what it ends with, and what it leaves behind."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mooring.store import Database
from tests.store.grant_house import PASSWORD, open_house

Command = Callable[..., "subprocess.CompletedProcess[str]"]

CONFIG = """
[database]
url = "{url}"
[[egress.source]]
name = "s1"
address = "127.0.0.1"
[[egress.pool]]
generation = "v3"
kind = "static"
sources = ["s1"]
"""


@pytest.fixture
def diagnose(tmp_path: Path, database_url: str) -> Command:
    """Runs the command over the test's database, with this on its standard input."""
    (tmp_path / "mooring.toml").write_text(CONFIG.format(url=database_url))

    def run(*words: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "mooring", "diagnose", *words], cwd=tmp_path, input=typed, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip

    return run


async def test_json_is_what_the_api_answers(diagnose: Command, database: Database, tmp_path: Path) -> None:
    await open_house(database, tmp_path)
    words = ("ann@example.test", "--password-stdin", "--json", "--report", "all.json")
    done = diagnose(*words, typed=f"{PASSWORD}\n")
    assert done.returncode in {10, 11, 12, 13}, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["object"], found["state"], found["email"]) == (
        "diagnosis", "done", "ann@example.test",
    )  # fmt: skip
    assert set(found["verdict"]["next_steps"]) == {"end_user", "developer", "mail_administrator", "support"}
    report = json.loads((tmp_path / "all.json").read_text())
    assert (report["schema"], report["version"]) == ("mooring.diagnosis-report", 1)
    assert found["verdict"]["summary"] in str(report)
    assert PASSWORD not in str(report)
    assert PASSWORD not in done.stdout + done.stderr
    assert found["by"].startswith("operator")
    row = await database.fetchrow("SELECT state, secrets, holder, run FROM diagnoses WHERE id = $1", found["id"])
    assert row is not None
    assert tuple(row) == ("done", None, None, 1)
    assert await database.fetchval("SELECT count(*) FROM holders") == 0


async def test_an_empty_password_is_not_taken_for_none(diagnose: Command, database: Database) -> None:
    done = diagnose("ann@example.test", "--password-stdin", typed="\n")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "The password is empty" in done.stderr
    assert await database.fetchval("SELECT count(*) FROM diagnoses") == 0


async def test_for_people_the_verdict_stands_at_the_end(diagnose: Command, database: Database, tmp_path: Path) -> None:
    house = await open_house(database, tmp_path)
    done = diagnose("imap.example.test", "--app", house.application.id)
    assert done.returncode in {10, 11, 12, 13}, done.stdout + done.stderr
    for title in ("For the person", "For the developer", "For the mail administrator", "For support", "% sure"):
        assert title in done.stdout
    assert await database.fetchval("SELECT application_id FROM diagnoses") == house.application.id


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("10.0.0.1",), "TargetNotAllowed"),
        (("https://mail.example.test/",), "InvalidRequest"),
        (("ann@",), "InvalidRequest"),
        (("--grant", "nobody"), "NotFound"),
        (("mail.example.test", "--app", "nobody"), "NotFound"),
        (("mail.example.test", "--region", "mars"), "NoSource"),
        (("mail.example.test", "--report", "all.txt"), "InvalidRequest"),
        ((), "InvalidRequest"),
    ],
)
async def test_what_cannot_be_asked_ends_with_a_sentence(
    diagnose: Command, database: Database, tmp_path: Path, words: tuple[str, ...], error: str
) -> None:
    await open_house(database, tmp_path)
    done = diagnose(*words, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["type"]) == (1, error)
    assert "Traceback" not in done.stderr
