"""``mooring demo`` tells the articles' story, checks it, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.processes import descendants
from tests.waiting import until

WHOLE_S = 60.0
"""Seconds for the whole story on two cores, with the connects that nobody answers (8 s each)."""

STATIC, DYNAMIC = {"127.0.10.1", "127.0.10.2"}, {"127.0.20.1"}


def demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command, with a temporary folder of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "mooring", "demo", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "200"},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short, as the path of a unix socket is limited to 107 bytes, and open to whoever runs PostgreSQL."""
    made = tmp_path_factory.mktemp("d")
    for part in (made, made.parent, made.parent.parent):
        part.chmod(0o755)
    return made


def test_s14_s18_b3_the_story_ends_well_and_its_summary_proves_it(folder: Path) -> None:
    process = demo(folder, "--json")
    out, err = process.communicate(timeout=WHOLE_S)
    assert process.returncode == 0, out + err
    summary = json.loads(out)
    assert summary["ok"]
    assert set(summary["static"]) == STATIC
    assert set(summary["dynamic"]) == DYNAMIC

    refusal = summary["refusal"]
    assert (refusal["class"], refusal["stage"], refusal["reason"]) == ("live", "connect", "timeout")
    assert (refusal["source"], refusal["environment"]) == ("127.0.20.1", "dynamic")
    verdict = summary["verdict"]
    assert verdict["code"] == "needed"
    assert verdict["confidence"] >= 0.75
    assert all(address in verdict["next_steps"]["mail_administrator"][0] for address in STATIC)
    assert summary["messages"] >= 20

    assert summary["visited_from"]
    assert set(summary["visited_from"]) <= STATIC
    assert {c["source"] for c in summary["connections"]} == set(summary["visited_from"])
    assert {c["service"] for c in summary["connections"]} == {"imap", "smtp"}

    opened = [entry for entry in summary["ledger"] if entry["outcome"] == "opened"]
    assert {entry["class"] for entry in opened} >= {"auth", "probe", "sync", "send"}
    assert {entry["source"] for entry in opened} <= STATIC
    assert {e["local"] for e in opened} == {f"{c['source']}:{c['port']}" for c in summary["connections"]}
    filtered = [entry for entry in summary["ledger"] if entry["environment"] == "dynamic"]
    assert {entry["class"] for entry in filtered} >= {"live", "probe"}
    assert all(entry["outcome"] != "opened" for entry in filtered)
    assert list(folder.iterdir()) == []


def test_ctrl_c_in_the_middle_leaves_nothing(folder: Path) -> None:
    process = demo(folder)
    assert process.stdout is not None
    for line in process.stdout:
        if "POST /v3/connect/custom" in line:
            break
    children = descendants(process.pid)
    assert children
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WHOLE_S)
    assert process.returncode == 130
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), what="every child has ended")
    assert list(folder.iterdir()) == []


def test_a_killed_demonstration_takes_its_children_along(folder: Path) -> None:
    process = demo(folder)
    assert process.stdout is not None
    for line in process.stdout:
        if "POST /v3/connect/custom" in line:
            break
    children = descendants(process.pid)
    assert children
    process.kill()
    process.communicate(timeout=WHOLE_S)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), timeout_s=30, what="every child ended")


def test_what_is_missing_is_named_with_how_to_install_it(folder: Path) -> None:
    hide = "import sys; sys.modules['pymap'] = None; from mooring.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hide, "demo", "--json"], capture_output=True, text=True, timeout=WHOLE_S, check=False
    )
    assert done.returncode == 1
    assert "pymap" in done.stdout
    assert "make demo" in done.stdout
