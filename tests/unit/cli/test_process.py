"""The process of a command: how it ends while it has not begun yet, and what it says of itself."""

import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest


@pytest.mark.parametrize("imported", ["typer", "mooring.config", "mooring.store"])
def test_a_ctrl_c_while_it_is_still_being_imported_is_no_traceback(imported: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "mooring", "up"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr as told:
        # A line for each module, when it has been imported.
        assert any(line.rpartition("|")[2].strip() == imported for line in told)
        process.send_signal(signal.SIGINT)
        rest = told.read()
    assert process.wait() == 130
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


def test_it_says_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "mooring", "--version"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"mooring {version('mooring')}\n", "")
