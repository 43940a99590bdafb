"""The guard of the exits in a real kernel: what Mooring dials is no leak, and whatever else its user opens is one."""

import json
import signal
import socket
import subprocess
import sys
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
from tests.lab.namespaces import SERVERS, inside, program, run
from tests.running import Running, configuration, run_mooring, started
from tests.servers.rogue import NOBODY, rogue
from tests.waiting import until

PORT = 18061


@pytest.fixture
def folder(lab: Laboratory, tmp_path: Path) -> Iterator[Path]:
    """A configuration with the laboratory's static and dynamic pools; nothing is guarded, before and after."""
    (tmp_path / "mooring.toml").write_text(configuration(PORT, static=(*at.STATIC, *at.STATIC6)))
    yield tmp_path
    for uid in (0, NOBODY):
        # Added first, since what is not there cannot be deleted.
        run(nft(), "-f", "-", stdin=f"add table inet mooring_guard_{uid}\ndelete table inet mooring_guard_{uid}\n")


def guard(folder: Path, *words: str, user: str = "nobody") -> dict[str, Any]:
    """What the command prints when all goes well."""
    done = command(folder, *words, "--user", user, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def command(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return run_mooring("egress", "guard", *words, folder=folder, environment={})


def failure(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert (done.returncode, done.stderr) == (1, "")
    return json.loads(done.stdout)["error"]


def leaks(uid: int = NOBODY) -> int:
    """The counter, as the kernel has it."""
    listing = json.loads(run(nft(), "-j", "list", "counter", "inet", f"mooring_guard_{uid}", "leaks"))
    return next(item["counter"]["packets"] for item in listing["nftables"] if "counter" in item)


def nft() -> str:
    return program("nft", package="nftables")


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        ((at.STATIC[0],), ()),
        ((at.STATIC6[0],), ("--drop",)),
        ((*at.STATIC, *at.STATIC6), ("--drop", "--allow", "10.7.0.0/16", "--allow", "[fd99::/16]:443")),
    ],
)
def test_what_is_printed_is_what_nft_takes(folder: Path, pools: tuple[str, ...], words: tuple[str, ...]) -> None:
    (folder / "mooring.toml").write_text(configuration(PORT, static=pools, dynamic=()))
    printed = command(folder, "--user", "nobody", *words)
    assert (printed.returncode, printed.stderr) == (0, "")
    run(nft(), "-c", "-f", "-", stdin=printed.stdout)
    told = guard(folder, *words)
    assert told["rules"] == printed.stdout
    assert told["sources"] == list(pools)
    assert run(nft(), "list", "tables").count("mooring_guard") == 0


def test_a_whole_mooring_leaks_nothing_and_another_program_of_its_user_is_stopped(
    lab: Laboratory, firewall: Firewall, tmp_path: Path, folder: Path
) -> None:
    assert lab.postfix.server.running
    user = lab.user("guarded")
    lab.dovecot.append_many(user.address, "INBOX", mails(5, seed=61))
    with started(tmp_path, PORT, lab.trust) as mooring:
        assert shown(mooring) == {'mooring_egress_guard{mode="unwatched"}': "1.0"}
        # Without --user: the owner of the key ring is who runs it.
        done = command(folder, "--apply", "--drop", "--json")
        assert (done.returncode, json.loads(done.stdout)["uid"]) == (0, 0)
        assert "everything that root does" in done.stderr
        with watching(folder, user="root") as log:
            until(lambda: shown(mooring).get("mooring_egress_leaks_total") == "0.0", what="the API knows of the guard")
            firewall.forget()
            grant = mooring.connect(user)
            mooring.synced(grant)
            assert len(mooring.listed(grant)) == 5
            assert firewall.sources() <= {*at.STATIC, *at.STATIC6, *at.DYNAMIC}
            assert leaks(0) == 0

            assert rogue(at.UNBOUND, at.SERVER, uid=0) == "TimeoutError"
            assert rogue("", at.SERVER6, uid=0) == "TimeoutError"
            assert rogue(at.UNBOUND, at.SERVER) == "connected"
            assert leaks(0) == 2
            assert firewall.sources() & {at.UNBOUND, at.UNBOUND6} == {at.UNBOUND}
            until(lambda: shown(mooring).get("mooring_egress_leaks_total") == "2.0", what="the API tells both")
            assert shown(mooring)['mooring_egress_guard{mode="dropping"}'] == "1.0"
            until(lambda: log.read_text().count("guard.leak") == 2, what="the watch tells both")
            assert f'"target": "{at.SERVER}:993"' in log.read_text()
            assert f'"source": "[{at.UNBOUND6}]:' in log.read_text()
        assert shown(mooring) == {'mooring_egress_guard{mode="unwatched"}': "1.0"}
        checks = run_mooring("egress", "check", folder=folder, environment=mooring.environment())
        assert checks.returncode == 0
        assert all(" admitted " in line for line in checks.stdout.splitlines()[1:])
        assert "2 connections from addresses of no pool" in checks.stderr


def shown(mooring: Running) -> dict[str, str]:
    """What ``/metrics`` has of the guard."""
    lines = httpx.get(f"{mooring.url}/metrics").text.splitlines()
    return dict(
        line.rsplit(" ", 1) for line in lines if line.startswith(("mooring_egress_guard", "mooring_egress_leaks"))
    )


@contextmanager
def watching(folder: Path, *words: str, user: str) -> Generator[Path]:
    """A watch, whose log this is, until Ctrl-C."""
    log = folder / "watch.log"
    argv = [sys.executable, "-m", "mooring", "egress", "guard", "--watch", *words, "--user", user, "--json"]
    with log.open("w") as err, subprocess.Popen(argv, cwd=folder, stderr=err, stdout=subprocess.DEVNULL) as process:
        try:
            yield log
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0


def test_counted_alone_a_leak_leaves_and_is_counted_once_however_often_it_knocks(
    folder: Path, firewall: Firewall
) -> None:
    assert guard(folder, "--apply")["mode"] == "counting"
    assert lab_answers(at.UNBOUND)
    assert leaks() == 1
    firewall.close()
    firewall.forget()
    assert rogue(at.UNBOUND, at.SERVER, timeout_s=2.5) == "TimeoutError"
    [attempt] = firewall.attempts()
    assert attempt.syns > 1
    assert leaks() == 2


def lab_answers(source: str) -> bool:
    """Whether a connection from this address is answered: at the least by a reset, since nothing need listen."""
    return rogue(source, at.SERVER, 9) == "ConnectionRefusedError"


def test_what_may_go_is_no_leak(folder: Path, firewall: Firewall) -> None:
    proxy = '[[egress.source]]\nname = "gate"\naddress = "203.0.113.9"\nvia = "socks5://proxy.lab.test:9"\n'
    pool = '[[egress.pool]]\ngeneration = "v2"\nkind = "static"\nsources = ["gate"]\n'
    database = f'[database]\nurl = "postgresql://user:secret@{at.SERVER_OTHER}:9/mooring"\n'
    (folder / "mooring.toml").write_text(configuration(PORT, extra=database) + proxy + pool)
    told = guard(folder, "--apply", "--drop", "--allow", f"{at.SERVER}:99", "--allow", f"{at.SERVER6}")
    assert [(o["network"], o["port"], o["why"]) for o in told["openings"]] == [
        (f"{at.PROXIES[0]}/32", 9, "proxy"),
        (f"{at.SERVER_OTHER}/32", 9, "database"),
        (f"{at.SERVER}/32", 99, "allowed"),
        (f"{at.SERVER6}/128", None, "allowed"),
    ]
    admitted = [(at.PROXIES[0], 9), (at.SERVER_OTHER, 9), (at.SERVER, 99), (at.SERVER6, 9), (at.SERVER, 53)]
    for host, port in admitted:
        assert rogue("", host, port) == "ConnectionRefusedError", host
    assert rogue("", at.SERVER, 53, kind=socket.SOCK_DGRAM) == "connected"
    assert rogue("", "127.0.0.1", 9) == "ConnectionRefusedError"
    # Loopback by another name: it does not leave this host.
    assert rogue(at.UNBOUND, at.STATIC[0], 9) == "ConnectionRefusedError"
    for source in (*at.STATIC, *at.DYNAMIC):
        assert lab_answers(source)
    assert leaks() == 0
    for host, port in ((at.PROXIES[0], 10), (at.SERVER_OTHER, 10), (at.SERVER, 98)):
        assert rogue("", host, port) == "TimeoutError", host
    assert rogue("", at.SERVER, 9, kind=socket.SOCK_DGRAM) == "PermissionError"
    assert leaks() == 4


def test_answers_to_those_who_call_are_no_leak_even_in_the_middle_of_a_connection(folder: Path) -> None:
    calling = "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); print(s.recv(9))"
    with socket.create_server((at.UNBOUND, 0)) as server:
        port = server.getsockname()[1]
        argv = [*inside(SERVERS), sys.executable, "-c", calling, at.UNBOUND, str(port)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as caller:
            taken, _ = server.accept()
            guard(folder, "--apply", "--drop", user="root")
            with taken:
                taken.sendall(b"answer")
            assert caller.stdout is not None
            assert caller.stdout.read() == "b'answer'\n"
    assert leaks(0) == 0


def test_applied_again_the_rules_are_replaced_and_the_count_goes_on(folder: Path) -> None:
    run(nft(), "-f", "-", stdin="add table inet somebody_elses\n")
    guard(folder, "--apply")
    assert lab_answers(at.UNBOUND)
    again = guard(folder, "--apply")
    assert (again["mode"], again["leaks"]) == ("counting", 1)
    (folder / "mooring.toml").write_text(configuration(PORT, static=[at.OTHER[0]]))
    assert guard(folder, "--apply", "--drop")["mode"] == "dropping"
    assert lab_answers(at.OTHER[0])
    assert rogue(at.STATIC[0], at.SERVER, 9) == "TimeoutError"
    assert leaks() == 2
    assert guard(folder, "--remove")["removed"] is True
    assert guard(folder, "--remove")["removed"] is False
    assert run(nft(), "list", "tables") == "table inet somebody_elses\n"
    run(nft(), "delete", "table", "inet", "somebody_elses")


def test_a_pool_without_an_address_of_this_host_is_guarded_with_a_warning(folder: Path) -> None:
    (folder / "mooring.toml").write_text(configuration(PORT, static=(at.STATIC[0], at.UNPLUMBED)))
    told = guard(folder, "--apply", "--drop")
    assert told["warnings"] == [
        f"{at.UNPLUMBED}, which the source v3-us-static-2 binds, is no address of this host; it is admitted anyway."
    ]
    assert at.UNPLUMBED in told["sources"]
    (folder / "mooring.toml").write_text(configuration(PORT))
    assert set(guard(folder, "--environment", "v3-us-static")["sources"]) == set(at.STATIC)


def test_a_watch_tells_when_the_rules_are_gone(folder: Path, lab: Laboratory) -> None:
    file = Path(f"/run/mooring/guard-{NOBODY}.json")
    with watching(folder, "--apply", user="nobody") as log:
        until(lambda: file.exists() and json.loads(file.read_text())["mode"] == "counting", what="it counts")
        assert set(json.loads(file.read_text())["sources"]) == {*at.STATIC, *at.STATIC6, *at.DYNAMIC}
        run(nft(), "flush", "table", "inet", f"mooring_guard_{NOBODY}")
        told = until(lambda: (told := json.loads(file.read_text()))["mode"] == "not_applied" and told)
        assert told["leaks"] is None
        assert '"mode": "not_applied"' in until(lambda: text if "not_applied" in (text := log.read_text()) else "")
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (("--user", "nobody-of-that-name"), "InvalidRequest", "there is no user 'nobody-of-that-name'"),
        (("--environment", "v2-us-static"), "ConfigError", "declares no environment 'v2-us-static'"),
        (("--allow", "bucket.test"), "InvalidRequest", "--allow: 'bucket.test' is no address"),
        (("--remove", "--apply"), "InvalidRequest", "--remove takes the rules away"),
        (("--watch", "--drop"), "InvalidRequest", "it is --apply that makes the rules --drop"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(folder: Path, words: tuple[str, ...], kind: str, said: str) -> None:
    error = failure(command(folder, *words, "--json"))
    assert error["type"] == kind
    assert said in error["message"]


def test_what_cannot_be_guarded_is_refused_in_a_sentence(folder: Path) -> None:
    (folder / "mooring.toml").write_text("")
    error = failure(command(folder, "--apply", "--json"))
    assert (error["type"], error["message"][:20]) == ("ConfigError", "no pool is declared,")
    gate = '[[egress.source]]\nname = "gate"\naddress = "203.0.113.9"\nvia = "socks5://user:secret@gone.test"\n'
    pool = '[[egress.pool]]\ngeneration = "v3"\nkind = "static"\nsources = ["gate"]\n'
    (folder / "mooring.toml").write_text(gate + pool)
    error = failure(command(folder, "--apply", "--json"))
    assert error["message"].startswith("the proxy of the source gate cannot be found")
    assert "secret" not in json.dumps(error)


@pytest.mark.parametrize("words", [("--apply",), ("--remove",), ("--watch",)])
def test_without_the_right_to_ask_the_kernel_it_says_so(folder: Path, words: tuple[str, ...]) -> None:
    argv = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", sys.executable, "-m", "mooring"]
    done = subprocess.run(
        [*argv, "egress", "guard", *words, "--user", "nobody", "--json"], cwd=folder, capture_output=True, text=True
    )
    error = failure(done)
    assert (error["type"], "sudo" in error["hint"]) == ("Forbidden", True)
    assert not Path(f"/run/mooring/guard-{NOBODY}.json").exists()
