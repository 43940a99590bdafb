"""The official SDKs of v2 at work: each in a process of its own, told what to do a step at a time."""

import json
import os
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.running import Running

TESTS = Path(__file__).resolve().parent
PYTHON = TESTS.parent / ".venv-nylas5" / "bin" / "python"


class Refused(Exception):
    """What the API said no with, as the SDK understood it."""

    def __init__(self, *, status: int, type: str = "", message: str = "", **_: Any) -> None:  # noqa: A002
        super().__init__(f"{status} {type}: {message}")
        self.status = status
        self.type = type
        self.message = message


@dataclass(frozen=True, slots=True)
class Agent:
    """A process that holds an SDK."""

    process: "subprocess.Popen[str]"

    def __call__(self, code: str, /, **words: object) -> Any:
        """What this code of the SDK's own language comes to.

        Args:
            words: put into the code where it has ``{word}``, as literals of both languages.
        Raises:
            Refused.
        """
        for name, value in words.items():
            code = code.replace(f"{{{name}}}", json.dumps(value))
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the agent has ended; what it said is above"
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(**answer["refused"])
        return answer["value"]


@contextmanager
def python_sdk(mooring: Running, client_id: str, secret: str) -> Generator[Agent]:
    """``nylas`` 5.14.1: ``client(token)`` is an account's client, ``client()`` the application's."""
    assert PYTHON.exists(), f"{PYTHON} is missing; scripts/install-test-tools makes it"
    words = [str(PYTHON), str(TESTS / "nylas5" / "agent.py"), mooring.url, client_id, secret]
    with _agent(words, REQUESTS_CA_BUNDLE=str(mooring.trust)) as agent:
        yield agent


@contextmanager
def node_sdk(mooring: Running, client_id: str, secret: str) -> Generator[Agent]:
    """``nylas`` 6.10.0 of npm, as ``nylas``; the code is a function's body."""
    words = ["node", str(TESTS / "node" / "agent.js"), mooring.url, client_id, secret]
    with _agent(words, NODE_EXTRA_CA_CERTS=str(mooring.trust)) as agent:
        yield agent


@contextmanager
def _agent(words: Sequence[str], **environment: str) -> Generator[Agent]:
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        yield Agent(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=20)
        assert process.stdout is not None
        process.stdout.close()
