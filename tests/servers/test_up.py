"""``mooring up`` as its operator meets it: the first start, Ctrl-C, the second start, and what it refuses."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.lab import addresses as at
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
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
    with _up(tmp_path, lab) as first:
        key = _printed(first, "API key")
        assert _printed(first, "Application ID")
        _ready(PORT + 1)
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.get(f"http://127.0.0.1:{PORT + 1}/v3/grants", headers=headers).json()["data"] == []
    assert (tmp_path / "mooring.keys").stat().st_mode & 0o777 == 0o600
    _assert_nothing_runs(tmp_path)

    with _up(tmp_path, lab) as second:
        _ready(PORT + 1)
        assert httpx.get(f"http://127.0.0.1:{PORT + 1}/v3/grants", headers=headers).status_code == 200
    assert second.stdout is not None
    assert second.stdout.read() == ""
    _assert_nothing_runs(tmp_path)


@pytest.mark.parametrize("after", ["data/postgres.init", "data/postgres/PG_VERSION", "mooring.keys"])
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


def test_without_a_configuration_it_writes_a_starter_and_works(lab: Laboratory, tmp_path: Path) -> None:
    running = Running(tmp_path, STARTER_PORT, lab.trust)
    running.start()
    try:
        assert "mooring.toml" in running.log
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
    finally:
        assert running.stop() == 0


_TWICE = configuration(PORT + 1, static=at.STATIC, dynamic=(at.DYNAMIC[0], at.STATIC[0]))

REFUSED = {
    "an address that this host lacks": (configuration(PORT + 1, static=(at.STATIC[0], at.UNPLUMBED)), at.UNPLUMBED),
    "an address in two pools": (_TWICE, at.STATIC[0]),
    "an address in two generations": (configuration(PORT + 1, v2_dynamic=at.STATIC[:1]), at.STATIC[0]),
    "a pool without a source": (
        configuration(PORT + 1, extra='[[egress.pool]]\ngeneration = "v3"\nregion = "eu"\nkind = "static"\nsources = []\n'),
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
    _assert_commands_work(mooring, grant, tmp_path)
    mooring.kill()
    _assert_commands_work(mooring, grant, tmp_path)
    _assert_nothing_runs(mooring.folder)
    mooring.start()
    _assert_commands_work(mooring, grant, tmp_path)


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
    old = mooring.folder / "before.keys"
    shutil.copy(mooring.folder / "mooring.keys", old)
    made = mooring.command("app", "create", "--name", "Second", "--generation", "v2", "--region", "us")
    before = mooring.listed(grant)
    rotated = mooring.command("keys", "rotate")
    assert rotated["resealed"] >= 2
    assert mooring.command("keys", "rotate")["key_id"] != rotated["key_id"]

    for _ in range(2):
        assert mooring.listed(grant) == before
        mooring.raw(grant, before[-1]["id"])
        lab.dovecot.kick("kept@lab.test")
        fresh = lab.user(f"rotated{time.monotonic_ns()}")
        assert mooring.listed(mooring.connect_to_read(fresh)) == []
        secret = made["client_secret"]
        answer = httpx.get(f"{mooring.url}/a/{made['client_id']}/accounts", auth=(secret, ""))
        assert answer.status_code == 200, answer.text
        until(lambda: mooring.get(f"/v3/grants/{grant}")["data"]["sync"]["state"] == "ok", timeout_s=20)
        mooring.stop()
        mooring.start()


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
def _up(folder: Path, lab: Laboratory) -> Iterator["subprocess.Popen[str]"]:
    """``mooring up`` for people, for as long as the block lasts; then Ctrl-C, which ends it with status 0."""
    with (folder / "said.log").open("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "mooring", "up"], cwd=folder, env=_environment(lab), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=said, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            status = process.wait(timeout=60)
        said.seek(0)
        words = said.read()
        assert status == 0, words
        assert "Traceback" not in words


def _printed(process: "subprocess.Popen[str]", label: str) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(f"{label}: "), line
    return line.removeprefix(f"{label}: ").strip()


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


def _assert_commands_work(mooring: Running, grant: str, elsewhere: Path) -> None:
    config = str(mooring.folder / "mooring.toml")
    for words in (
        ("app", "list"),
        ("grant", "list", mooring.application_id),
        ("grant", "connections", grant),
        ("egress", "list"),
        ("egress", "check"),
        ("egress", "explain", grant),
        ("ips",),
    ):
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
