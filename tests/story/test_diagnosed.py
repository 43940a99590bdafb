"""The article's tree, S15 to S21, met by a developer and then asked about: with the verdict, and words for each reader.

All stories are told at the same time, each about a mail host of its own; a failing one tells its own name.
"""

import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.lab.situations import Site, Situation, Situations
from tests.lab.situations.sources import DYNAMIC, STATIC
from tests.running import Running
from tests.servers.asking import started
from tests.story import filtered
from tests.story.scene import Scene, at_once, steps

pytestmark = pytest.mark.timeout(300)

FILTERED, ELSE_WRONG = 10, 11
READERS = {"end_user", "developer", "mail_administrator", "support"}
JARGON = ("TCP", "ICMP", "IPv4", "tcpdump", "POST ", "grant", "allowlist")

Story = Callable[[Scene], None]


def s15_nobody_is_let_in(scene: Scene) -> None:
    by_python, by_node = at_once(
        lambda: scene.python.connect(scene.settings), lambda: scene.node.connect(scene.settings)
    )
    for refused in (by_python, by_node):
        assert (refused.status, refused.type) == (504, "api.provider_error")
        told = refused.provider_error
        assert (told["stage"], told["reason"], told["environment"]) == ("connect", "timeout", "static")
    assert scene.situation.user not in scene.emails()

    asked, (status, command) = at_once(scene.ask, lambda: scene.command(scene.host))
    assert asked["verdict"]["code"] == command["verdict"]["code"] == scene.verdict, json.dumps(asked)
    assert status == {"server_down": ELSE_WRONG, "allowlist_missing": FILTERED}[scene.verdict]
    for diagnosis in (asked, command):
        # First the URL, then the list (S16, S17).
        for reader in ("end_user", "developer"):
            words = steps(diagnosis, reader)
            assert 0 <= words.index("name") < words.index(STATIC[0] if reader == "end_user" else "/v3/static-ips")
        assert all(address in steps(diagnosis, "mail_administrator") for address in STATIC)
        assert f"{scene.host}:993" in steps(diagnosis, "mail_administrator")
        assert "mail program" in steps(diagnosis, "support")


def s16_the_name_is_wrong(scene: Scene) -> None:
    refused = scene.python.connect(scene.settings)
    assert (refused.status, refused.provider_error["stage"]) == (504, "resolve")
    asked = scene.ask()
    _assert_concluded(scene, asked, ELSE_WRONG, scene.command(scene.host))
    assert "There is no mail server mail.no-such-name.test" in asked["verdict"]["summary"]
    assert "allow" not in str(asked["verdict"])
    assert scene.situation.user not in scene.emails()


def s16_the_port_is_wrong(scene: Scene) -> None:
    refused = scene.node.connect(scene.settings)
    assert (refused.status, refused.provider_error["reason"]) == (504, "refused")
    asked = scene.ask()
    _assert_concluded(scene, asked, ELSE_WRONG, scene.command(f"{scene.host}:993"))
    works = f"imap {scene.host}:143 starttls"
    assert asked["verdict"]["servers"] == [works]
    for reader in ("end_user", "developer"):
        assert f"IMAP at {scene.host}, port 143 (STARTTLS)" in steps(asked, reader)
    assert scene.python.connect({**scene.settings, "imap_port": 143}).status == 200


def s17_s18_the_list_is_allowed_and_a_grant_made_that_cannot_be_read(scene: Scene) -> None:
    connected = scene.python.connect(scene.settings)
    assert connected.status == 200
    grant = connected.data["id"]
    assert scene.node.connect(scene.settings).data["id"] == grant
    reads = at_once(
        lambda: scene.python.read(grant), lambda: scene.node.read(grant), lambda: scene.python.calendars(grant)
    )
    assert [(failed.status, failed.provider_error["environment"]) for failed in reads] == [(504, "dynamic")] * 3

    of_grant, (status, text) = at_once(lambda: scene.ask_about(grant), lambda: scene.told(scene.host))
    of_host, command = at_once(scene.ask, lambda: scene.command("--grant", grant))
    for asked in (of_grant, of_host):
        _assert_concluded(scene, asked, FILTERED, command)
        assert "POST /v3/static-ips/request" in steps(asked, "developer")
        assert all(address in steps(asked, "mail_administrator") for address in STATIC)
        assert {o["source_address"] for o in asked["evidence"] if o["outcome"] == "reached"} >= set(STATIC)
        assert {o["outcome"] for o in asked["evidence"] if o["source_address"] in DYNAMIC} <= {"silent", "spared"}
    assert of_grant["grant_id"] == command[1]["grant_id"] == grant
    # Of so many who ask at once, some of the later ones are spared.
    codes = {f["service"]: f["code"] for f in of_grant["verdict"]["findings"]}
    assert codes.keys() == {"imap", "smtp", "caldav"}
    assert set(codes.values()) <= {"needed", "inconclusive"}
    assert status == FILTERED, text
    assert "no answer" in text


def s19_the_password_is_wrong(scene: Scene) -> None:
    refused = scene.node.connect(scene.settings)
    assert (refused.status, refused.provider_error["stage"]) == (400, "login")
    arguments, password = scene.typed()
    asked = scene.ask()
    _assert_concluded(scene, asked, ELSE_WRONG, scene.command(*arguments, said=password))
    assert "password" in steps(asked, "end_user")
    assert "not an address" in steps(asked, "support")
    assert "Authentication failed" in asked["verdict"]["summary"]
    assert scene.situation.user not in scene.emails()


def s19_the_certificate_is_out_of_date(scene: Scene) -> None:
    refused = scene.python.connect(scene.settings)
    assert (refused.status, refused.provider_error["reason"]) == (400, "certificate")
    asked = scene.ask()
    _assert_concluded(scene, asked, ELSE_WRONG, scene.command(scene.host))
    assert "expired" in asked["verdict"]["summary"]
    assert "Renew" in steps(asked, "mail_administrator")
    assert "not an address" in steps(asked, "support")
    assert "name that is in" not in str(asked["verdict"]["next_steps"])


def s20_only_sending_is_filtered(scene: Scene) -> None:
    grant = scene.python.connect(scene.settings).data["id"]
    assert len(scene.python.read(grant).data) == 3
    (sent, by_node), of_grant, (status, command) = at_once(
        lambda: (scene.python.send(grant, scene.situation.user), scene.node.send(grant, scene.situation.user)),
        lambda: scene.ask_about(grant),
        lambda: scene.command("--grant", grant),
    )
    for failed in (sent, by_node):
        told = failed.provider_error
        assert (failed.status, told["stage"], told["reason"], told["port"]) == (504, "connect", "timeout", 587)
    _assert_concluded(scene, of_grant, FILTERED, (status, command))
    assert "read" in steps(of_grant, "end_user")
    assert "sending" in steps(of_grant, "end_user")
    assert all(address in steps(of_grant, "mail_administrator") for address in STATIC)
    codes = {f["service"]: f["code"] for f in of_grant["verdict"]["findings"]}
    assert codes == {"imap": "not_needed", "smtp": "needed"}


def s21_everything_works(scene: Scene) -> None:
    grant = scene.python.connect(scene.settings).data["id"]
    assert len(scene.node.read(grant).data) == 3
    assert scene.python.calendars(grant).status == 200
    assert scene.node.send(grant, scene.situation.user).status == 200
    of_grant = scene.ask_about(grant)
    arguments, password = scene.typed()
    _assert_concluded(scene, of_grant, 0, scene.command(*arguments, said=password))
    assert "Nothing needs to be opened" in steps(of_grant, "mail_administrator")
    status, text = scene.told(scene.host)
    assert status == 0
    assert "For the mail administrator\n- Nothing needs to be opened." in text


STORIES: tuple[tuple[Story, Situation], ...] = (
    (s15_nobody_is_let_in, filtered.NOBODY),
    (s15_nobody_is_let_in, filtered.NOT_YET),
    (s16_the_name_is_wrong, filtered.NO_SUCH_NAME),
    (s16_the_port_is_wrong, filtered.ANOTHER_PORT),
    (s17_s18_the_list_is_allowed_and_a_grant_made_that_cannot_be_read, filtered.LISTED_ONLY),
    (s19_the_password_is_wrong, filtered.WRONG_PASSWORD),
    (s19_the_certificate_is_out_of_date, filtered.EXPIRED),
    (s20_only_sending_is_filtered, filtered.SENDING),
    (s21_everything_works, filtered.OPEN),
)


@pytest.fixture(scope="module")
def scenes(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    lab.firewall.open()
    with Situations(lab, [*(situation for _, situation in STORIES), filtered.INTERRUPTED]) as standing:
        for situation in standing.all:
            standing.servers.dovecot.append_many(situation.user, "INBOX", mails(3))
        mooring = started(lab, Site.WHOLE, tmp_path_factory.mktemp("diagnosed"))
        yield {s.name: Scene(mooring, s, standing.question(s)) for s in standing.all}
        assert mooring.stop() == 0
        assert mooring.defects == []


@pytest.fixture(scope="module")
def told(scenes: dict[str, Scene]) -> Iterator[dict[str, Future[None]]]:
    """Every story, told to its end or to where it fails."""
    with ThreadPoolExecutor(len(STORIES)) as pool:
        yield {situation.name: pool.submit(story, scenes[situation.name]) for story, situation in STORIES}


@pytest.mark.parametrize(("story", "situation"), STORIES, ids=[f"{f.__name__}-{s.name}" for f, s in STORIES])
def test_told(told: dict[str, Future[None]], story: Story, situation: Situation) -> None:
    _ = story
    told[situation.name].result()


def test_ctrl_c_in_the_middle_gives_it_up_and_erases_the_password(scenes: dict[str, Scene]) -> None:
    scene = scenes[filtered.INTERRUPTED.name]
    arguments, password = scene.typed()
    process = scene.begun(*arguments, said=password)
    assert process.stdout is not None
    next(line for line in process.stdout if line.startswith("#"))
    (before,) = _rows_about(scene)
    assert (before["state"], before["secrets"] is None) == ("running", False)
    process.send_signal(signal.SIGINT)
    assert scene.ended(process) == 130
    (after,) = _rows_about(scene)
    assert (after["state"], after["secrets"]) == ("failed", None)
    assert "went away" in str(after["error"])


def test_a_report_to_forward(told: dict[str, Future[None]], scenes: dict[str, Scene], tmp_path: Path) -> None:
    scene = scenes[filtered.OPEN.name]
    told[filtered.OPEN.name].exception()
    file = tmp_path / "report.html"
    assert scene.told(scene.host, "--report", str(file))[0] == 0
    assert "Static addresses are not needed" in file.read_text()
    scene.heard.append(file.read_text())


def test_no_password_is_said_or_kept(told: dict[str, Future[None]], scenes: dict[str, Scene]) -> None:
    for future in told.values():
        future.exception()
    mooring = next(iter(scenes.values())).mooring
    passwords = {scene.question.password for scene in scenes.values()}
    assert all(len(password) > 8 for password in passwords)
    heard = "".join(text for scene in scenes.values() for text in scene.heard)
    assert [password for password in passwords if password in heard + mooring.log] == []
    assert _rows_with(mooring, passwords) == []
    assert mooring.rows("SELECT id FROM diagnoses WHERE secrets IS NOT NULL OR state NOT IN ('done', 'failed')") == []


def _assert_concluded(scene: Scene, asked: dict[str, Any], status: int, command: tuple[int, dict[str, Any]]) -> None:
    """The API and the command come to the same, and speak to each reader in plain words."""
    assert command[0] == status, json.dumps(command[1])
    for diagnosis in (asked, command[1]):
        verdict = diagnosis["verdict"]
        assert verdict["code"] == scene.verdict, verdict
        assert verdict["next_steps"].keys() == READERS
        assert all(verdict["next_steps"].values())
        assert scene.host in verdict["summary"]
        assert [word for word in JARGON if word in steps(diagnosis, "end_user")] == []


def _rows_about(scene: Scene) -> list[dict[str, Any]]:
    """What is kept of the diagnoses about this host."""
    return scene.mooring.rows(
        "SELECT state, secrets, error FROM diagnoses WHERE question::text LIKE '%' || $1 || '%'", scene.host
    )


def _rows_with(mooring: Running, secrets: set[str]) -> list[str]:
    """The tables of which a row holds one of these."""
    tables = mooring.rows(
        """SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"""
    )
    assert len(tables) > 20
    looked = " UNION ALL ".join(
        f"SELECT '{t['name']}' AS name FROM {t['name']} r, unnest($1::text[]) s WHERE r::text LIKE '%' || s || '%'"
        for t in tables
    )
    return [row["name"] for row in mooring.rows(looked, list(secrets))]
