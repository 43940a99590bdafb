"""Servers as child processes: started, read, waited for, killed."""

import asyncio
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.namespaces import inside, run

#: Seconds until a server must be ready, and until a log line must come; both are far above what is usual.
PATIENCE_S = 20.0


class Server:
    """A server in the foreground of its own process group, whose log is what it prints.

    Args:
        ready: what a line of its log looks like once it takes connections; "" for one that says nothing.
        port: for one that says nothing, the TCP port that it then listens on.
        stop: the command that ends it in order, for one that a SIGTERM does not end.
        namespace: the network namespace that it lives in.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        ready: str = "",
        port: int = 0,
        stop: Sequence[str] = (),
        namespace: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._argv = [*inside(namespace), *argv]
        self._ready = ready
        self._port = port
        self._stop = [*inside(namespace), *stop] if stop else []
        self._environment = {**os.environ, **(environment or {})}
        #: A file that gets every line of its log as well, for whoever reads such files.
        self.log_file: Path | None = None
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = True
        self._process: subprocess.Popen[str] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and return when it says that it is ready."""
        if self.running:
            return
        since = self.mark()
        self._ended = False
        self._process = subprocess.Popen(
            self._argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self._process,), name=f"{self.name}-log", daemon=True).start()
        if not self._is_ready(since):
            said = "\n".join(self.log(since=since)[-30:])
            self.kill()
            raise RuntimeError(f"{self.name} did not become ready; it said:\n{said}")

    def stop(self) -> None:
        """End it in order, and return when it and its children are gone."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its children at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def mark(self) -> int:
        """A place in the log, for ``since``."""
        with self._changed:
            return len(self._lines)

    def log(self, *, since: int = 0) -> list[str]:
        """The lines that it has printed."""
        with self._changed:
            return self._lines[since:]

    async def line(self, pattern: str, *, since: int = 0, timeout_s: float = PATIENCE_S) -> str:
        """The first line that matches, as soon as it is there.

        Raises:
            TimeoutError: it did not come.
        """
        found = await asyncio.to_thread(self._wait, pattern, since=since, timeout_s=timeout_s)
        if found is None:
            raise TimeoutError(f"{self.name} logged nothing like {pattern!r} within {timeout_s} s")
        return found

    def running_as(self, name: str) -> set[int]:
        """Its processes of this name."""
        if self._process is None:
            return set()
        return {pid for pid in descendants(self._process.pid) if _name(pid) == name}

    def _is_ready(self, since: int) -> bool:
        if self._ready:
            return self._wait(self._ready, since=since, timeout_s=PATIENCE_S) is not None
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE_S
        with self._changed:
            while not listening(self._process.pid, self._port):
                if self._ended or time.monotonic() > deadline:
                    return False
                self._changed.wait(0.01)
        return True

    def _wait(self, pattern: str, *, since: int, timeout_s: float) -> str | None:
        wanted = re.compile(pattern)
        deadline = time.monotonic() + timeout_s
        with self._changed:
            seen = since
            while True:
                for line in self._lines[seen:]:
                    if wanted.search(line):
                        return line
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    return None
                self._changed.wait(left)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with open(self.log_file or os.devnull, "a", buffering=1) as file:
            for line in process.stdout:
                file.write(line)
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        process.stdout.close()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        family = descendants(process.pid)
        if how is signal.SIGTERM and self._stop:
            run(*self._stop)
        else:
            send(how, family if how is signal.SIGKILL else [process.pid])
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            send(signal.SIGKILL, family)
            process.wait(PATIENCE_S)
        # The pipe ends when the last child that holds it is gone.
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended, PATIENCE_S):
                send(signal.SIGKILL, family)
        self._process = None


def descendants(root: int) -> list[int]:
    """A process and everything that it has started, directly or not."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name in brackets, which may hold anything: state, parent, …
            fields = entry.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    family = [root]
    for pid in family:
        family += children.get(pid, [])
    return family


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def listening(pid: int, port: int) -> bool:
    """Whether anybody in the network namespace of a process listens on an IPv4 TCP port."""
    try:
        rows = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return False
    # Columns: number, local address:port in hexadecimal, remote, state (0A is LISTEN), …
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows)


def send(how: signal.Signals, pids: Sequence[int]) -> None:
    """Signal processes, of which some may be gone."""
    for pid in pids:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            continue
