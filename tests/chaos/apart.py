"""A Mooring whose API and workers are processes of their own, as on several machines, over one database."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.running import Running, configuration
from tests.waiting import until

Words = tuple[str, ...]
"""What a process was started with, behind ``mooring``."""


@dataclass
class Apart:
    """The installation, and its processes by their words."""

    mooring: Running
    processes: dict[Words, "subprocess.Popen[bytes]"] = field(default_factory=dict[Words, "subprocess.Popen[bytes]"])

    def start(self, *words: str) -> None:
        """Start a process, or once more one that was killed."""
        with (self.mooring.folder / "mooring.log").open("ab") as log:
            self.processes[words] = subprocess.Popen(
                [sys.executable, "-m", "mooring", *words], cwd=self.mooring.folder,
                env=self.mooring.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self, *words: str) -> None:
        """Kill it, as kill -9 does."""
        process = self.processes.pop(words)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=30)

    def holder(self, grant: str) -> int:
        """The process that holds the grant's mailbox; 0 for nobody."""
        rows = self.mooring.rows("SELECT holder FROM leases WHERE subject = $1 AND kind = 'mailbox'", grant)
        return process_of(rows[0]["holder"]) if rows and rows[0]["holder"] else 0

    def holders(self) -> set[int]:
        """The workers that hold a mailbox, or may: those not thought dead. (An API is a holder too: of diagnoses.)"""
        living = self.mooring.rows("SELECT id FROM holders WHERE expires_at > now()")
        apis = {process.pid for words, process in self.processes.items() if words[0] == "api"}
        return {process_of(row["id"]) for row in living} - apis

    def end(self) -> None:
        """End every process, and wait for it."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes.values():
            process.wait(timeout=30)


@contextmanager
def apart(folder: Path, port: int, trust: Path, *processes: Words, lease_s: float = 2.0) -> Generator[Apart]:
    """With an application, and these processes running."""
    (folder / "mooring.toml").write_text(configuration(port, extra=f'[workers]\nlease = "{lease_s:g}s"\n'))
    running = Running(folder, port, trust)
    made = running.command("app", "create", "--name", "Apart", "--generation", "v3", "--region", "us")
    running.api_key, running.application_id = made["api_key"], made["application_id"]
    with ExitStack() as stack:
        found = Apart(running)
        stack.callback(found.end)
        for words in processes:
            found.start(*words)
        workers = sum(words[0] == "worker" for words in processes)
        until(lambda: _answers(running), timeout_s=30, what="the API answers")
        until(lambda: len(found.holders()) == workers, timeout_s=30, what="every worker is there")
        yield found
    assert running.defects == []


def process_of(holder: str) -> int:
    """The number of the process that this holder is."""
    return int(holder.split("-")[-2])


def _answers(running: Running) -> bool:
    try:
        return running.get("/v3/grants")["data"] == []
    except httpx.HTTPError:
        return False
