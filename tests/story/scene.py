"""A mail host of the article, whom a developer connects to and then asks about: by API, and at the terminal."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.lab.situations import Question, Situation
from tests.running import Running, run_mooring
from tests.servers.asking import PATIENCE_S, body_of, diagnosed
from tests.story.tellers import Node, Python


@dataclass
class Scene:
    """One host, and everything that was heard about it.

    Attributes:
        heard: what the API, the SDKs and the commands said, for who looks for secrets in it.
    """

    mooring: Running
    situation: Situation
    question: Question
    heard: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.python = Python(self.mooring)
        self.node = Node(self.mooring)

    @property
    def host(self) -> str:
        return self.situation.host

    @property
    def settings(self) -> dict[str, Any]:
        """What the developer connects with."""
        return {"email": self.question.username, **self.question.settings()}

    @property
    def verdict(self) -> str:
        """The code that is right."""
        return self.situation.expected[0]

    def ask(self) -> dict[str, Any]:
        """``POST /v3/diagnoses`` about the servers, with the account's credentials; its end."""
        return self._asked(body_of(self.question))

    def ask_about(self, grant: str) -> dict[str, Any]:
        """The same about a connected account."""
        return self._asked({"grant_id": grant})

    def _asked(self, body: dict[str, Any]) -> dict[str, Any]:
        async def asked() -> dict[str, Any]:
            async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
                return await diagnosed(http, self.mooring.url, self.mooring.api_key, body)

        return self._heard(asyncio.run(asked()))

    def command(self, *arguments: str, said: str | None = None) -> tuple[int, dict[str, Any]]:
        """``mooring diagnose … --json``: its status, and the object that it prints."""
        status, text = self.told(*arguments, "--json", said=said)
        return status, json.loads(text)

    def told(self, *arguments: str, said: str | None = None) -> tuple[int, str]:
        """``mooring diagnose …``: its status, and what it prints."""
        done = run_mooring(
            "diagnose", *arguments, folder=self.mooring.folder, environment=self.mooring.environment(),
            timeout_s=PATIENCE_S, said=said,
        )  # fmt: skip
        self.heard += [done.stdout, done.stderr]
        return done.returncode, done.stdout

    def begun(self, *arguments: str, said: str) -> "subprocess.Popen[str]":
        """``mooring diagnose …``, under way."""
        process = subprocess.Popen(
            [sys.executable, "-m", "mooring", "diagnose", *arguments],
            cwd=self.mooring.folder, env={**self.mooring.environment(), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(said)
        process.stdin.close()
        return process

    def ended(self, process: "subprocess.Popen[str]") -> int:
        """Its status, once it has ended."""
        assert process.stdout is not None
        with process.stdout:
            self.heard.append(process.stdout.read())
        return process.wait(PATIENCE_S)

    def typed(self) -> tuple[tuple[str, ...], str]:
        """The command's words that ask about the host with the account's credentials, and the password to type."""
        return (self.host, "--username", self.question.username, "--password-stdin"), f"{self.question.password}\n"

    def emails(self) -> set[str]:
        """The accounts that are connected."""
        return {str(g.email) for g in self.mooring.sdk.grants.list(query_params={"limit": 200}).data}

    def _heard(self, diagnosis: dict[str, Any]) -> dict[str, Any]:
        self.heard.append(json.dumps(diagnosis))
        assert diagnosis["state"] == "done", diagnosis
        return diagnosis


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What all of these come to, side by side."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def steps(diagnosis: dict[str, Any], reader: str) -> str:
    """What a reader is told to do next."""
    return "\n".join(diagnosis["verdict"]["next_steps"][reader])
