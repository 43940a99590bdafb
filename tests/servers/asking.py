"""Asking a running Mooring about situations, by its API."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.lab.laboratory import Laboratory
from tests.lab.situations import CONTROL_TARGETS, Question, Site, Situation, Situations, configuration
from tests.running import Running

PORTS = {Site.WHOLE: 18231, Site.BROKEN: 18232}
PATIENCE_S = 120.0

Keys = Mapping[tuple[Site, str], str]
"""API keys, by site and region."""


def started(lab: Laboratory, site: Site, folder: Path, *, policy: str = "") -> Running:
    """A Mooring with a site's sources and control targets, ready to be asked."""
    controls = f"[diagnosis]\ncontrol_targets = {json.dumps(CONTROL_TARGETS)}\n"
    (folder / "mooring.toml").write_text(configuration(site, PORTS[site], policy=policy, extra=controls))
    running = Running(folder, PORTS[site], lab.trust)
    running.start()
    return running


def keys_for(sites: Mapping[Site, Running], questions: Iterable[Question]) -> Keys:
    """An application for each site and region that is asked from."""
    keys: dict[tuple[Site, str], str] = {}
    for question in questions:
        where = (question.site, question.region)
        if where not in keys:
            names = ("--name", question.region, "--generation", "v3", "--region", question.region)
            keys[where] = sites[question.site].command("app", "create", *names)["api_key"]
    return keys


async def diagnosed_at_once(
    sites: Mapping[Site, Running], keys: Keys, situations: Situations, wanted: Iterable[Situation]
) -> dict[str, dict[str, Any]]:
    """The diagnosis of each, by name, all of them under way at the same time."""
    async with httpx.AsyncClient(timeout=PATIENCE_S, limits=httpx.Limits(max_connections=None)) as http:

        async def one(situation: Situation) -> tuple[str, dict[str, Any]]:
            question = situations.question(situation)
            key = keys[question.site, question.region]
            return situation.name, await diagnosed(http, sites[question.site].url, key, body_of(question))

        return dict(await asyncio.gather(*(one(situation) for situation in wanted)))


def body_of(question: Question) -> dict[str, Any]:
    """The question as the API takes it."""
    settings = {name: value for name, value in question.settings().items() if value != ""}
    return {"settings": settings, "services": [service.kind for service in question.services]}


async def diagnosed(http: httpx.AsyncClient, url: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The diagnosis that is asked for so, once it has ended."""
    headers = {"Authorization": f"Bearer {key}"}
    asked = await http.post(f"{url}/v3/diagnoses", json=body, headers=headers)
    assert asked.status_code == 202, asked.text
    while True:
        answer = await http.get(f"{url}/v3/diagnoses/{asked.json()['data']['id']}?wait=60", headers=headers)
        data = answer.json()["data"]
        if data["state"] in {"done", "failed"}:
            return data


def code_of(diagnosis: dict[str, Any]) -> str:
    """What it concluded."""
    return diagnosis["verdict"]["code"] if diagnosis["state"] == "done" else f"failed: {diagnosis.get('error')}"


def seen(diagnosis: dict[str, Any]) -> list[str]:
    """What it has seen, a line each."""
    return [
        f"{o['service']}:{o['port']} {o['source_address']} to {o['address']}: {o['outcome']} at {o['stage']}"
        for o in diagnosis.get("evidence") or []
    ]
