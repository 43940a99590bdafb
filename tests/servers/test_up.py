"""``mooring up`` as its operator meets it: the first start, Ctrl-C, the second start, and what it refuses."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab import addresses as at
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.lab.namespaces import run
from tests.running import Running, command_line, configuration, is_alive, postmaster, run_mooring
from tests.waiting import until

PORT = 18027
REFUSED_WITHIN_S = 20.0
STARTER_PORT = 8025


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that every test may stop and start; it is up at the beginning of each."""
    folder = tmp_path_factory.mktemp("up")
    (folder / "mooring.toml").write_text(configuration(PORT))
    running = Running(folder, PORT, lab.trust)
    running.start()
    running.static_ips("on")
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def grant(mooring: Running, lab: Laboratory) -> str:
    user = lab.user("kept")
    lab.dovecot.append_many(user.address, "INBOX", mails(40, seed=90))
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    return grant


def test_the_first_start_prints_the_key_and_ctrl_c_leaves_nothing(lab: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "mooring.toml").write_text(configuration(PORT + 1))
    with _up(tmp_path, lab) as printed:
        key = until(lambda: _labelled(printed, "API key"), timeout_s=60, what="the key is printed")
        assert until(lambda: _labelled(printed, "Application ID"), what="and the id")
        _ready(PORT + 1)
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.get(f"http://127.0.0.1:{PORT + 1}/v3/grants", headers=headers).json()["data"] == []
    assert (tmp_path / "mooring.keys").stat().st_mode & 0o777 == 0o600
    _assert_nothing_runs(tmp_path)

    with _up(tmp_path, lab) as printed:
        _ready(PORT + 1)
        assert httpx.get(f"http://127.0.0.1:{PORT + 1}/v3/grants", headers=headers).status_code == 200
    assert printed.read_text() == ""
    _assert_nothing_runs(tmp_path)


@pytest.mark.parametrize("after", ["data/postgres.init", "mooring.keys"])
def test_ctrl_c_in_the_middle_of_the_first_start_ends_it_clean(lab: Laboratory, tmp_path: Path, after: str) -> None:
    (tmp_path / "mooring.toml").write_text(configuration(PORT + 1))
    with _up(tmp_path, lab):
        until((tmp_path / after).exists, timeout_s=30, what=f"{after} is there")
    _assert_nothing_runs(tmp_path)
    with _up(tmp_path, lab):
        _ready(PORT + 1)
    _assert_nothing_runs(tmp_path)


def test_a_second_start_keeps_all_data_and_prints_no_key(mooring: Running, grant: str, firewall: Firewall) -> None:
    before = mooring.listed(grant)
    assert len(before) == 40
    raw = mooring.raw(grant, before[0]["id"])
    assert mooring.stop() == 0
    _assert_nothing_runs(mooring.folder)
    firewall.close()
    mooring.start()
    assert mooring.listed(grant) == before
    assert mooring.raw(grant, before[0]["id"]) == raw


@pytest.mark.usefixtures("way_out")
def test_without_a_configuration_it_writes_a_starter_and_works(lab: Laboratory, tmp_path: Path) -> None:
    running = Running(tmp_path, STARTER_PORT, lab.trust)
    running.start()
    try:
        assert "mooring.toml" in running.log
        dashboard = f"{running.url}/dashboard"
        assert f"Dashboard: {dashboard}; make the first operator with `mooring operator create NAME`" in running.log
        assert httpx.get(dashboard, follow_redirects=True).url.path == "/dashboard/sign-in"
        published = running.get("/v3/static-ips")["data"]["ip_addresses"]
        assert published[0] in (tmp_path / "mooring.toml").read_text()
        user = lab.user("starter")
        settings = {"imap_host": "mail.public.test", "imap_username": user.address, "imap_password": user.password}
        connected = running.sdk.auth.custom_authentication({"provider": "imap", "settings": settings}).data
        running.synced(connected.id)
        sources = {c["source"] for c in running.get(f"/v3/grants/{connected.id}/connections")["data"]}
        assert sources == set(published)
        refused = _connect(running, {**settings, "imap_host": "imap.lab.test"})
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "api.target_not_allowed")
        with httpx.Client(headers={"Authorization": "Bearer nobody-has-this"}) as guessing:
            answers = [guessing.get(f"{running.url}/v3/grants") for _ in range(60)]
        assert {answer.status_code for answer in answers} == {401, 429}
        assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)
    finally:
        assert running.stop() == 0


_TWICE = configuration(PORT + 1, static=at.STATIC, dynamic=(at.DYNAMIC[0], at.STATIC[0]))

REFUSED = {
    "an address that this host lacks": (configuration(PORT + 1, static=(at.STATIC[0], at.UNPLUMBED)), at.UNPLUMBED),
    "an address in two pools": (_TWICE, at.STATIC[0]),
    "an address in two generations": (configuration(PORT + 1, v2_dynamic=at.STATIC[:1]), at.STATIC[0]),
    "a pool without a source": (
        configuration(
            PORT + 1, extra='[[egress.pool]]\ngeneration = "v3"\nregion = "eu"\nkind = "static"\nsources = []\n'
        ),
        "eu",
    ),
    "a source that nobody declared": (
        configuration(PORT + 1).replace('"v3-us-static-2"]', '"v3-us-static-9"]'),
        "v3-us-static-9",
    ),
    "a key that there is none of": (configuration(PORT + 1, extra='[servers]\nlisten = ""\n'), "servers"),
    "what is no TOML": ("[server\n", "line 1"),
}


@pytest.mark.parametrize(("text", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_work_is_refused_with_a_sentence(lab: Laboratory, tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "mooring.toml").write_text(text)
    for json_wanted in (False, True):
        began = time.monotonic()
        done = run_mooring("up", *["--json"] * json_wanted, folder=tmp_path, environment=_environment(lab))
        assert time.monotonic() - began < REFUSED_WITHIN_S
        assert done.returncode != 0
        said = re.sub(r"\s+", " ", done.stdout + done.stderr)
        assert named in said
        assert "Traceback" not in said
        if json_wanted:
            error = json.loads(done.stdout)["error"]
            assert error["type"] == "ConfigError"
            assert error["hint"]
    assert not (tmp_path / "data").exists()
    _assert_nothing_runs(tmp_path)


def test_a_second_one_in_the_same_folder_is_refused(mooring: Running) -> None:
    done = run_mooring("up", folder=mooring.folder, environment=mooring.environment())
    assert done.returncode != 0
    assert "another" in done.stderr
    assert "Traceback" not in done.stderr
    assert mooring.is_ready()


def test_other_commands_work_beside_it_from_any_folder_and_after_a_kill(
    mooring: Running, grant: str, tmp_path: Path
) -> None:
    _assert_commands_work(mooring, tmp_path, *_COMMANDS, ("egress", "explain", grant), ("grant", "connections", grant))
    mooring.kill()
    _assert_commands_work(mooring, tmp_path, *_COMMANDS[:1])
    _assert_nothing_runs(mooring.folder)
    mooring.start()


def test_without_its_key_ring_it_does_not_start_beside_data(mooring: Running, grant: str) -> None:
    assert mooring.stop() == 0
    ring, aside = mooring.folder / "mooring.keys", mooring.folder / "aside.keys"
    ring.rename(aside)
    done = run_mooring("up", folder=mooring.folder, environment=mooring.environment())
    assert done.returncode != 0
    assert "mooring.keys" in done.stderr
    assert "backup" in done.stderr
    assert "Traceback" not in done.stderr
    assert not ring.exists()
    _assert_nothing_runs(mooring.folder)
    aside.rename(ring)
    mooring.start()
    assert len(mooring.listed(grant)) == 40


def test_a_rotated_key_ring_keeps_everything_readable(mooring: Running, grant: str, lab: Laboratory) -> None:
    made = mooring.command("app", "create", "--name", "Second", "--generation", "v2", "--region", "us")
    before = mooring.listed(grant)
    rotated = mooring.command("keys", "rotate")
    assert rotated["resealed"] >= 2
    assert mooring.command("keys", "rotate")["key_id"] != rotated["key_id"]

    _assert_everything_opens(mooring, grant, lab, before)
    mooring.stop()
    mooring.start()
    _assert_everything_opens(mooring, grant, lab, before)
    answer = httpx.get(f"{mooring.url}/a/{made['client_id']}/accounts", auth=(made["client_secret"], ""))
    assert answer.status_code == 200, answer.text


def _assert_everything_opens(mooring: Running, grant: str, lab: Laboratory, before: list[dict[str, Any]]) -> None:
    assert mooring.listed(grant) == before
    assert mooring.raw(grant, before[-1]["id"])
    mark = lab.dovecot.server.mark()
    lab.dovecot.kick("kept@lab.test")
    until(
        lambda: any(login.user == "kept@lab.test" for login in lab.dovecot.logins(since=mark)),
        timeout_s=20,
        what="the worker logs in again, with the password of before",
    )
    assert mooring.listed(mooring.connect_to_read(lab.user(f"rotated{mark}"))) == []


def test_a_port_that_is_taken_is_named(lab: Laboratory, tmp_path: Path, mooring: Running) -> None:
    (tmp_path / "mooring.toml").write_text(configuration(PORT))
    done = run_mooring("up", folder=tmp_path, environment=_environment(lab), timeout_s=REFUSED_WITHIN_S)
    assert done.returncode != 0
    assert str(PORT) in done.stderr
    assert "Traceback" not in done.stderr
    _assert_nothing_runs(tmp_path)
    assert mooring.is_ready()


def _environment(lab: Laboratory) -> dict[str, str]:
    return Running(Path(), 0, lab.trust).environment()


@contextmanager
def _up(folder: Path, lab: Laboratory) -> Generator[Path]:
    """``mooring up`` for people, for as long as the block lasts; then Ctrl-C, which ends it with status 0.

    Yields: the file with what it prints.
    """
    printed, said = folder / "printed.txt", folder / "said.log"
    with printed.open("w") as output, said.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "mooring", "up"], cwd=folder, env=_environment(lab), stdin=subprocess.DEVNULL,
            stdout=output, stderr=errors, start_new_session=True,
        )  # fmt: skip
        try:
            yield printed
        finally:
            process.send_signal(signal.SIGINT)
            status = process.wait(timeout=60)
    assert status == 0, said.read_text()
    assert "Traceback" not in said.read_text()


def _labelled(printed: Path, label: str) -> str | None:
    found = re.search(rf"^{label}: (\S+)\n", printed.read_text(), re.MULTILINE)
    return found[1] if found else None


@pytest.fixture
def way_out() -> Iterator[None]:
    """A default route, as a host with an address that the outside sees has one."""
    run("ip", "route", "add", "default", "via", at.SERVER)
    yield
    run("ip", "route", "del", "default")


def _ready(port: int) -> None:
    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    until(answers, timeout_s=60, what="/readyz answers 200")


def _assert_nothing_runs(folder: Path) -> None:
    assert postmaster(folder / "data") is None
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    left = [words for pid in pids if str(folder) in str(words := command_line(pid)) and is_alive(pid)]
    assert left == []


_COMMANDS = (("app", "list"), ("egress", "list"), ("ips",))


def _assert_commands_work(mooring: Running, elsewhere: Path, *commands: tuple[str, ...]) -> None:
    config = str(mooring.folder / "mooring.toml")
    for words in (*commands, ("grant", "list", mooring.application_id)):
        done = run_mooring(*words, "--json", "--config", config, folder=elsewhere, environment=mooring.environment())
        assert done.returncode == 0, (words, done.stdout + done.stderr)
        assert json.loads(done.stdout)
    assert list(elsewhere.iterdir()) == []


def _connect(running: Running, settings: dict[str, str]) -> httpx.Response:
    return httpx.post(
        f"{running.url}/v3/connect/custom",
        json={"provider": "imap", "settings": settings},
        headers={"Authorization": f"Bearer {running.api_key}"},
        timeout=30,
    )
