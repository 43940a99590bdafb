"""Both official SDKs of v3 detect a provider, and read an answer that holds more than they know."""

import asyncio
import json
import subprocess
from typing import Any

from nylas import Client

from mooring.providers import Detected, Provider
from tests.contract.documents import ROOT
from tests.contract.test_sdk_python import call, nylas, url, world
from tests.unit.api.fakes import V3_KEY, World

__all__ = ["nylas", "url", "world"]

EMAIL = "ann+a@example.com"


async def by_node(url: str, *words: str) -> Any:
    """What the Node SDK printed."""
    done = await asyncio.to_thread(
        subprocess.run,
        ["node", str(ROOT / "tests" / "node" / "story.js"), url, V3_KEY, *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_by_python(world: World, nylas: Client) -> None:
    answer = await call(nylas.auth.detect_provider, {"email": EMAIL, "all_provider_types": True})
    assert (answer.data.email_address, answer.data.detected) == (EMAIL, True)
    assert (answer.data.provider, answer.data.type) == ("imap", None)
    assert answer.request_id
    world.detection.found = Detected("", None)
    nobody = (await call(nylas.auth.detect_provider, {"email": EMAIL})).data
    assert (nobody.detected, nobody.provider, nobody.type) == (False, None, None)
    assert {email for _, _, email in world.detection.calls} == {EMAIL}


async def test_by_node(world: World, url: str) -> None:
    data = (await by_node(url, "detect", EMAIL))["data"]
    assert (data["emailAddress"], data["detected"], data["provider"]) == (EMAIL, True, "imap")
    assert data["settings"]["imapHost"] == "imap.example.com"
    world.detection.found = Detected("", Provider.GOOGLE, "gmail")
    data = (await by_node(url, "detect", EMAIL))["data"]
    assert (data["provider"], "type" in data) == ("google", False)
