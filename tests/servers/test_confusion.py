"""Every situation of the laboratory, asked about at once: is the verdict right? The confusion matrix is printed."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.lab.laboratory import Laboratory
from tests.lab.situations import CONTROL_TARGETS, Question, Site, Situation, Situations, configuration
from tests.running import Running

PORTS = {Site.WHOLE: 18231, Site.BROKEN: 18232}
NEEDED = {"needed", "needed_for_sending_only"}
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def situations(lab: Laboratory) -> Iterator[Situations]:
    lab.firewall.open()
    with Situations(lab) as built:
        yield built


@pytest.fixture(scope="module")
def sites(
    lab: Laboratory, situations: Situations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Site, Running]]:
    started: dict[Site, Running] = {}
    for site, port in PORTS.items():
        folder = tmp_path_factory.mktemp(str(site))
        controls = f"[diagnosis]\ncontrol_targets = {json.dumps(CONTROL_TARGETS)}\n"
        (folder / "mooring.toml").write_text(configuration(site, port, extra=controls))
        started[site] = Running(folder, port, lab.trust)
        started[site].start()
    situations.lose()
    yield started
    for running in started.values():
        assert running.stop() == 0
        assert running.defects == []


@pytest.fixture(scope="module")
def verdicts(sites: dict[Site, Running], situations: Situations) -> dict[str, dict[str, Any]]:
    """Each situation's diagnosis, all of them under way at the same time."""
    keys: dict[tuple[Site, str], str] = {}
    for situation in situations.all:
        question = situations.question(situation)
        where = (question.site, question.region)
        if where not in keys:
            created = sites[question.site].command(
                "app", "create", "--name", question.region, "--generation", "v3", "--region", question.region
            )
            keys[where] = created["api_key"]

    async def all_of_them() -> dict[str, dict[str, Any]]:
        async with httpx.AsyncClient(timeout=PATIENCE_S, limits=httpx.Limits(max_connections=None)) as http:

            async def one(situation: Situation) -> tuple[str, dict[str, Any]]:
                question = situations.question(situation)
                key = keys[question.site, question.region]
                return situation.name, await diagnosed(http, sites[question.site].url, key, question)

            return dict(await asyncio.gather(*(one(situation) for situation in situations.all)))

    return asyncio.run(all_of_them())


async def diagnosed(http: httpx.AsyncClient, url: str, key: str, question: Question) -> dict[str, Any]:
    """The diagnosis of one question, once it has ended."""
    headers = {"Authorization": f"Bearer {key}"}
    body = {"settings": {k: v for k, v in question.settings().items() if v != ""}, "services": kinds(question)}
    asked = await http.post(f"{url}/v3/diagnoses", json=body, headers=headers)
    assert asked.status_code == 202, asked.text
    while True:
        answer = await http.get(f"{url}/v3/diagnoses/{asked.json()['data']['id']}?wait=60", headers=headers)
        data = answer.json()["data"]
        if data["state"] in {"done", "failed"}:
            return data


def kinds(question: Question) -> list[str]:
    return [service.kind for service in question.services]


def test_every_verdict_is_right(verdicts: dict[str, dict[str, Any]], situations: Situations) -> None:
    told = {name: code_of(data) for name, data in verdicts.items()}
    matrix = Counter((situation.expected[0], told[situation.name]) for situation in situations.all)
    print(f"\n{len(told)} situations; right: {sum(told[s.name] in s.expected for s in situations.all)}")
    for (expected, code), count in sorted(matrix.items()):
        print(f"  {expected:36} {code:36} {count:3}")
    wrong = [
        (s.name, s.expected, told[s.name], verdicts[s.name].get("verdict"), seen(verdicts[s.name]))
        for s in situations.all
        if told[s.name] not in s.expected and not s.needs_history
    ]
    for one in wrong:
        print("WRONG", *one, sep="\n   ")
    assert [(name, told, expected) for name, expected, told, *_ in wrong] == []


def test_needed_is_never_said_where_our_own_exit_is_broken(
    verdicts: dict[str, dict[str, Any]], situations: Situations
) -> None:
    broken = [situation for situation in situations.all if situation.site is Site.BROKEN]
    assert broken
    assert [s.name for s in broken if code_of(verdicts[s.name]) in NEEDED and not NEEDED & set(s.expected)] == []


def code_of(data: dict[str, Any]) -> str:
    return data["verdict"]["code"] if data["state"] == "done" else f"failed: {data.get('error')}"


def seen(data: dict[str, Any]) -> list[str]:
    return [
        f"{o['service']}:{o['port']} {o['source_address']} -> {o['address']} {o['outcome']} at {o['stage']}"
        for o in data.get("evidence") or []
    ]
